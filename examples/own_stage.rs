//! The `millstream` command with a stage type of one's own: `run`, `check`, `stages` and the rest know it.
//!
//! `cargo run --example own_stage -- stages every-nth` explains it; `-- run FILE` runs a file that uses it.

use std::num::NonZeroU32;
use std::process::ExitCode;

use millstream::core::descriptor::Gives;
use millstream::core::{Accepts, Descriptor, Format, Out, Result, Stage, VideoFrame, Worker};
use schemars::JsonSchema;
use serde::Deserialize;

/// The keys that people write, with what `stages` says of each.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Passes on one picture in so many.
    n: NonZeroU32,
}

struct EveryNth {
    n: NonZeroU32,
    came: u32,
}

impl EveryNth {
    fn new(options: Options) -> EveryNth {
        EveryNth { n: options.n, came: 0 }
    }
}

impl Stage<VideoFrame, VideoFrame> for EveryNth {
    fn process(&mut self, frame: VideoFrame, out: &mut Out<VideoFrame>) -> Result<()> {
        if self.came.is_multiple_of(self.n.get()) {
            out.push(frame);
        }
        self.came = self.came.wrapping_add(1);
        Ok(())
    }
}

fn descriptor() -> Descriptor {
    let video = Accepts::Only(Format::Video);
    Descriptor::stage("every-nth", "Passes on one picture in so many", video, Gives::AsInput)
        .light()
        .build(|options: Options, _| Ok(Worker::stage(EveryNth::new(options))))
}

fn main() -> ExitCode {
    let mut registry = millstream::registry();
    registry.add(descriptor());
    millstream::cli::main(registry)
}
