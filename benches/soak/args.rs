//! What can be said on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use millstream::core::units::Span;

/// Runs the demo at 640x360 in a process of its own, with viewers that come and go, one that is
/// slow, some that vanish, and one that floods it, and reports what that cost.
#[derive(Parser)]
#[command(name = "soak")]
pub(crate) struct Args {
    /// How long, such as "10min" or "1h"
    #[arg(long = "for", default_value = "1h", value_name = "DURATION")]
    length: Span,
    /// From what the chance of coming and going follows
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where the report goes: NAME.md and NAME.csv
    #[arg(long, default_value = "docs/measurements/soak", value_name = "NAME")]
    out: PathBuf,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

impl Args {
    pub(crate) fn duration(&self) -> Duration {
        self.length.duration()
    }

    pub(crate) fn length(&self) -> String {
        self.length.to_string()
    }

    pub(crate) fn report(&self) -> PathBuf {
        self.root().with_extension("md")
    }

    pub(crate) fn rows(&self) -> PathBuf {
        self.root().with_extension("csv")
    }

    /// Cargo runs benchmarks in the package's folder, wherever it was called.
    fn root(&self) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(&self.out)
    }
}
