//! The page over real TCP, with an engine that does what a test says.

mod access;
mod client;
mod crowd;
mod end;
mod html;
mod proxy;
mod restart;
mod samples;
mod status;
mod tls;
mod whep;
