//! A WHEP endpoint in a hundred lines, for senders that are not ours: enough of HTTP for a bench on
//! loopback, and no more.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use super::{Result, at};

/// The longest offer that is read.
const LONGEST: usize = 64 * 1024;

/// Serves a free port of loopback on a thread of its own; gives the address of the endpoint. Each offer
/// goes to `answer`.
pub(crate) fn serve(answer: impl Fn(String) -> Result<String> + Send + 'static) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(at("127.0.0.1"))?;
    let address = listener.local_addr().map_err(at("the port"))?;
    let serve = move || {
        for stream in listener.incoming().flatten() {
            if let Err(error) = one(stream, &answer) {
                eprintln!("whep: {error}");
            }
        }
    };
    std::thread::Builder::new().name("whep".into()).spawn(serve).map_err(at("a thread"))?;
    Ok(format!("http://{address}/whep"))
}

/// One request, one connection.
fn one(mut stream: TcpStream, answer: &impl Fn(String) -> Result<String>) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone().map_err(at("the connection"))?);
    let mut line = || -> Result<String> {
        let mut line = String::new();
        reader.read_line(&mut line).map_err(at("the request"))?;
        Ok(line.trim_end().to_owned())
    };
    let request = line()?;
    let mut length = 0;
    loop {
        let header = line()?.to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(at("Content-Length"))?;
        }
    }
    if length > LONGEST {
        return Err(format!("an offer of {length} bytes"));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).map_err(at("the offer"))?;
    let response = if request.starts_with("POST /whep ") {
        let sdp = answer(String::from_utf8_lossy(&body).into_owned())?;
        let (kind, place, length) = ("Content-Type: application/sdp", "Location: /whep/1", sdp.len());
        format!(
            "HTTP/1.1 201 Created\r\n{kind}\r\n{place}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{sdp}"
        )
    } else {
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n{}\n".to_owned()
    };
    stream.write_all(response.as_bytes()).map_err(at("the response"))
}
