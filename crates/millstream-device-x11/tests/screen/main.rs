//! `screen` with a real X server, Xvfb: what it shows, what it refuses, and what it survives.

#![cfg(target_os = "linux")]

mod faults;
mod painter;
mod pictures;
mod refused;
mod watcher;
