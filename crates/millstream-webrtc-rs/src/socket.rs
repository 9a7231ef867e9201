//! A socket that hands the packets of a frame to the kernel together.
//!
//! The `webrtc` crate sends a packet with a system call of its own, unless there are sixteen or more at
//! once. A frame has fewer, and there are many viewers: so packets wait here until their connection's task
//! has had its turn, and go as one segmented send (`UDP_SEGMENT`). What that spares stands in
//! `docs/measurements/fanout.md`.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use webrtc::runtime::{AsyncUdpSocket, EcnCodepoint, RecvMeta, Transmit};

/// Packets in a send at most. More would gain little, and every viewer has room for as many.
const MOST: usize = 16;

/// A socket whose packets wait for [`poll_flush`](Socket::poll_flush).
#[derive(Debug)]
pub(crate) struct Socket {
    inner: Arc<dyn AsyncUdpSocket>,
    batch: Mutex<Batch>,
}

/// Packets to one address, all of one length but for the last, which may be shorter.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    packets: usize,
    segment: usize,
    to: Option<(SocketAddr, Option<EcnCodepoint>)>,
    /// The tasks that could not send because the kernel takes nothing at present.
    blocked: Vec<Waker>,
}

impl Socket {
    pub(crate) fn new(inner: Arc<dyn AsyncUdpSocket>) -> Socket {
        Socket { inner, batch: Mutex::default() }
    }

    /// Sends what waits. `Pending` if the kernel takes nothing at present: it is to be tried again then.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.flush(&mut self.lock(), cx)
    }

    fn flush(&self, batch: &mut Batch, cx: &mut Context<'_>) -> Poll<()> {
        if let Some((destination, ecn)) = batch.to {
            let segment_size = (batch.packets > 1).then_some(batch.segment);
            let transmit = Transmit { destination, ecn, contents: &batch.bytes, segment_size, src_ip: None };
            if let Err(error) = ready!(self.inner.poll_send(cx, &transmit)) {
                // As with any datagram: ICE finds out whether the other side is still there.
                tracing::debug!("{} packets to {destination} were not sent: {error}", batch.packets);
            }
            batch.bytes.clear();
            (batch.packets, batch.to) = (0, None);
        }
        batch.blocked.drain(..).for_each(Waker::wake);
        Poll::Ready(())
    }

    fn lock(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The last packets of a connection, such as its goodbye.
        let _ = self.poll_flush(&mut Context::from_waker(Waker::noop()));
    }
}

impl Batch {
    /// Whether `transmit` can go with what waits.
    fn takes(&self, transmit: &Transmit<'_>, most: usize) -> bool {
        let whole = self.bytes.len() == self.packets * self.segment;
        let room = self.packets < most && self.bytes.len() + transmit.contents.len() <= usize::from(u16::MAX);
        match self.to {
            None => true,
            // A shorter one is the last of its run.
            Some(to) => {
                to == (transmit.destination, transmit.ecn) && whole && room && transmit.contents.len() <= self.segment
            }
        }
    }

    fn add(&mut self, transmit: &Transmit<'_>) {
        if self.to.is_none() {
            self.to = Some((transmit.destination, transmit.ecn));
            self.segment = transmit.contents.len();
        }
        self.bytes.extend_from_slice(transmit.contents);
        self.packets += 1;
    }
}

