//! A network cable that can be cut.

use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime, TokioRuntime,
    Transmit,
};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The cable of a viewer. Cloning gives another handle.
#[derive(Clone, Debug, Default)]
pub(super) struct Cable(Arc<AtomicBool>);

impl Cable {
    /// Cuts it, or mends it. What is sent meanwhile is lost, in both directions.
    pub(super) fn cut(&self, cut: bool) {
        self.0.store(cut, Ordering::Release);
    }

    fn is_cut(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Runtime for Cable {
    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(future)
    }
    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Ok(Arc::new(Plugged { cable: self.clone(), socket: TokioRuntime.wrap_udp_socket(socket)? }))
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
        TokioRuntime.sleep(duration)
    }
    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }
    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }
    fn name(&self) -> &'static str {
        "cable"
    }
}

#[derive(Debug)]
struct Plugged {
    cable: Cable,
    socket: Arc<dyn AsyncUdpSocket>,
}

impl AsyncUdpSocket for Plugged {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        if self.cable.is_cut() { Poll::Ready(Ok(transmit.contents.len())) } else { self.socket.poll_send(cx, transmit) }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            let received = ready!(self.socket.poll_recv(cx, bufs, meta));
            if !self.cable.is_cut() {
                return Poll::Ready(received);
            }
        }
    }
}
