//! What the camera is told to do, by the words in a file.

use std::sync::LazyLock;

/// Names the file.
const FILE: &str = "MILLSTREAM_FAKE_CAMERA";

/// What the camera is told to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) node: u32,
    pub(crate) unplugged: bool,
    pub(crate) stalled: bool,
    pub(crate) hanging: bool,
    pub(crate) busy: bool,
    pub(crate) unreadable: bool,
    pub(crate) odd: bool,
    pub(crate) absurd: bool,
    pub(crate) stuck: bool,
    pub(crate) padded: bool,
    pub(crate) errors: u32,
    pub(crate) damaged: u32,
    pub(crate) garbled: u32,
}

impl Told {
    /// What the file says now.
    pub(crate) fn read() -> Told {
        static NAME: LazyLock<Option<std::ffi::OsString>> = LazyLock::new(|| std::env::var_os(FILE));
        let text = NAME.as_ref().and_then(|name| std::fs::read_to_string(name).ok()).unwrap_or_default();
        let mut told = Told::default();
        for word in text.split_whitespace() {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let number = value.parse().unwrap_or(0);
            match key {
                "node" => told.node = number,
                "unplugged" => told.unplugged = true,
                "stalled" => told.stalled = true,
                "hanging" => told.hanging = true,
                "busy" => told.busy = true,
                "unreadable" => told.unreadable = true,
                "absurd" => told.absurd = true,
                "padded" => told.padded = true,
                "stuck" => told.stuck = true,
                "odd" => told.odd = true,
                "errors" => told.errors = number,
                "damaged" => told.damaged = number,
                "garbled" => told.garbled = number,
                // A word half written is whole the next time.
                _ => {}
            }
        }
        told
    }
}
