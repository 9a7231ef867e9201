//! The `millstream` command: runs, checks and explains declared pipelines.

#![forbid(unsafe_code)]

mod command;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    command::Command::parse().execute()
}
