//! Connections within bounds: so many at once, and none that keeps its request for itself.
//!
//! When slots run out, the connection that has been silent longest is closed (`slots.rs`): so silence,
//! however often it is renewed, keeps no client out. No connection is refused for its address, since many
//! people may have one.

mod service;
mod slots;

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use service::Service;
use slots::{Slot, Slots};

/// How long the head of a request, or a TLS handshake, may take, and how long a connection may wait for its next one.
const HEAD: Duration = Duration::from_secs(10);
/// How long a connection lasts. A client that stops reading is disconnected, so it cannot block others.
const LIFE: Duration = Duration::from_secs(60);
/// After an error of `accept`, descriptors may have run out: others get time to give some back.
const BACKOFF: Duration = Duration::from_millis(50);

/// Serves `routes` on all connections, for ever; by TLS where there is a `tls`.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, routes: Router) {
    let slots = Slots::default();
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("no connection could be taken: {error}");
                let _ = timeout(BACKOFF, std::future::pending::<()>()).await;
                continue;
            }
        };
        let slot = Arc::new(slots.take(address.ip()).await);
        let (tls, service) = (tls.clone(), Service::new(routes.clone(), Arc::clone(&slot)));
        let task = tokio::spawn(async move {
            // A client that hangs up in the middle of a request, or takes too long, is logged.
            if let Err(error) = serve_one(stream, tls, service).await {
                tracing::debug!("a connection ended early: {error}");
            }
        });
        slot.serves(task.abort_handle());
    }
}

async fn serve_one(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    service: Service,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    // An answer that is ready does not wait for more to send.
    stream.set_nodelay(true)?;
    let Some(tls) = tls else { return Ok(answer(stream, service).await?) };
    let stream = timeout(HEAD, tls.accept(stream)).await??;
    Ok(answer(stream, service).await?)
}

async fn answer<S>(stream: S, service: Service) -> hyper::Result<()>
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
    use std::net::{Ipv4Addr, SocketAddr};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpSocket;

    use super::slots::{AT_ONCE, SILENT};
    use super::*;

    /// Each test holds hundreds of descriptors: one at a time.
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

    fn routes() -> Router {
        Router::new()
            .route("/", axum::routing::get(|| async { "here" }))
            .route("/body", axum::routing::post(|body: String| async { body }))
    }

    async fn served() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, None, routes()));
        address
    }

    /// A connection from 127.0.0.`from`.
    async fn connect(to: SocketAddr, from: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::new(127, 0, 0, from), 0).into()).unwrap();
        socket.connect(to).await.unwrap()
    }

    /// Asks on `stream`, and waits for the answer. Silence would be hung up on after 10 s: this is not.
    async fn ask(stream: &mut TcpStream) {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"here") {
            let read = timeout(HEAD / 2, stream.read_buf(&mut answer)).await.expect("at once").unwrap();
            assert!(read > 0, "hung up on: {}", String::from_utf8_lossy(&answer));
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }

    /// Waits until the server has hung up on `stream`.
    async fn hung_up(stream: &mut TcpStream) {
        let read = timeout(HEAD / 2, stream.read(&mut [0; 16])).await.expect("hung up on before its time is over");
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }

    fn is_open(stream: &TcpStream) -> bool {
        stream.try_read(&mut [0; 16]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    #[tokio::test]
    async fn silent_connections_of_one_address_keep_no_client_out_however_often_they_are_renewed() {
        let _turn = TURN.lock().await;
        let address = served().await;
        // Behind the same address, as behind a proxy.
        let mut people = Vec::new();
        for _ in 0..SILENT * 2 {
            let mut one = connect(address, 1).await;
            ask(&mut one).await;
            people.push(one);
        }
        let mut silent = Vec::new();
        for _ in 0..2 {
            for number in 0..AT_ONCE {
                let mut stream = connect(address, 1).await;
                // Some say nothing, some begin.
                if number % 2 == 0 {
                    stream.write_all(b"POST /body HTTP/1.1\r\nHost: here\r\n").await.unwrap();
                }
                silent.push(stream);
            }
            // The newcomer is one of the silent until it has asked.
            ask(&mut connect(address, 1).await).await;
        }
        // All slots but those of the people; the last newcomer took one and gave it back.
        let left = AT_ONCE - people.len() - 1;
        let open = silent.split_off(silent.len() - left);
        for stream in &mut silent {
            hung_up(stream).await;
        }
        assert!(open.iter().all(is_open));
        for one in &mut people {
            ask(one).await;
        }
    }

    #[tokio::test]
    async fn a_hundred_viewers_of_one_address_whose_requests_come_late_are_all_answered() {
        let _turn = TURN.lock().await;
        let address = served().await;
        let mut viewers = Vec::new();
        for _ in 0..100 {
            viewers.push(connect(address, 1).await);
        }
        for viewer in &mut viewers {
            ask(viewer).await;
        }
    }

    #[tokio::test]
    async fn the_oldest_silence_of_many_addresses_makes_room() {
        let _turn = TURN.lock().await;
        let address = served().await;
        let mut silent = Vec::new();
        for number in 0..AT_ONCE {
            silent.push(connect(address, 2 + (number / SILENT) as u8).await);
        }
        let mut newcomer = connect(address, 1).await;
        ask(&mut newcomer).await;
        hung_up(&mut silent[0]).await;
        assert!(silent[1..].iter().all(is_open));
        // Renewed, one by one.
        for (number, stream) in silent.iter_mut().enumerate().skip(1) {
            *stream = connect(address, 100 + (number / SILENT) as u8).await;
            ask(&mut connect(address, 1).await).await;
        }
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_keeps_nobody_out() {
        let _turn = TURN.lock().await;
        let address = served().await;
        let mut slow = Vec::new();
        for number in 0..2 * AT_ONCE {
            let mut stream = connect(address, 1 + (number / (SILENT / 2)) as u8).await;
            stream.write_all(b"POST /body HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\nslow").await.unwrap();
            slow.push(stream);
        }
        ask(&mut connect(address, 1).await).await;
        for stream in &mut slow[..AT_ONCE] {
            hung_up(stream).await;
        }
        let mut last = slow.pop().unwrap();
        last.write_all(b"-here").await.unwrap();
        let mut answer = vec![0; 15];
        last.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 200 OK");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_disconnected() {
        let routes = Router::new().route("/", axum::routing::get(|| async { [b'x'; 4096] }));
        let (mut deaf, here) = tokio::io::duplex(1024);
        deaf.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
        let start = tokio::time::Instant::now();
        let slot = Slots::default().take(Ipv4Addr::LOCALHOST.into()).await;
        answer(here, Service::new(routes, slot.into())).await.unwrap();
        assert_eq!(start.elapsed(), LIFE + HEAD);
        let mut rest = Vec::new();
        deaf.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest.len(), 1024, "what fits, and no more");
    }

    // Time is tokio's and stands still until all tasks wait: the ten seconds pass at once.
    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_finish_a_request_is_disconnected() {
        let (mut slow, here) = tokio::io::duplex(1024);
        slow.write_all(b"G").await.unwrap();
        let start = tokio::time::Instant::now();
        let slot = Slots::default().take(Ipv4Addr::LOCALHOST.into()).await;
        let ended = answer(here, Service::new(routes(), slot.into())).await;
        assert_eq!((ended.is_err(), start.elapsed()), (true, HEAD));
    }
}
