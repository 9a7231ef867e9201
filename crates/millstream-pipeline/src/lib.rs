//! Joins Millstream stages by bounded links and runs them: from typed Rust, or from TOML.
//!
//! A [`Pipeline`] is built from stages that implement the traits of `millstream-core`. It runs on
//! threads, in real time ([`Pipeline::spawn`]), or on one thread in virtual time
//! ([`Pipeline::step`]), where the same pipeline gives the same bytes every time.
//!
//! ```
//! use millstream_core::{Cx, Next, Out, Result, AudioFrame, Timestamp, Utc};
//! use millstream_pipeline::Pipeline;
//!
//! let mut pipeline = Pipeline::in_virtual_time("doubled", Utc::default());
//! let mut given = 0;
//! let silence = pipeline.source("silence", move |_: &mut Cx| -> Result<Next<AudioFrame>> {
//!     given += 1;
//!     if given > 3 {
//!         return Ok(Next::End);
//!     }
//!     Ok(Next::Item(AudioFrame::new(48_000, 1, Timestamp::ZERO, vec![0.0; 480])))
//! });
//! let twice = pipeline.inline("twice", &silence, |block: AudioFrame, out: &mut Out<AudioFrame>| {
//!     out.push(block.clone());
//!     out.push(block);
//!     Ok(())
//! });
//! pipeline.inline_sink("nowhere", &twice, |_: AudioFrame, _: &mut Cx| Ok(()));
//! let mut stepped = pipeline.step()?;
//! stepped.run_to_end()?;
//! assert_eq!(stepped.statistics().stage("nowhere").unwrap().items_in, 6);
//! # Ok::<(), millstream_core::Error>(())
//! ```
//!
//! What an output gives is part of its type. An input that takes something else does not compile:
//! ```compile_fail
//! # use millstream_core::*;
//! # use millstream_pipeline::Pipeline;
//! let mut pipeline = Pipeline::new("wrong");
//! let sound = pipeline.source("sound", |_: &mut Cx| -> Result<Next<AudioFrame>> { Ok(Next::End) });
//! pipeline.sink("screen", &sound, |_: VideoFrame, _: &mut Cx| Ok(()));
//! ```

#![forbid(unsafe_code)]

pub mod declare;
mod ended;
mod events;
mod faults;
mod gap;
pub mod handles;
mod link;
mod many;
mod node;
mod outputs;
mod part;
mod part_state;
mod pipeline;
mod planned;
mod policy;
mod retry;
mod running;
mod schedule;
mod shared;
mod source;
mod standing;
mod stats;
mod stepped;
mod supervisor;
mod task;
mod task_waker;

pub use ended::Ended;
pub use events::{Event, Events, PartId};
pub use faults::OnFailure;
pub use many::Inputs;
pub use part::Part;
pub use pipeline::{Join, Output, Pipeline, SinkEnd, default_link};
pub use policy::{Link, Policy};
pub use running::{Running, Stopper};
pub use stats::{Latency, LinkStatistics, StageStatistics, Statistics};
pub use stepped::Stepped;
