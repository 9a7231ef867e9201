//! Connections within bounds: so many at once, and none that keeps its request for itself.

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// How many connections are served at once. A page takes one or two, and only while it asks; whoever
/// comes when all are taken waits in the kernel's queue.
const AT_ONCE: usize = 256;
/// How long the head of a request, or a TLS handshake, may take, and how long a connection may wait for its next one.
const HEAD: Duration = Duration::from_secs(10);
/// How long a connection lasts; whoever comes back opens another. So nobody who does not read what it
/// asked for keeps a place.
const LIFE: Duration = Duration::from_secs(60);
/// After an error of `accept`, descriptors may have run out: others get time to give some back.
const BREATH: Duration = Duration::from_millis(50);

/// Serves `routes` to whoever connects, for ever; by TLS where there is a `tls`.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, routes: Router) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("no connection could be taken: {error}");
                let _ = timeout(BREATH, std::future::pending::<()>()).await;
                continue;
            }
        };
        let (tls, service) = (tls.clone(), TowerToHyperService::new(routes.clone()));
        tokio::spawn(async move {
            // Whoever hangs up in the middle of a request, or takes too long, gets no more than that.
            if let Err(error) = speak(stream, tls, service).await {
                tracing::debug!("a connection ended early: {error}");
            }
            drop(place);
        });
    }
}

async fn speak(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    service: TowerToHyperService<Router>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    // An answer that is ready does not wait for more to send.
    stream.set_nodelay(true)?;
    let Some(tls) = tls else { return Ok(answer(stream, service).await?) };
    let stream = timeout(HEAD, tls.accept(stream)).await??;
    Ok(answer(stream, service).await?)
}

async fn answer<S>(stream: S, service: TowerToHyperService<Router>) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    if let Ok(ended) = timeout(LIFE, connection.as_mut()).await {
        return ended;
    }
    // The request that is under way is answered.
    connection.as_mut().graceful_shutdown();
    timeout(HEAD, connection).await.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_what_it_asked_for_is_hung_up_on() {
        let routes = Router::new().route("/", axum::routing::get(|| async { [b'x'; 4096] }));
        let (mut deaf, here) = tokio::io::duplex(1024);
        deaf.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
        let start = tokio::time::Instant::now();
        answer(here, TowerToHyperService::new(routes)).await.unwrap();
        assert_eq!(start.elapsed(), LIFE + HEAD);
        let mut rest = Vec::new();
        deaf.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest.len(), 1024, "what fits, and no more");
    }

    // Time is tokio's and stands still until everybody waits: the ten seconds pass at once.
    #[tokio::test(start_paused = true)]
    async fn who_does_not_finish_a_request_is_hung_up_on_and_others_are_served() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().route("/", axum::routing::get(|| async { "here" }));
        tokio::spawn(serve(listener, None, routes));
        let mut slow = Vec::new();
        for _ in 0..AT_ONCE {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"G").await.unwrap();
            slow.push(stream);
        }
        // All places are taken; this one waits until the first are given up.
        let mut quick = TcpStream::connect(address).await.unwrap();
        quick.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        quick.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
        let mut rest = Vec::new();
        slow[0].read_to_end(&mut rest).await.unwrap();
        assert!(!String::from_utf8_lossy(&rest).contains("200"));
    }
}
