//! The camera that tests use: how a program is started with it, and what it is told to do.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::skipped;

/// What the camera shows behind everything, from the left: colour bars at 75 % (luma, Cb, Cr of BT.601 at
/// limited range, ITU-R BT.471 and BT.601-7).
pub const BARS: [[u8; 3]; 8] = [
    [180, 128, 128],
    [162, 44, 142],
    [131, 156, 44],
    [112, 72, 58],
    [84, 184, 198],
    [65, 100, 212],
    [35, 212, 114],
    [16, 128, 128],
];

/// A camera without hardware for one program: `examples/fake_camera`, preloaded. Its first lines list what
/// it can be told.
#[derive(Debug)]
pub struct FakeCamera {
    library: PathBuf,
    file: PathBuf,
}

impl FakeCamera {
    /// A camera that is plugged in and works; nothing, and the test is said to be skipped, where it was not
    /// built. It is told in a file in `folder`.
    pub fn new(folder: &Path) -> Option<FakeCamera> {
        let tests = std::env::current_exe().ok()?;
        // Tests lie in target/PROFILE/deps, examples in target/PROFILE/examples.
        let library = tests.parent()?.parent()?.join("examples/libfake_camera.so");
        if !library.exists() {
            skipped("the fake camera (cargo build -p millstream-testkit --example fake_camera)");
            return None;
        }
        let camera = FakeCamera { library, file: folder.join("fake-camera") };
        camera.tell("plugged");
        Some(camera)
    }

    /// Lets `command` see the camera. It must be the program itself and no shell.
    pub fn show<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let mut preload = self.library.clone().into_os_string();
        if let Some(others) = std::env::var_os("LD_PRELOAD") {
            preload = [preload, OsString::from(":"), others].into_iter().collect();
        }
        command.env("LD_PRELOAD", preload).env("MILLSTREAM_FAKE_CAMERA", &self.file)
    }

    /// Tells it to do what `words` say, and nothing that it was told before.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn tell(&self, words: &str) {
        // Written beside and moved there, so that nobody reads half of it.
        let fresh = self.file.with_extension("new");
        std::fs::write(&fresh, words)
            .and_then(|()| std::fs::rename(&fresh, &self.file))
            .expect("a file for the camera");
    }

    /// Pulls it out.
    pub fn unplug(&self) {
        self.tell("unplugged");
    }

    /// Plugs it in again.
    pub fn replug(&self) {
        self.tell("plugged");
    }

    /// Lets it give nothing any more, without an error.
    pub fn stall(&self) {
        self.tell("stalled");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.tell("plugged");
    }

    /// Lets the next `count` pictures that are fetched be errors.
    pub fn errors(&self, count: u32) {
        self.tell(&format!("errors={count}"));
    }

    /// Lets another program take it.
    pub fn busy(&self) {
        self.tell("busy");
    }
}
