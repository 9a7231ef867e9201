//! The page behind a proxy that serves it at a path of its own.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::chromium::{load, with_chromium};

/// What the proxy takes off the front of each path.
const PREFIX: &str = "/live/tv";

/// What went through a proxy: method, path before it was cut, and status.
type Passed = (String, String, String);

/// A proxy before `to`, which lives as long as the process.
fn proxy(to: &str) -> (String, UnboundedReceiver<Passed>) {
    let to = to.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}{PREFIX}/", listener.local_addr().unwrap());
    let (tell, passed) = unbounded_channel();
    std::thread::spawn(move || {
        for from in listener.incoming().flatten() {
            let (to, tell) = (to.clone(), tell.clone());
            // A browser opens connections that it may never use, and breaks off others.
            std::thread::spawn(move || drop(pass_on(from, &to, &tell)));
        }
    });
    (address, passed)
}

/// Passes one request with its path cut, and the answer back as it is.
fn pass_on(mut from: TcpStream, to: &str, tell: &UnboundedSender<Passed>) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        from.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).replace("Connection: keep-alive", "Connection: close");
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    from.read_exact(&mut body)?;
    let mut words = head.splitn(3, ' ');
    let (method, path, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    let Some(cut) = path.strip_prefix(PREFIX) else {
        return from.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let mut to = TcpStream::connect(to)?;
    to.write_all(format!("{method} {cut} {rest}").as_bytes())?;
    to.write_all(&body)?;
    let mut answer = Vec::new();
    to.read_to_end(&mut answer)?;
    let status = String::from_utf8_lossy(answer.get(9..12).unwrap_or_default()).into_owned();
    // The test may have ended.
    let _ = tell.send((method.to_owned(), path.to_owned(), status));
    // One that went away meanwhile needs no answer.
    from.write_all(&answer)?;
    from.shutdown(Shutdown::Both)
}

#[test]
fn it_plays_restarts_and_leaves_where_the_proxy_serves_it() {
    with_chromium(async |chromium| {
        let (pipeline, address) = load("demo", &["video.width=640", "video.height=360"]);
        let running = pipeline.spawn().unwrap();
        let (address, mut passed) = proxy(&address);
        let viewer = chromium.open(&address).await;
        viewer.state("playing").await;
        let session: String = viewer.value("millstream.resource").await;
        assert!(session.starts_with(&format!("{address}whep/")), "{session}");
        viewer.until("probe.until(() => millstream.stats?.latency != null, 20000)").await;
        viewer.until("millstream.restart().then(() => true)").await;
        viewer.0.goto("about:blank").await.expect("the page is left");

        let session = session.split_once(PREFIX).map(|(_, rest)| format!("{PREFIX}{rest}")).expect("below the prefix");
        let mut left = false;
        while !left {
            let (method, path, status) = timeout(Duration::from_secs(20), passed.recv())
                .await
                .expect("it says goodbye")
                .expect("the proxy lives");
            let expected = match (&*method, path.trim_start_matches(&session)) {
                ("GET", _) => "200",
                ("POST", "/live/tv/whep") => "201",
                // Candidates, and the restart.
                ("PATCH", "") if status == "200" => "200",
                ("PATCH", "") => "204",
                ("PUT", "/report") | ("DELETE", "") => "200",
                _ => panic!("{method} {path} {status}"),
            };
            assert_eq!(status, expected, "{method} {path}");
            left = method == "DELETE";
        }
        running.stop();
        running.wait().unwrap();
    });
}
