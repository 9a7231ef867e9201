//! `millstream run` in a process of its own: what it says, and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millstream::core::{Clock, Timestamp};
use serde_json::Value;

/// How long to wait for what must come: far more than it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One test at a time: they share the machine's cores.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder for one test, gone afterwards.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("millstream-devices-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// A line that it said, and when.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) at: Timestamp,
}

/// `millstream run` on a pipeline; killed when dropped.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<Line>,
    pub(crate) said: Vec<Line>,
    statistics: Option<std::thread::JoinHandle<String>>,
    pub(crate) clock: Clock,
}

impl Program {
    /// Runs the pipeline `text` with `args`; `prepare` sets what else the command needs.
    pub(crate) fn start(folder: &Folder, text: &str, args: &[&str], prepare: impl FnOnce(&mut Command)) -> Program {
        let file = folder.path().join("pipeline.toml");
        std::fs::write(&file, text).expect("the pipeline can be written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
        command.arg("run").arg(file).arg("--statistics").args(args).current_dir(folder.path());
        // What people see who set nothing.
        command.env_remove("RUST_LOG");
        prepare(&mut command);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command is built");
        let clock = Clock::system();
        let (sender, lines) = channel();
        let stderr = child.stderr.take().expect("piped");
        let reading = clock.clone();
        std::thread::spawn(move || read(stderr, &sender, &reading));
        let mut stdout = child.stdout.take().expect("piped");
        let statistics = std::thread::spawn(move || {
            let mut text = String::new();
            let _whole = stdout.read_to_string(&mut text);
            text
        });
        Program { child, lines, said: Vec::new(), statistics: Some(statistics), clock }
    }

    /// Waits for a line with `words` in it, from here on.
    pub(crate) fn says(&mut self, words: &str) -> Line {
        let deadline = self.clock.now() + PATIENCE;
        loop {
            let left = deadline.since(self.clock.now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("it does not say `{words}`; it said {:#?}", self.said)
            };
            self.said.push(line.clone());
            if line.text.contains(words) {
                return line;
            }
        }
    }

    /// Lets it run for `time`.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let deadline = self.clock.now() + time;
        while let Ok(line) = self.lines.recv_timeout(deadline.since(self.clock.now())) {
            self.said.push(line);
        }
    }

    /// How many threads it has, and how many files are open in it.
    #[cfg(target_os = "linux")]
    pub(crate) fn holds(&self) -> (usize, usize) {
        let count = |what: &str| {
            let folder = format!("/proc/{}/{what}", self.child.id());
            std::fs::read_dir(folder).expect("it runs").count()
        };
        (count("task"), count("fd"))
    }

    /// The address of its page.
    pub(crate) fn address(&mut self) -> String {
        self.says("http").text.trim().to_owned()
    }

    /// Sends it Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let done = Command::new("kill").arg("-INT").arg(self.child.id().to_string()).status();
        assert!(done.is_ok_and(|status| status.success()), "it cannot be interrupted");
    }

    /// Waits until it ends: how, its statistics, and everything it said.
    pub(crate) fn ended(mut self) -> (ExitStatus, Value, Vec<Line>) {
        let deadline = self.clock.now() + PATIENCE;
        // Its log ends when it does.
        while let Ok(line) = self.lines.recv_timeout(deadline.since(self.clock.now())) {
            self.said.push(line);
        }
        let said = std::mem::take(&mut self.said);
        assert!(self.clock.now() < deadline, "it does not end; it said {said:#?}");
        let status = self.child.wait().expect("it was started here");
        let text = self.statistics.take().expect("taken once").join().expect("it is read to its end");
        let statistics = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") };
        (status, statistics, said)
    }

    /// Interrupts it, and waits until it has ended well.
    pub(crate) fn stop(self) -> (Value, Vec<Line>) {
        self.interrupt();
        let (status, statistics, said) = self.ended();
        assert!(status.success(), "{status}: {said:#?}");
        (statistics, said)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The figure `name` of the stage `stage`.
pub(crate) fn figure(statistics: &Value, stage: &str, name: &str) -> u64 {
    let stages = statistics["stages"].as_array().expect("a list of stages");
    let stage = stages.iter().find(|one| one["name"] == stage).unwrap_or_else(|| panic!("no {stage}"));
    stage.pointer(&format!("/{name}")).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {name}: {stage}"))
}

fn read(output: impl Read, sender: &Sender<Line>, clock: &Clock) {
    for text in BufReader::new(output).lines().map_while(Result::ok) {
        // Nobody may be listening any more; it is read on, so that the program never waits.
        let _sent = sender.send(Line { text, at: clock.now() });
    }
}
