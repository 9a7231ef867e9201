//! Whole pipelines without a browser: declared ones, wrong ones, and the same bytes from both runners; and
//! that the tables of the documentation are what was measured.

mod bad_input;
mod declared;
mod examples;
mod files;
mod same_bytes;
mod tables;
