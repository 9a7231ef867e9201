//! Behind a proxy that serves the page at a path of its own.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use crate::client::{Page, page};
use crate::samples::{FRAGMENT, OFFER, REPORT};

/// What the proxy takes off the front of each path.
const PREFIX: &str = "/live/tv";

/// A proxy before `to`, which lives as long as the test: one request for each connection.
fn proxy(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for from in listener.incoming() {
            pass_on(from.unwrap(), TcpStream::connect(to).unwrap());
        }
    });
    address
}

/// Passes a request with its path cut to `to`, and the answer back as it is.
fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && from.read(&mut byte).unwrap() > 0 {
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    from.read_exact(&mut body).unwrap();
    let (method, rest) = head.split_once(' ').unwrap();
    // What is not below its path the proxy does not know.
    let Some(rest) = rest.strip_prefix(PREFIX) else {
        return from.write_all(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n").unwrap();
    };
    to.write_all(format!("{method} {rest}").as_bytes()).unwrap();
    to.write_all(&body).unwrap();
    std::io::copy(&mut to, &mut from).unwrap();
    let _ = from.shutdown(Shutdown::Both);
}

#[test]
fn a_session_is_found_where_the_proxy_serves_it() {
    let direct = page(&[]);
    let behind = Page { address: proxy(direct.address), ..page(&[]) };
    let host = format!("{}", direct.address);
    let host = ("Host", &*host);
    let endpoint = format!("{PREFIX}/whep");
    let opened = behind.ask("POST", &endpoint, &[host, ("Content-Type", "application/sdp")], OFFER);
    assert_eq!(opened.status, 201, "{opened:?}");
    // What a URL library makes of it (RFC 3986, section 5.2.3): all behind the last slash is another.
    let session = format!("{}/{}", endpoint.rsplit_once('/').unwrap().0, opened.header("location"));
    assert!(session.starts_with("/live/tv/whep/") && session.len() == "/live/tv/whep/".len() + 32, "{session}");
    let ask = |method, path: &str, kind, body| behind.ask(method, path, &[host, ("Content-Type", kind)], body).status;
    assert_eq!(ask("PATCH", &session, "application/trickle-ice-sdpfrag", FRAGMENT), 204);
    assert_eq!(direct.fake.candidates(0).len(), 4);
    assert_eq!(ask("PUT", &format!("{session}/report"), "application/json", REPORT), 200);
    assert_eq!(ask("DELETE", &session, "application/sdp", ""), 200);
    direct.wait_for_viewers(0);
    assert_eq!((direct.fake.opened(), direct.fake.closed()), (1, 1));
}
