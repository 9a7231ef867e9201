//! Being written.
#![allow(missing_docs)]
pub mod policy;
pub use policy::{Link, Policy};
