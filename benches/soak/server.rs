//! The program under test, as a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

const PIPELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines/demo.toml");

/// A running demo. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// What the kernel says about a process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Memory in RAM, in KiB.
    pub(crate) rss: u64,
    pub(crate) threads: u64,
    /// Open descriptors: sockets, and a few files.
    pub(crate) descriptors: u64,
    /// Processor time so far, in hundredths of a second.
    pub(crate) ticks: u64,
}

impl Server {
    pub(crate) fn start() -> Result<Server, String> {
        let failed = |error| format!("the program does not start: {error}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_millstream"))
            .args(["run", PIPELINE, "--statistics"])
            .args(["--set", "page.bind=127.0.0.1:0", "--set", "video.width=640", "--set", "video.height=360"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for us; it is told when we are done.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let mut words = BufReader::new(child.stderr.take().ok_or("the program has no voice")?);
        let mut line = String::new();
        let address = loop {
            line.clear();
            if words.read_line(&mut line).map_err(failed)? == 0 {
                return Err("the program ended before it said where it is".to_owned());
            }
            if let Some(rest) = line.trim().strip_prefix("http://") {
                break rest.trim_end_matches('/').parse().map_err(|error| format!("{rest}: {error}"))?;
            }
        };
        // Its words would fill the pipe in the end; whoever soaks wants to read them.
        std::thread::spawn(move || {
            words.lines().map_while(Result::ok).for_each(|line| eprintln!("millstream: {line}"))
        });
        Ok(Server { child, address })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as Ctrl-C does, and gives its statistics, in JSON.
    pub(crate) fn stop(mut self) -> Result<serde_json::Value, String> {
        let failed = |error: std::io::Error| format!("the program does not stop: {error}");
        Command::new("kill").args(["-INT", &self.pid().to_string()]).status().map_err(failed)?;
        let mut json = String::new();
        self.child.stdout.take().ok_or("there is no output")?.read_to_string(&mut json).map_err(failed)?;
        let status = self.child.wait().map_err(failed)?;
        if !status.success() {
            return Err(format!("the program ended with {status}"));
        }
        serde_json::from_str(&json).map_err(|error| format!("its statistics are no JSON: {error}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the kernel says about the process `pid`.
pub(crate) fn usage(pid: u32) -> Result<Usage, String> {
    let gone = |error| format!("the program is gone: {error}");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(gone)?;
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    let times = std::fs::read_to_string(format!("/proc/{pid}/stat")).map_err(gone)?;
    // The name in brackets may hold spaces; user and system time are the 14th and 15th fields.
    let fields: Vec<u64> = times
        .rsplit_once(')')
        .map_or("", |(_, rest)| rest)
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    Ok(Usage {
        rss: value("VmRSS:"),
        threads: value("Threads:"),
        descriptors: std::fs::read_dir(format!("/proc/{pid}/fd")).map_err(gone)?.count() as u64,
        ticks: fields.get(11).zip(fields.get(12)).map_or(0, |(user, system)| user + system),
    })
}
