//! The client API over engines without a network.

mod audience;
mod conformance;
mod fixture;
mod peer;
mod sender;
