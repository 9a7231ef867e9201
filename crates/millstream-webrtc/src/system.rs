//! The system's sockets. The standard library has no portable way to be woken by a socket, so each has a thread
//! that waits for its datagrams.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::network::{DatagramSocket, Sockets};

/// Datagrams that wait at most: about a second of media. More are dropped, as a full socket buffer does.
const WAITING: usize = 256;
/// The longest datagram there is (RFC 768: 16 bits of length).
const LONGEST: usize = 65_535;
/// How often the thread looks whether its socket was dropped.
const LOOK: Duration = Duration::from_millis(100);
/// How long `send` may wait for room in the system's buffer; what finds none is dropped.
const ROOM: Duration = Duration::from_millis(1);

pub(crate) struct SystemSockets;

impl Sockets for SystemSockets {
    fn bind(&self, address: SocketAddr) -> io::Result<Box<dyn DatagramSocket>> {
        let socket = UdpSocket::bind(address)?;
        socket.set_read_timeout(Some(LOOK))?;
        socket.set_write_timeout(Some(ROOM))?;
        let (reading, inbox) = (socket.try_clone()?, Arc::<Inbox>::default());
        let into = Arc::downgrade(&inbox);
        let name = format!("udp {}", socket.local_addr()?.port());
        std::thread::Builder::new().name(name).spawn(move || read(&reading, &into))?;
        Ok(Box::new(SystemSocket { socket, inbox }))
    }
}

struct SystemSocket {
    socket: UdpSocket,
    inbox: Arc<Inbox>,
}

/// What has arrived and was not received yet.
#[derive(Default)]
struct Inbox(Mutex<Arrived>);

#[derive(Default)]
struct Arrived {
    datagrams: VecDeque<(Vec<u8>, SocketAddr)>,
    /// Buffers to be used again.
    spare: Vec<Vec<u8>>,
    failed: Option<io::Error>,
    waker: Option<Waker>,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Arrived> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts what `socket` receives into `inbox` until that is dropped.
fn read(socket: &UdpSocket, inbox: &Weak<Inbox>) {
    let mut buffer = vec![0; LONGEST];
    loop {
        let received = socket.recv_from(&mut buffer);
        let Some(inbox) = inbox.upgrade() else { return };
        let mut arrived = inbox.lock();
        match received {
            Ok((length, from)) if arrived.datagrams.len() < WAITING => {
                let mut datagram = arrived.spare.pop().unwrap_or_default();
                datagram.clear();
                datagram.extend_from_slice(&buffer[..length]);
                arrived.datagrams.push_back((datagram, from));
            }
            Ok(_) => continue,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => continue,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // A host refused an earlier datagram (ICMP): reported once, and others may still arrive.
            Err(error) => arrived.failed = Some(error),
        }
        let waker = arrived.waker.take();
        drop(arrived);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl DatagramSocket for SystemSocket {
    fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn send(&mut self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        self.socket.send_to(datagram, to).map(drop)
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut arrived = self.inbox.lock();
        if let Some((datagram, from)) = arrived.datagrams.pop_front() {
            let length = datagram.len().min(buffer.len());
            buffer[..length].copy_from_slice(&datagram[..length]);
            arrived.spare.push(datagram);
            return Poll::Ready(Ok((length, from)));
        }
        if let Some(error) = arrived.failed.take() {
            return Poll::Ready(Err(error));
        }
        arrived.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::block::block_on;

    #[test]
    fn datagrams_arrive_and_wake_the_receiver() {
        let bind = || SystemSockets.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (mut one, mut other) = (bind(), bind());
        let to = other.local_address().unwrap();
        let from = one.local_address().unwrap();
        let receiver = std::thread::spawn(move || {
            let mut buffer = [0; 4];
            let received = block_on(poll_fn(|cx| other.poll_receive(cx, &mut buffer)));
            (received.unwrap(), buffer)
        });
        one.send(to, b"abcdef").unwrap();
        assert_eq!(receiver.join().unwrap(), ((4, from), *b"abcd"), "what does not fit is cut off");
    }
}
