//! A page as a pipeline builds it, and an HTTP client that does one request per connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use millstream_core::descriptor::Joined;
use millstream_core::options::{Table, Value};
use millstream_core::worker::AnySink;
use millstream_core::{Bundle, Clock, Format, OPUS, Registry, Result, VP8, Worker};

use millstream_testkit::engine::FakeEngine;

/// Longer than anything here takes, on the busiest machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A running page.
pub(crate) struct Page {
    pub(crate) fake: FakeEngine,
    pub(crate) address: SocketAddr,
    pub(crate) notice: String,
    pub(crate) bundle: Bundle,
}

/// A page with picture and sound on a free port.
pub(crate) fn page(options: &[(&str, Value)]) -> Page {
    let mut table = Table::from([("bind".to_owned(), Value::Text("127.0.0.1:0".to_owned()))]);
    table.extend(options.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    open(&FakeEngine::new(), table, &[("video", Format::Packets(VP8)), ("audio", Format::Packets(OPUS))]).unwrap()
}

/// A page as a pipeline builds it.
pub(crate) fn open(fake: &FakeEngine, table: Table, joined: &[(&str, Format)]) -> Result<Page> {
    let mut registry = Registry::new();
    millstream_signaling::register(&mut registry, &fake.engine());
    let build = registry.find("page").expect("registered").read(table).expect("the options are good");
    let clock = Clock::system();
    let mut joined = Joined::new("page", &clock, joined, &[]);
    let Worker::Bundle(bundle) = build(&mut joined)? else { panic!("a page is a bundle") };
    let notice = joined.into_notices().remove(0);
    let authority = notice.split('/').nth(2).expect("a notice is a link");
    Ok(Page { fake: fake.clone(), address: authority.parse().unwrap(), notice, bundle })
}

impl Page {
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            request += &format!("Host: {}\r\n", self.address);
        }
        if !body.is_empty() {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        headers.iter().for_each(|(name, value)| request += &format!("{name}: {value}\r\n"));
        let mut stream = self.connect();
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).unwrap();
        Answer::read(stream)
    }

    pub(crate) fn offer(&self, body: &str) -> Answer {
        self.ask("POST", "/whep", &[("Content-Type", "application/sdp")], body)
    }

    pub(crate) fn trickle(&self, session: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = [&[("Content-Type", "application/trickle-ice-sdpfrag")], headers].concat();
        self.ask("PATCH", session, &headers, body)
    }

    pub(crate) fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.ask("GET", "/status", &[], "").body).expect("the status is JSON")
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.address, DEADLINE).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    /// Asks for the status until it says that there are `viewers`.
    pub(crate) fn wait_for_viewers(&self, viewers: usize) {
        let wanted = format!("\"viewers\":{viewers},");
        let clock = millstream_core::Clock::system();
        let until = clock.now() + DEADLINE;
        // Each request is a round trip through the server: there is nothing to sleep for.
        while clock.now() < until {
            if self.ask("GET", "/status", &[], "").body.contains(&wanted) {
                return;
            }
        }
        panic!("there are never {viewers} viewers: {}", self.ask("GET", "/status", &[], "").body);
    }

    /// The sinks, as a runner holds them.
    pub(crate) fn sinks(&mut self) -> Vec<(&'static str, AnySink)> {
        std::mem::take(&mut self.bundle.sinks)
    }
}

/// What was answered; header names in lower case.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn read(mut stream: TcpStream) -> Answer {
        let mut text = Vec::new();
        stream.read_to_end(&mut text).expect("the server answers and closes");
        let text = String::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Answer { status, headers, body: body.to_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }

    /// The path of the session that was opened at `/whep`: its `Location` is relative.
    pub(crate) fn session(&self) -> String {
        let name = self.header("location").strip_prefix("whep/").unwrap_or_else(|| panic!("no session: {self:?}"));
        format!("/whep/{name}")
    }

    /// The values of all headers called `name`.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect()
    }

    /// It is a problem with `status`, in words that hold `words`.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, words: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert!(self.body.contains("\"detail\":") && self.body.contains(words), "{self:?}");
    }
}
