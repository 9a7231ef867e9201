//! The runtime that the `webrtc` crate gets, one for each peer: it knows the crate's tasks, so that
//! none outlives the peer, and it reports a panic in one.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime, TokioRuntime,
};

use crate::handler::ConnectionEvent;
use crate::socket::Socket;
use crate::timer::Timer;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A peer's share of its thread's runtime. The end of the peer calls [`end`](PeerRuntime::end).
pub(crate) struct PeerRuntime {
    tasks: Mutex<Vec<AbortHandle>>,
    events: UnboundedSender<ConnectionEvent>,
    timer: Timer,
    sockets: Sockets,
}

impl PeerRuntime {
    pub(crate) fn new(events: UnboundedSender<ConnectionEvent>) -> Arc<PeerRuntime> {
        Arc::new(PeerRuntime { tasks: Mutex::default(), events, timer: Timer::default(), sockets: Sockets::default() })
    }

    /// Runs `task` until it ends or the peer does.
    pub(crate) fn run(&self, task: impl Future<Output = ()> + Send + 'static) -> tokio::task::JoinHandle<()> {
        let (events, sockets) = (self.events.clone(), self.sockets.clone());
        let mut task = Caught(Box::pin(task));
        let handle = tokio::spawn(async move {
            let turn = poll_fn(|cx| {
                let poll = Pin::new(&mut task).poll(cx);
                // What it sent in this turn goes together.
                sockets.flush(cx);
                poll
            });
            if turn.await.is_err() {
                let _ = events.send(ConnectionEvent::Panicked);
            }
        });
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        tasks.push(handle.abort_handle());
        handle
    }

    /// Ends the tasks that are left.
    pub(crate) fn end(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.drain(..).for_each(|task| task.abort());
    }
}

/// The sockets of a peer, as long as they are open.
#[derive(Clone, Debug, Default)]
struct Sockets(Arc<Mutex<Vec<Weak<Socket>>>>);

impl Sockets {
    fn add(&self, socket: &Arc<Socket>) {
        let mut sockets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.retain(|socket| socket.strong_count() > 0);
        sockets.push(Arc::downgrade(socket));
    }

    fn flush(&self, cx: &mut Context<'_>) {
        let sockets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A socket that the kernel takes nothing from now wakes this task later.
        for socket in sockets.iter().filter_map(Weak::upgrade) {
            let _ = socket.poll_flush(cx);
        }
    }
}

/// A future whose panics are errors.
pub(crate) struct Caught<F>(pub(crate) Pin<Box<F>>);

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, ()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Nothing looks at what a panic leaves behind: the peer ends.
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(())),
        }
    }
}

struct Spawned(tokio::task::JoinHandle<()>);

impl JoinHandle for Spawned {
    fn detach(&self) {}
    fn abort(&self) {
        self.0.abort();
    }
    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl Runtime for PeerRuntime {
    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        Box::new(Spawned(self.run(future)))
    }
    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let socket = Arc::new(Socket::new(TokioRuntime.wrap_udp_socket(socket)?));
        self.sockets.add(&socket);
        Ok(socket)
    }
    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }
    fn connect_tcp<'a>(&'a self, remote: SocketAddr) -> Boxed<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        TokioRuntime.connect_tcp(remote)
    }
    fn resolve_host<'a>(&'a self, host: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>> {
        TokioRuntime.resolve_host(host)
    }
    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        self.timer.sleep(duration)
    }
    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }
    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }
    fn name(&self) -> &'static str {
        "millstream"
    }
}

impl fmt::Debug for PeerRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeerRuntime")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_task_is_reported() {
        let (events, mut reported) = tokio::sync::mpsc::unbounded_channel();
        let runtime = PeerRuntime::new(events);
        runtime.run(async { panic!("of the crate") });
        assert!(matches!(reported.recv().await, Some(ConnectionEvent::Panicked)));
        let endless = runtime.run(std::future::pending());
        runtime.end();
        assert!(endless.await.unwrap_err().is_cancelled());
    }
}
