//! A program that is started, told lines, heard lines from, and watched: what it costs.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use serde_json::Value;

use super::{Result, at, ended};

/// A program that speaks JSON, one object a line. Dropping it ends it.
pub(crate) struct Process {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    lines: mpsc::Receiver<std::io::Result<String>>,
}

impl Process {
    /// Starts `command`, which errors call `name`.
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Process> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(at(format!("{name} cannot be started")))?;
        ended::note(child.id());
        let (input, output) = (child.stdin.take(), child.stdout.take().expect("it is piped"));
        // What it says is taken at once: a program that finds its pipe full would stand still in the midst of
        // what is measured. The thread ends with what it reads.
        let (line, lines) = mpsc::channel();
        thread::spawn(move || BufReader::new(output).lines().try_for_each(|read| line.send(read)));
        Ok(Process { name: name.into(), child, input, lines })
    }

    /// Tells it a line.
    pub(crate) fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().expect("it is there until the end");
        writeln!(input, "{line}").map_err(at(format!("{} does not listen", self.name)))
    }

    /// The next line it says.
    pub(crate) fn hear(&mut self) -> Result<Value> {
        let name = &self.name;
        let line = self.lines.recv().map_err(|_| format!("{name} has ended; what it said stands above"))?;
        let line = line.map_err(at(name))?;
        serde_json::from_str(&line).map_err(at(format!("{name} said `{line}`")))
    }

    /// What it says to a line, under `key`.
    pub(crate) fn ask(&mut self, line: &str, key: &str) -> Result<u64> {
        self.tell(line)?;
        let said = self.hear()?;
        said[key].as_u64().ok_or_else(|| format!("{} said {said} to `{line}`, without {key}", self.name))
    }

    /// The processor time of each of its threads since it was started.
    pub(crate) fn used(&self) -> Result<Used> {
        let folder = format!("/proc/{}/task", self.child.id());
        let threads = fs::read_dir(&folder).map_err(at(format!("{folder} (is this Linux?)")))?;
        let mut used = BTreeMap::new();
        for thread in threads.flatten() {
            // A thread may end while this looks.
            let read = |file| fs::read_to_string(thread.path().join(file));
            let (Ok(name), Ok(time)) = (read("comm"), read("schedstat")) else { continue };
            let nanos = time.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0);
            used.insert(thread.file_name().into_string().unwrap_or_default(), (name.trim().to_owned(), nanos));
        }
        Ok(Used(used))
    }

    /// Its resident memory in KiB.
    pub(crate) fn memory(&self) -> Result<u64> {
        let file = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&file).map_err(at(&file))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let size = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        size.ok_or_else(|| format!("{file} has no VmRSS"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whoever reads its input ends by itself; the others have nothing to put away.
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
        ended::forget(self.child.id());
    }
}

/// Processor time by thread, in nanoseconds.
pub(crate) struct Used(BTreeMap<String, (String, u64)>);

impl Used {
    /// What was used from `before` until this, in seconds, by threads whose name begins with `name`.
    pub(crate) fn since(&self, before: &Used, name: &str) -> f64 {
        let used = self.0.iter().filter(|(_, (thread, _))| thread.starts_with(name)).map(|(id, (_, nanos))| {
            let before = before.0.get(id).map_or(0, |(_, nanos)| *nanos);
            nanos.saturating_sub(before)
        });
        used.sum::<u64>() as f64 / 1e9
    }
}
