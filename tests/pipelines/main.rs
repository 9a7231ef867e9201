//! Whole pipelines without a browser: declared ones, wrong ones, and the same bytes from both runners; and
//! that the tables of the documentation are what was measured.

mod bad_input;
mod codecs;
mod declared;
mod examples;
mod files;
#[cfg(target_os = "linux")]
mod full_disk;
mod learnt;
mod same_bytes;
mod tables;
