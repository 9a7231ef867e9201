//! The page over real TCP, with an engine that does what a test says.

mod client;
mod end;
mod fake;
mod html;
mod whep;
