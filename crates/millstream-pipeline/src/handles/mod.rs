//! The program's own code at either end of a pipeline: bounded handles through which its threads and
//! tasks push items in and pull items out.
//!
//! A voice agent, a robot and a GUI live here. What fits into a call that returns at once needs no
//! handle: a closure is a source, a stage or a sink already.
//!
//! | | a thread | a task |
//! |---|---|---|
//! | [`Push`] | [`send`](Push::send), [`try_send`](Push::try_send) | [`send_async`](Push::send_async), `futures_sink::Sink` |
//! | [`Pull`] | [`recv`](Pull::recv), [`recv_timeout`](Pull::recv_timeout), [`try_recv`](Pull::try_recv) | [`recv_async`](Pull::recv_async), `futures_core::Stream` |
//!
//! Both [`push`] and [`pull`] return what stands in the pipeline first, and the handle second. Neither needs a runtime. Capture times are on the pipeline's clock: clone
//! [`Pipeline::clock`](crate::Pipeline::clock) before the pipeline starts, and ask it for the time.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use millstream_core::{AudioFrame, Out, Timestamp};
//! use millstream_pipeline::{Pipeline, handles};
//!
//! let four = NonZeroUsize::new(4).expect("four is not zero");
//! let (source, push) = handles::push::<AudioFrame>(four);
//! let (sink, pull) = handles::pull::<AudioFrame>(four);
//!
//! let mut pipeline = Pipeline::new("louder");
//! let spoken = pipeline.source("spoken", source);
//! let louder = pipeline.stage("louder", &spoken, |mut block: AudioFrame, out: &mut Out<AudioFrame>| {
//!     block.samples = block.samples.iter().map(|sample| sample * 2.0).collect::<Vec<_>>().into();
//!     out.push(block);
//!     Ok(())
//! });
//! pipeline.sink("heard", &louder, sink);
//! let running = pipeline.spawn()?;
//!
//! let block = |time| AudioFrame::new(48_000, 1, time, vec![0.25; 480]);
//! let own_thread = std::thread::spawn(move || {
//!     for number in 0..10 {
//!         // Waits while four are on their way; an error says that the pipeline has ended.
//!         push.send(block(Timestamp::from_millis(10 * number)))?;
//!     }
//!     Ok::<(), handles::Closed<AudioFrame>>(())
//! });
//! let mut heard = 0;
//! while let Some(block) = pull.recv() {
//!     assert_eq!(block.samples[0], 0.5);
//!     heard += 1;
//! }
//! own_thread.join().expect("it does not panic")?;
//! running.wait()?;
//! assert_eq!(heard, 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In virtual time what is pushed before a step is there in that step, every time. What an own
//! thread pushes while another steps arrives when it arrives: such a run is not repeatable.

mod pull;
mod push;
mod refused;
mod wakers;

pub use pull::{Pull, pull, pull_latest};
pub use push::{Push, push};
pub use refused::{Closed, TryRecv, TrySend};
