//! A network between two stages, emulated: rate, delay, jitter, loss, reordering, duplication, and changes of
//! all of them at given times.
//!
//! It knows the time of its [`Cx`](millstream_core::Cx) only, and its chances follow from a seed: in virtual
//! time the same items give the same network each time.

mod conditions;
mod counts;
mod link;

pub use conditions::Conditions;
pub use counts::Counts;
pub use link::EmulatedLink;
