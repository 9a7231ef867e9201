//! One HTTP request per connection: all that WHEP needs.

use std::collections::HashMap;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::DEADLINE;

/// What was answered; header names in lower case.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    /// The value of the header called `name`.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// Asks the server at `to`.
pub(crate) async fn ask(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer, String> {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n");
    headers.iter().for_each(|(name, value)| request += &format!("{name}: {value}\r\n"));
    if !body.is_empty() {
        request += &format!("Content-Length: {}\r\n", body.len());
    }
    let bytes = send(to, format!("{request}\r\n{body}").as_bytes()).await?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| format!("{method} {path}: no answer"))?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let status = status.ok_or_else(|| format!("{method} {path}: no status"))?;
    Ok(Answer { status, headers, body: body.to_owned() })
}

/// Sends `request`, whatever it is, and gives what comes back until the other side hangs up.
pub(crate) async fn send(to: SocketAddr, request: &[u8]) -> Result<Vec<u8>, String> {
    let exchange = async {
        let mut stream = TcpStream::connect(to).await?;
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = timeout(DEADLINE, exchange).await.map_err(|_| format!("{to} does not answer"))?;
    answer.map_err(|error| format!("{to}: {error}"))
}

/// How many viewers the page at `to` says it has.
pub(crate) async fn viewers(to: SocketAddr) -> Result<usize, String> {
    let status = ask(to, "GET", "/status", &[], "").await?.body;
    let found = status.split_once("\"viewers\":").map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit));
    found.and_then(|digits| digits.collect::<String>().parse().ok()).ok_or_else(|| format!("no viewers in {status}"))
}
