//! Whole pipelines without a browser: declared ones, wrong ones, and the same bytes from both runners.

mod bad_input;
mod declared;
mod examples;
mod same_bytes;
