//! An HTTP server on a thread of its own, for as long as its handle lives.
//!
//! It knows nothing of what it serves.

use std::future::Future;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use millstream_core::{Error, Result};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::http::connections;

/// How long closing the viewers' sessions may take.
const CLOSING: Duration = Duration::from_secs(1);
/// How long the thread may take to end: the closing, and a busy machine.
const ENDING: Duration = Duration::from_secs(3);

/// Takes the port for the stage `stage`.
pub(crate) fn bind(address: SocketAddr, stage: &str) -> Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| {
        let (ip, port) = (address.ip(), address.port());
        let message = match error.kind() {
            ErrorKind::AddrInUse => format!(
                "{address} is in use by another program; choose another with bind = \"{}\" or --set {stage}.bind={}",
                SocketAddr::new(ip, port.checked_add(1).unwrap_or(8080)),
                SocketAddr::new(ip, 0),
            ),
            ErrorKind::PermissionDenied => format!(
                "this user may not listen on port {port}; choose one from 1024 on with bind = \"{}\"",
                SocketAddr::new(ip, 8080),
            ),
            ErrorKind::AddrNotAvailable => {
                format!(
                    "this machine has no address {ip}; use one it has, or bind = \"0.0.0.0:{port}\" for all of them"
                )
            }
            _ => {
                return Error::config(format!("cannot listen on {address}; choose another with bind = …"))
                    .caused_by(error);
            }
        };
        Error::config(message)
    })
}

/// A running server. Dropping it ends it: the port is free and its thread joined, within bounds.
#[derive(Debug)]
pub(crate) struct Server {
    stop: Option<oneshot::Sender<()>>,
    /// In a mutex only so that several ends may hold one server.
    ended: Mutex<mpsc::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `routes` for the stage `stage`; `closing` runs at the end, when no new connection is
    /// taken any more.
    pub(crate) fn start(
        stage: &str,
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        routes: Router,
        closing: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Server> {
        let failed = |error| Error::fatal("the page's server cannot start").caused_by(error);
        listener.set_nonblocking(true).map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(failed)?
        };
        let (stop, stopped) = oneshot::channel();
        let (ending, ended) = mpsc::channel();
        let run = move || {
            runtime.block_on(async move {
                tokio::select! {
                    () = connections::serve(listener, tls, routes) => {}
                    _ = stopped => {}
                }
                if tokio::time::timeout(CLOSING, closing).await.is_err() {
                    tracing::warn!("some viewers' sessions were not closed within {CLOSING:?}");
                }
            });
            // Connections that are still open go with it.
            drop(runtime);
            drop(ending);
        };
        let thread = std::thread::Builder::new().name(format!("{stage} http")).spawn(run).map_err(failed)?;
        Ok(Server { stop: Some(stop), ended: Mutex::new(ended), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        match ended.recv_timeout(ENDING) {
            Err(mpsc::RecvTimeoutError::Timeout) => tracing::warn!("the page's server does not end; it is left behind"),
            _ => {
                if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
                    tracing::error!("the page's server panicked");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_bound_is_said_with_what_can() {
        let taken = bind("127.0.0.1:0".parse().unwrap(), "page").unwrap();
        let address = taken.local_addr().unwrap();
        let error = bind(address, "page").unwrap_err().to_string();
        assert!(error.starts_with(&format!("{address} is in use by another program")), "{error}");
        assert!(error.ends_with("--set page.bind=127.0.0.1:0"), "{error}");
        // 192.0.2.0/24 is for documentation (RFC 5737).
        let error = bind("192.0.2.1:8080".parse().unwrap(), "page").unwrap_err().to_string();
        assert!(error.contains("no address 192.0.2.1"), "{error}");
    }
}
