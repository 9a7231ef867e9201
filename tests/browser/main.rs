//! Real pipelines played by a real browser: Debian's Chromium, headless, against 127.0.0.1.
//!
//! The browser tests share the machine's cores, so they run one after the other.

mod chromium;
mod clip;
mod demo;
mod page;
mod proxy;
mod server;
mod viewers;
