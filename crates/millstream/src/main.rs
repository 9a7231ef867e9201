//! The `millstream` command, with every stage type that was built in.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    millstream::cli::main(millstream::registry())
}
