//! An emulated network, between two stages or for sockets: rate, delay, jitter, loss, reordering, duplication, and changes of
//! all of them at given times.
//!
//! It knows the time of its [`Cx`](millstream_core::Cx) only, and its chances follow from a seed: in virtual
//! time the same items give the same network each time.

mod conditions;
mod counts;
mod link;
mod network;
mod path;

pub use conditions::Conditions;
pub use counts::Counts;
pub use link::EmulatedLink;
pub use network::EmulatedNetwork;
