//! A sound server of a test's own: PulseAudio with a virtual microphone and a virtual speaker, without hardware,
//! D-Bus or a user's session.
//!
//! Which server a program talks to stands in its environment, which a test cannot change while other tests run. So a
//! test runs its body in a process of its own:
//! ```no_run
//! # use millstream_testkit::sound;
//! # use std::time::Duration;
//! // #[test]
//! fn what_is_said_is_heard() {
//!     sound::with_server(|mut server| {
//!         server.say(440.0);
//!         // …a pipeline takes it from the source `mic` and plays it on the sink `spk`…
//!         let heard = server.hear(Duration::from_secs(1));
//!     });
//! }
//! ```
//! | name | what it is |
//! |---|---|
//! | `mic` | the default source, "TestMic": what is said into `micfeed` |
//! | `spk` | the default sink, "TestSpeaker", whose monitor is heard |
//!
//! ALSA's device `default` leads to the same server, where its plug-in is installed.

mod recording;
mod server;
mod voice;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

pub use recording::Recording;
pub use server::Server;

static TURN: Mutex<()> = Mutex::new(());
/// The folder of the server, set in the process that a test's body runs in.
const FOLDER: &str = "MILLSTREAM_SOUND";
/// What is run.
const NEEDED: [&str; 4] = ["pulseaudio", "pactl", "parec", "paplay"];

/// Runs `test` with a sound server of its own, in a process of its own; skips it where there is no PulseAudio.
///
/// # Panics
/// If `test` panics, there. Also if it is not the body of the test that calls, written as a closure in it: the process
/// runs that test again, and finds it by the closure's name.
pub fn with_server<F: FnOnce(Server)>(test: F) {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return test(Server::start(Path::new(&folder)));
    }
    if let Some(missing) = NEEDED.iter().find(|program| !is_there(program)) {
        return crate::skipped(missing);
    }
    // Sound is in time or it is nothing: one such test at a time.
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let name = name_of::<F>();
    let folder = Folder::new();
    let output = Command::new(std::env::current_exe().expect("a test knows its own binary"))
        .args(["--exact", &name, "--nocapture"])
        .envs(folder.environment())
        .output()
        .expect("a test's own binary runs");
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{name} failed in its own process:\n{said}");
    assert!(said.contains("1 passed"), "there is no test `{name}`:\n{said}");
}

/// The test that the closure `F` is written in, as the harness calls it: its path without the crate.
fn name_of<F>() -> String {
    let path = std::any::type_name::<F>();
    let path = path.split("::{{closure}}").next().unwrap_or(path);
    path.split_once("::").map_or(path, |(_, path)| path).to_owned()
}

fn is_there(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).exists())
}

/// A folder for a server's socket, state and log; gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        // Two tests of one process have two folders; the path of a socket has to be short.
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("millstream-sound-{}-{number}", std::process::id()));
        for part in ["pulse", "state", "config"] {
            std::fs::create_dir_all(path.join(part)).expect("a temporary folder can be made");
        }
        let alsa = "pcm.default { type pulse hint { show on description \"pulse\" } }\nctl.default { type pulse }\n";
        std::fs::write(path.join("asound.conf"), alsa).expect("a temporary file can be written");
        Folder(path)
    }

    /// What makes a program talk to the server in this folder.
    fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let part = |name: &str| self.0.join(name);
        vec![
            (FOLDER, self.0.clone()),
            ("XDG_RUNTIME_DIR", self.0.clone()),
            ("XDG_CONFIG_HOME", part("config")),
            ("PULSE_RUNTIME_PATH", part("pulse")),
            ("PULSE_STATE_PATH", part("state")),
            ("PULSE_COOKIE", part("cookie")),
            ("PULSE_SERVER", PathBuf::from(format!("unix:{}", part("native").display()))),
            ("ALSA_CONFIG_PATH", part("asound.conf")),
        ]
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
