//! `millstream run`: loads, says what was chosen and where to look, and runs until the end or Ctrl-C.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::core::units::Span;
use crate::core::{Clock, Registry, Timestamp};
use crate::pipeline::declare;
use crate::{Pipeline, Running, Stopper};
use clap::Args;

use super::status::{self, Status};
use super::{Declared, Failure, terminal};

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    declared: Declared,
    /// Stop by itself after this long, such as "30 s"
    #[arg(long = "for", value_name = "DURATION")]
    limit: Option<Span>,
    /// At the end, print the statistics of every stage and link as JSON on standard output, and
    /// nothing else there: the address then goes to standard error
    #[arg(long)]
    statistics: bool,
}

/// How often the status line is drawn anew.
const REFRESH: Duration = Duration::from_millis(500);

pub(super) fn run(options: &Options, registry: &Registry) -> Result<(), Failure> {
    let (text, file, overrides) = options.declared.read()?;
    let interrupt = Interrupt::listen();
    let plan = declare::read(&text, &file, &overrides, registry).map_err(Failure::Declared)?;
    let writer = plan.writes_to_standard_output().map(str::to_owned);
    if let Some(stage) = writer.as_ref().filter(|_| options.statistics) {
        return Err(Failure::Set(format!(
            "`--statistics` and the stage `{stage}` both write to standard output; leave out one of them"
        )));
    }
    let pipeline = crate::build(plan, &file).map_err(Failure::Failed)?;
    introduce(&pipeline, options.statistics || writer.is_some());
    let running = pipeline.spawn().map_err(Failure::Failed)?;
    interrupt.stops(&running);
    watch(&running, options.limit);
    let statistics = running.statistics();
    let ended = running.wait();
    terminal::set_status(None);
    if options.statistics {
        terminal::say(&serde_json::to_string_pretty(&statistics).unwrap_or_else(|error| error.to_string()));
    }
    terminal::say_error(&status::last_words(&statistics));
    // One of them is the command's last word.
    let last = ended.as_ref().err().map(ToString::to_string);
    for failure in statistics.stages.iter().filter_map(|stage| stage.failure.as_ref()) {
        if last.as_ref() != Some(failure) {
            terminal::say_error(&format!("error: {failure}"));
        }
    }
    ended.map_err(Failure::Failed)
}

fn introduce(pipeline: &Pipeline, quiet: bool) {
    for (stage, notice) in pipeline.notices() {
        // An address stands on a line of its own, to be clicked or read by a script.
        if notice.starts_with("http") {
            terminal::say_error(&format!("{}: open {stage} in a browser (Ctrl-C stops)", pipeline.name()));
            if quiet { terminal::say_error(notice) } else { terminal::say(notice) }
        } else {
            terminal::say_error(&format!("{stage}: {notice}"));
        }
    }
}

/// Ctrl-C, from before anything is opened. It stops the pipeline once there is one.
struct Interrupt {
    clock: Clock,
    /// When the first signal came.
    first: OnceLock<Timestamp>,
    stopper: OnceLock<Stopper>,
}

/// Signals that come within this of the first count once.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

impl Interrupt {
    fn listen() -> Arc<Interrupt> {
        let interrupt =
            Arc::new(Interrupt { clock: Clock::system(), first: OnceLock::new(), stopper: OnceLock::new() });
        let listening = Arc::clone(&interrupt);
        if let Err(error) = ctrlc::set_handler(move || listening.handle()) {
            tracing::warn!("Ctrl-C will not stop cleanly: {error}");
        }
        interrupt
    }

    /// Stops first and prints afterwards: standard error may block.
    fn handle(&self) {
        let now = self.clock.now();
        match self.first.set(now) {
            Ok(()) => {
                if let Some(stopper) = self.stopper.get() {
                    stopper.stop();
                }
                terminal::say_error("stopping; once more to leave at once");
            }
            // A wrapper may signal the process and its group: both mean the same.
            Err(_) if self.first.get().is_some_and(|first| now.since(*first) < SAME_SIGNAL) => {}
            Err(_) => {
                terminal::set_status(None);
                // What shells give for an interrupt.
                std::process::exit(130);
            }
        }
    }

    /// Stops `running` at the first signal, or at once if that came before.
    fn stops(&self, running: &Running) {
        if self.stopper.set(running.stopper()).is_ok() && self.first.get().is_some() {
            running.stop();
        }
    }
}

/// Shows the status until the pipeline ends or stops.
fn watch(running: &Running, limit: Option<Span>) {
    let start = running.clock().now();
    let mut status = Status::default();
    terminal::set_status(terminal::is_watched().then(terminal::status_bar));
    loop {
        let elapsed = running.clock().now().since(start);
        let patience = match limit {
            Some(limit) if elapsed >= limit.duration() => {
                running.stop();
                return;
            }
            Some(limit) => REFRESH.min(limit.duration() - elapsed),
            None => REFRESH,
        };
        if running.wait_for(patience) || running.is_stopping() {
            return;
        }
        terminal::show_status(|| status.line(elapsed, &running.statistics()));
    }
}
