//! What any HTTP signalling here stands on: a server with bounds, TLS, who may watch, and answers that explain
//! themselves. It knows nothing of pages or WHEP.

pub(crate) mod access;
mod connections;
pub(crate) mod problem;
pub(crate) mod server;
pub(crate) mod tls;
