//! The command: what people type, and the exit codes that scripts read.
//!
//! A program with stage types of its own has the whole command with them:
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     let mut registry = millstream::registry();
//!     // registry.add(…) for each stage type; see examples/own_stage.rs.
//!     millstream::cli::main(registry)
//! }
//! ```

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::core::Registry;
use crate::pipeline::declare::{Diagnostics, Override};

mod check;
mod devices;
mod run;
mod stages;
mod status;
mod terminal;

const EXAMPLES: &str = "\
Examples:
  millstream run pipelines/demo.toml              play the test picture and sound in a browser
  millstream run FILE --set vp8.bitrate=800kbit/s change an option without editing the file
  millstream check FILE                           say everything that is wrong, start nothing
  millstream stages                               list what a pipeline can be made of
  millstream stages vp8-encoder                   explain one stage type and its options
  millstream devices                              list cameras, microphones, speakers and screens

Exit codes:
  0   done, or stopped by Ctrl-C
  1   a stage failed: while it was built (a port in use, a missing library), or while running;
      or there is no such device
  2   the command line is wrong
  66  the file cannot be read
  78  the file, or what is set, is not a good pipeline; the diagnostics say why
  130 left at once by a second Ctrl-C

The log goes to standard error; RUST_LOG chooses what it says (default: warn).";

/// Runs the command that the program's arguments name, with the stage types of `registry`. It sets up the log and
/// handles Ctrl-C, so it is all that a `main` does.
///
/// Returns the exit code for scripts: 0 when all went well, 1 when a stage failed, 2 for a wrong command line, 66 for a
/// file that cannot be read, 78 for one that is no good pipeline.
pub fn main(registry: Registry) -> ExitCode {
    Command::parse().execute(registry)
}

/// Runs media pipelines that are declared in TOML.
#[derive(Parser)]
#[command(name = "millstream", version, after_help = EXAMPLES, max_term_width = 100)]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a pipeline until it ends, or until Ctrl-C
    Run(run::Options),
    /// Say everything that is wrong with a pipeline, without starting anything
    Check(Declared),
    /// List the stage types, or explain one
    Stages(stages::Options),
    /// List the devices there are, and say which one a stage would take
    Devices(devices::Options),
}

/// A declared pipeline on the command line.
#[derive(Args)]
struct Declared {
    /// The pipeline, a TOML file
    file: PathBuf,
    /// Set an option of a stage; the value is read as TOML, or else taken as text. May be repeated
    #[arg(long, value_name = "STAGE.KEY=VALUE")]
    set: Vec<String>,
}

/// Why a verb ended badly.
enum Failure {
    /// The file cannot be read.
    Unreadable(String),
    /// The file or a `--set` is wrong.
    Declared(Diagnostics),
    /// What is set is wrong, and no pipeline is there to show where.
    Set(String),
    /// A stage failed.
    Failed(crate::core::Error),
}

impl Command {
    fn execute(self, registry: Registry) -> ExitCode {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
            // The engine's crates warn of much that does not matter to anybody (their own bugs aside);
            // an error of a stage is printed when it happens, since others may go on, and at the end again.
            EnvFilter::new("warn,rtc=off,webrtc=off,rtc_ice=off,rtc_dtls=off,rtc_mdns=off,millstream_pipeline=error")
        });
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(terminal::log);
        log.with_ansi(terminal::error_is_coloured()).with_target(false).init();
        let done = match self.verb {
            Verb::Run(options) => run::run(&options, &registry),
            Verb::Check(declared) => check::check(&declared, &registry),
            Verb::Stages(options) => stages::stages(&options, &registry),
            Verb::Devices(options) => devices::devices(&options, registry),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failure::Unreadable(words)) => {
                terminal::say_error(&format!("error: {words}"));
                ExitCode::from(66)
            }
            Err(Failure::Declared(diagnostics)) => {
                terminal::say_error(diagnostics.render(terminal::error_is_coloured()).trim_end());
                ExitCode::from(78)
            }
            Err(Failure::Set(words)) => {
                terminal::say_error(&format!("error: {words}"));
                ExitCode::from(78)
            }
            Err(Failure::Failed(error)) => {
                terminal::say_error(&format!("error: {error}"));
                ExitCode::from(1)
            }
        }
    }
}

impl Declared {
    /// The text of the file, what diagnostics call it, and what is set.
    fn read(&self) -> Result<(String, String, Vec<Override>), Failure> {
        let overrides = self.set.iter().map(|set| Override::parse(set)).collect::<Result<Vec<_>, _>>();
        let overrides = overrides.map_err(Failure::Declared)?;
        Ok((text(&self.file)?, self.file.display().to_string(), overrides))
    }
}

/// The longest file that is read: thousands of stages fit, and a video given by mistake does not.
const LONGEST: u64 = 1 << 20;

fn text(path: &Path) -> Result<String, Failure> {
    let unreadable = |why: String| Failure::Unreadable(format!("{}: {why}", path.display()));
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut bytes = Vec::new();
    // A device or a pipe does not say how long it is.
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > LONGEST {
        return Err(unreadable("it is longer than 1 MiB, too long for a pipeline; is it the right file?".to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| unreadable("it is not text in UTF-8; is it the right file?".to_owned()))
}
