//! libvpx behind a safe face: the only module with `unsafe` in it.

#![allow(unsafe_code)]

mod context;
mod library;
mod sys;

pub(crate) use context::{Context, Settings};
pub(crate) use library::Library;
