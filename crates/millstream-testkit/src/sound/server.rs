//! The server, what it is made of, and what can go wrong with it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::recording::Recording;
use super::voice::Voice;

/// The server's modules: a speaker, a microphone, and what is said into it.
const MODULES: [&str; 3] = [
    "module-null-sink sink_name=spk rate=48000 channels=2 sink_properties=device.description=TestSpeaker",
    "module-null-sink sink_name=micfeed rate=48000 channels=2 sink_properties=device.description=MicFeed",
    MICROPHONE,
];
const MICROPHONE: &str =
    "module-remap-source source_name=mic master=micfeed.monitor source_properties=device.description=TestMic";
/// How often the server is asked whether it is there, until it is.
const PATIENCE: u32 = 400;

/// A sound server. It, and all that it plays and records, ends when it is dropped.
pub struct Server {
    folder: PathBuf,
    server: Child,
    /// Somebody who listens to each sink: without, a null sink sleeps for up to 2 s at a time.
    listeners: Vec<Recording>,
    voices: Vec<Voice>,
}

impl Server {
    pub(super) fn start(folder: &Path) -> Server {
        let mut server =
            Server { folder: folder.to_owned(), server: run(folder), listeners: Vec::new(), voices: Vec::new() };
        server.settle();
        server
    }

    /// Says a sine of `hz` into the microphone from now on, at half of the loudest.
    pub fn say(&mut self, hz: f64) {
        self.say_into("micfeed", hz);
    }

    /// Plays a sine of `hz` on `sink` from now on, at half of the loudest.
    pub fn say_into(&mut self, sink: &str, hz: f64) {
        self.voices.push(Voice::start(sink, hz));
    }

    /// Nobody says anything any more.
    pub fn hush(&mut self) {
        self.voices.clear();
    }

    /// What the speaker plays in the next `span`: one channel at 48 kHz, less if the server dies.
    pub fn hear(&self, span: Duration) -> Vec<f32> {
        self.record("spk.monitor").take(span)
    }

    /// Records `source` from now on: one channel at 48 kHz.
    pub fn record(&self, source: &str) -> Recording {
        Recording::start(source)
    }

    /// Kills the server, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        self.voices.clear();
        self.listeners.clear();
    }

    /// Starts a server like the one that was killed, in its place.
    pub fn restart(&mut self) {
        self.kill();
        self.server = run(&self.folder);
        self.settle();
    }

    /// Stops the server where it stands, as a bug in it would: it takes connections, and answers nobody.
    pub fn hang(&self) {
        self.signal("-STOP");
    }

    /// The server goes on where it hung.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    /// Takes the microphone away. The server moves those that record it to another source.
    pub fn unplug_microphone(&self) {
        self.control(&["unload-module", "module-remap-source"]);
    }

    /// The microphone is there again, and the default.
    pub fn plug_microphone(&self) {
        self.load(MICROPHONE);
        self.control(&["set-default-source", "mic"]);
    }

    /// Loads a module, as `module-null-sink sink_name=spk2`; its number, to unload it by.
    pub fn load(&self, module: &str) -> u32 {
        let mut arguments = vec!["load-module"];
        arguments.extend(module.split_whitespace());
        self.control(&arguments).trim().parse().expect("the server says the number of a module")
    }

    /// Unloads a module.
    pub fn unload(&self, module: u32) {
        self.control(&["unload-module", &module.to_string()]);
    }

    /// What `pactl` says to `arguments`.
    ///
    /// # Panics
    /// If it fails.
    pub fn control(&self, arguments: &[&str]) -> String {
        let output = Command::new("pactl").args(arguments).output().expect("pactl runs");
        assert!(output.status.success(), "pactl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// How often the server had nothing to play in time since it was started, as it says itself: of all that plays but
    /// what is [said](Server::say).
    pub fn underruns(&self) -> usize {
        let log = std::fs::read(self.folder.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        log.lines().filter(|line| line.contains("underrun of '") && !line.ends_with("'paplay'")).count()
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.server.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the server cannot be sent {signal}");
    }

    /// Waits until the server answers, and has somebody listen to its sinks.
    fn settle(&mut self) {
        let answers = (0..PATIENCE).any(|_| {
            let asked = Command::new("pactl").arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status();
            asked.is_ok_and(|status| status.success()) || {
                std::thread::park_timeout(Duration::from_millis(25));
                false
            }
        });
        let log = || std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        assert!(answers, "the sound server does not answer; its log:\n{}", log());
        self.listeners = ["spk.monitor", "micfeed.monitor"].map(Recording::forgetful).into();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(folder: &Path) -> Child {
    let socket = folder.join("native");
    let _ = std::fs::remove_file(&socket);
    let mut script = format!("load-module module-native-protocol-unix socket={} auth-anonymous=1\n", socket.display());
    MODULES.iter().for_each(|module| script.push_str(&format!("load-module {module}\n")));
    script.push_str("set-default-sink spk\nset-default-source mic\n");
    let file = folder.join("test.pa");
    std::fs::write(&file, script).expect("a temporary file can be written");
    Command::new("pulseaudio")
        .arg("-n")
        .arg("-F")
        .arg(file)
        .args(["--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes", "--realtime=yes"])
        .args(["--high-priority=yes", "--log-level=debug"])
        .arg(format!("--log-target=file:{}", folder.join("log").display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("pulseaudio runs")
}