impl AsyncUdpSocket for Socket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let most = self.inner.max_gso_segments().min(MOST);
        let alone = transmit.contents.is_empty() || transmit.segment_size.is_some() || transmit.src_ip.is_some();
        let mut batch = self.lock();
        if (alone || !batch.takes(transmit, most)) && self.flush(&mut batch, cx).is_pending() {
            if !batch.blocked.iter().any(|blocked| blocked.will_wake(cx.waker())) {
                batch.blocked.push(cx.waker().clone());
            }
            return Poll::Pending;
        }
        if alone || most < 2 {
            return self.inner.poll_send(cx, transmit);
        }
        batch.add(transmit);
        Poll::Ready(Ok(transmit.contents.len()))
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.inner.poll_recv(cx, bufs, meta)
    }

    // The crate must not batch as well: max_gso_segments stays at 1.

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// What it sent: the address's port, the bytes of each packet; nothing while it is full.
    #[derive(Debug, Default)]
    struct Kernel {
        sent: Mutex<Vec<(u16, Vec<usize>)>>,
        full: AtomicBool,
        fails: AtomicBool,
    }

    impl AsyncUdpSocket for Kernel {
        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok(([127, 0, 0, 1], 9).into())
        }
        fn poll_send(&self, _: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
            if self.full.load(Ordering::Relaxed) {
                return Poll::Pending;
            }
            if self.fails.load(Ordering::Relaxed) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionRefused.into()));
            }
            let segment = transmit.segment_size.unwrap_or(transmit.contents.len().max(1));
            let lengths = transmit.contents.chunks(segment).map(<[u8]>::len).collect();
            self.sent.lock().unwrap().push((transmit.destination.port(), lengths));
            Poll::Ready(Ok(transmit.contents.len()))
        }
        fn poll_recv(
            &self,
            _: &mut Context<'_>,
            _: &mut [IoSliceMut<'_>],
            _: &mut [RecvMeta],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }
        fn max_gso_segments(&self) -> usize {
            64
        }
    }

    fn socket() -> (Arc<Kernel>, Socket) {
        let kernel = Arc::<Kernel>::default();
        (Arc::clone(&kernel), Socket::new(kernel))
    }

    fn give(socket: &Socket, port: u16, length: usize) -> Poll<usize> {
        let contents = vec![0; length];
        let destination = ([127, 0, 0, 1], port).into();
        let transmit = Transmit { destination, ecn: None, contents: &contents, segment_size: None, src_ip: None };
        socket.poll_send(&mut Context::from_waker(Waker::noop()), &transmit).map(Result::unwrap)
    }

    fn flush(socket: &Socket) -> Poll<()> {
        socket.poll_flush(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_packets_of_a_frame_go_together_in_runs_of_one_length() {
        let (kernel, socket) = socket();
        for (port, length) in [(1, 110), (1, 100), (1, 100), (1, 100), (1, 40), (1, 100), (2, 100), (2, 120)] {
            assert_eq!(give(&socket, port, length), Poll::Ready(length));
        }
        assert_eq!(flush(&socket), Poll::Ready(()));
        assert_eq!(flush(&socket), Poll::Ready(()), "nothing is left");
        let sent = kernel.sent.lock().unwrap();
        let expected: [(u16, &[usize]); 5] =
            [(1, &[110, 100]), (1, &[100, 100, 40]), (1, &[100]), (2, &[100]), (2, &[120])];
        assert_eq!(sent.iter().map(|(port, lengths)| (*port, lengths.as_slice())).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_run_is_no_longer_than_its_room() {
        let (kernel, socket) = socket();
        (0..MOST + 1).for_each(|_| assert_eq!(give(&socket, 1, 1200), Poll::Ready(1200)));
        (0..3).for_each(|_| assert_eq!(give(&socket, 1, 0), Poll::Ready(0)));
        let lengths: Vec<usize> = kernel.sent.lock().unwrap().iter().map(|(_, lengths)| lengths.len()).collect();
        assert_eq!(lengths, [MOST, 1, 0, 0, 0], "an empty one goes by itself, after those before it");
    }

    #[test]
    fn what_the_kernel_does_not_take_waits_and_refused_tasks_are_woken() {
        let (kernel, socket) = socket();
        assert!(give(&socket, 1, 100).is_ready(), "it waits here");
        kernel.full.store(true, Ordering::Relaxed);
        assert!(flush(&socket).is_pending());
        assert!(give(&socket, 1, 100).is_ready(), "there is room");
        assert!(give(&socket, 2, 100).is_pending());
        assert_eq!(socket.lock().blocked.len(), 1);
        kernel.full.store(false, Ordering::Relaxed);
        assert!(flush(&socket).is_ready());
        assert!(socket.lock().blocked.is_empty());
        assert_eq!(*kernel.sent.lock().unwrap(), [(1, vec![100, 100])]);
    }

    #[test]
    fn what_waits_when_it_is_closed_is_sent() {
        let (kernel, socket) = socket();
        assert!(give(&socket, 1, 100).is_ready());
        drop(socket);
        assert_eq!(*kernel.sent.lock().unwrap(), [(1, vec![100])]);
    }

    #[test]
    fn what_cannot_be_sent_is_dropped_as_datagrams_are() {
        let (kernel, socket) = socket();
        assert!(give(&socket, 1, 100).is_ready());
        kernel.fails.store(true, Ordering::Relaxed);
        assert!(flush(&socket).is_ready());
        kernel.fails.store(false, Ordering::Relaxed);
        assert!(flush(&socket).is_ready());
        assert!(kernel.sent.lock().unwrap().is_empty());
    }
}
