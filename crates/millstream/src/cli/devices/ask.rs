//! Asks every plug-in that opens devices which there are, each in a thread of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::core::device::{Choice, Device, Devices, Kind};
use crate::core::options::{Problem, Table};
use crate::core::{Clock, Registry};

use super::super::Failure;

/// What one plug-in answered.
pub(super) struct Answer {
    pub(super) kind: Kind,
    /// The stage type that opens these.
    pub(super) stage: &'static str,
    pub(super) look: Look,
    /// What a stage would take, if that was asked.
    pub(super) choice: Option<Result<Choice, Refusal>>,
}

/// The devices there are, or why that is not known.
pub(super) type Look = Result<Vec<Device>, String>;

/// Why nothing is chosen.
pub(super) enum Refusal {
    /// The options are wrong, each in words.
    Options(Vec<String>),
    /// No device fits.
    Device(String),
}

impl Answer {
    /// What was in the way of what was asked, if anything was.
    pub(super) fn into_failure(self) -> Option<Failure> {
        let failed = |words: String| Failure::Failed(crate::core::Error::lost(words));
        match (self.look, self.choice) {
            (_, Some(Err(Refusal::Options(words)))) => Some(Failure::Set(words.join("\n       "))),
            (_, Some(Err(Refusal::Device(words)))) | (Err(words), None) => Some(failed(words)),
            // What can be chosen is there, though a list of all may not be.
            (_, Some(Ok(_))) | (Ok(_), None) => None,
        }
    }
}

/// How long a driver may take: those of a slow machine take seconds, and one that hangs, for ever.
const PATIENCE: Duration = Duration::from_secs(15);

/// Asks all that open devices of `kind`, or of any, which there are, and what a stage with `options`
/// would take. One that fails, panics or hangs keeps no other from answering.
pub(super) fn ask(registry: &Arc<Registry>, kind: Option<Kind>, options: Option<Table>) -> Vec<Answer> {
    let asked: Vec<_> = asked(registry, kind)
        .map(|(index, devices)| {
            let (tell, heard) = mpsc::channel();
            let (registry, options) = (Arc::clone(registry), options.clone());
            thread::spawn(move || {
                let Some(devices) = registry.devices().nth(index) else { return };
                let _ = tell.send((look(devices), options.map(|options| choose(devices, options))));
            });
            (devices.kind(), devices.stage(), heard)
        })
        .collect();
    let clock = Clock::system();
    let deadline = clock.now() + PATIENCE;
    let answers = asked.into_iter().map(|(kind, stage, heard)| {
        let (look, choice) = heard.recv_timeout(deadline.since(clock.now())).unwrap_or_else(|error| match error {
            RecvTimeoutError::Timeout => (Err(format!("a {kind}'s driver has not answered for {PATIENCE:?}")), None),
            RecvTimeoutError::Disconnected => (Err("the plug-in panicked while it chose".to_owned()), None),
        });
        Answer { kind, stage, look, choice }
    });
    answers.collect()
}

/// Those of `registry` that open devices of `kind`, or of any, and which they are.
pub(super) fn asked(registry: &Registry, kind: Option<Kind>) -> impl Iterator<Item = (usize, &Devices)> {
    registry.devices().enumerate().filter(move |(_, devices)| kind.is_none_or(|kind| kind == devices.kind()))
}

/// The devices there are now.
pub(super) fn look(devices: &Devices) -> Look {
    let listed = catch_unwind(AssertUnwindSafe(|| devices.list()));
    match listed {
        Ok(listed) => listed.map_err(|error| error.to_string()),
        Err(_) => Err("the plug-in panicked while it looked".to_owned()),
    }
}

fn choose(devices: &Devices, options: Table) -> Result<Choice, Refusal> {
    match devices.choose(options) {
        Ok(Ok(choice)) => Ok(choice),
        Ok(Err(error)) => Err(Refusal::Device(error.to_string())),
        Err(problems) => {
            Err(Refusal::Options(problems.iter().map(|problem| words(problem, devices.stage())).collect()))
        }
    }
}

fn words(problem: &Problem, stage: &str) -> String {
    match problem {
        Problem::UnknownKey { key, expected } => {
            let near = crate::core::options::nearest(key, expected.iter().copied());
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            format!("`{stage}` has no option `{key}`{hint} (`millstream stages {stage}` explains all)")
        }
        Problem::BadValue { key, message } => format!("`{key}`: {message}"),
        Problem::MissingKey { key } => format!("`{stage}` needs the option `{key}`"),
    }
}
