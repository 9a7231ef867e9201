//! Strangers who connect and say nothing.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::client::{Page, page};
use crate::samples::OFFER;

/// As many as are served at once.
const STRANGERS: usize = 256;

/// Connects them, and has every second one begin a request.
fn strangers(page: &Page) -> Vec<TcpStream> {
    let connect = |number: usize| {
        let mut stream = page.connect();
        let begin: &[u8] = if number.is_multiple_of(2) { b"POST /whep HTTP/1.1\r\nHost: localhost\r\n" } else { b"" };
        // Who was hung up on already is no worse off.
        let _ = stream.write_all(begin);
        stream
    };
    (0..STRANGERS).map(connect).collect()
}

#[test]
fn silent_strangers_however_often_they_come_again_keep_no_viewer_out() {
    let page = page(&[]);
    let mut watching = page.connect();
    let status = format!("GET /status HTTP/1.1\r\nHost: {}\r\n\r\n", page.address);
    let mut ask = || {
        watching.write_all(status.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") {
            watching.read_exact(&mut byte).expect("it is not hung up on");
            answer.push(byte[0]);
        }
        let head = String::from_utf8(answer).unwrap().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
        watching.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
    };
    ask();
    let mut there = Vec::new();
    for renewal in 1..=3 {
        there.push(strangers(&page));
        // The last of them alone would wait for 10 s, and this with it.
        assert_eq!(page.offer(OFFER).status, 201, "renewal {renewal}");
        assert_eq!(page.fake.opened(), renewal);
        ask();
    }
    let hung_up = there.iter().flatten().filter(|stream| {
        stream.set_nonblocking(true).unwrap();
        let mut stream: &TcpStream = stream;
        !stream.read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    });
    // They keep all places but that of the watching one, and the one that the last viewer took.
    assert_eq!(hung_up.count(), 3 * STRANGERS - (STRANGERS - 2));
}
