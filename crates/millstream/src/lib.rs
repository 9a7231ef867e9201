//! Live media in Rust: sources, encoders, packetizers and sinks, joined by bounded links, declared in
//! TOML or built in typed Rust.
//!
//! This crate is the door to the others: it re-exports them and knows, by [`registry`], every stage
//! type that was built in. The `millstream` command stands on it.
//!
//! ```
//! use millstream::Pipeline;
//! use millstream::core::Utc;
//! use millstream::stages::{null, test_video};
//!
//! let mut pipeline = Pipeline::in_virtual_time("first", Utc::default());
//! let picture = pipeline.source("picture", test_video::TestVideo::new(test_video::Options::default())?);
//! pipeline.inline_sink("nowhere", &picture, null::Null);
//! let mut stepped = pipeline.step()?;
//! stepped.run_for(std::time::Duration::from_secs(1))?;
//! assert_eq!(stepped.statistics().stage("picture").unwrap().items_out, 31);
//! # Ok::<(), millstream::core::Error>(())
//! ```

#![forbid(unsafe_code)]

pub mod cli;
mod registry;

pub use millstream_core as core;
pub use millstream_pipeline as pipeline;
pub use millstream_pipeline::{Event, Events, Link, OnFailure, Output, Pipeline, Policy, Running, Stopper};
pub use millstream_rtp as rtp;
pub use millstream_stages as stages;
pub use millstream_webrtc as webrtc;
#[allow(unused_imports, unreachable_pub, reason = "there may be no codec built in")]
pub use registry::codecs::*;
#[allow(unused_imports, unreachable_pub, reason = "there may be no device built in")]
pub use registry::devices::*;
pub use registry::{LoadError, build, load, load_with, registry};

#[cfg(feature = "webrtc-rs")]
pub use millstream_signaling as signaling;
#[cfg(feature = "webrtc-rs")]
pub use millstream_webrtc_rs as webrtc_rs;

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
