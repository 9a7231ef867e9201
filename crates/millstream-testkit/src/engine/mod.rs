//! Engines for tests of whatever stands on the client API.
//!
//! - [`FakeEngine`] has no network: it answers at once, keeps what it gets, and connects when a test says so.
//! - [`SansIoEngine`] does no I/O by itself: it connects to another of its kind over a network that it is given,
//!   in virtual time if a stepped pipeline runs its drivers. There is no encryption and no ICE worth the name.
//!
//! Both negotiate as an engine has to: they pass [`conformance::engine`](crate::conformance::engine).

mod exchange;
mod fake;
mod sans_io;
pub(crate) mod written;

pub use fake::FakeEngine;
pub use sans_io::{Arrived, SansIoEngine};
