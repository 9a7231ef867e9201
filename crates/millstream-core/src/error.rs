//! Errors by kind: the kind says what the runner does, the words say what a person does.

use std::fmt;

/// The result of everything that can go wrong here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a runner does about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// This one item is no good: it is counted and skipped, and the next one is tried.
    BadItem,
    /// The stage was asked for something it cannot do. Reported before anything starts.
    Config,
    /// What the stage depends on is gone (unplugged, hung up, ended early) and may come back. A source is
    /// asked again later, and so is a stage whose policy is to retry; the part of any other stage ends.
    Lost,
    /// The stage panicked. Its part of the pipeline ends.
    Panic,
    /// The stage cannot go on. Its part of the pipeline ends.
    Fatal,
}

/// Something that went wrong: what, where, and what to do next.
///
/// A runner puts the stage's name in front. Foreign errors become the [`source`](std::error::Error::source).
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    stage: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), stage: None, source: None }
    }

    /// One item is no good; the next may be.
    pub fn bad_item(message: impl Into<String>) -> Error {
        Error::new(Kind::BadItem, message)
    }

    /// The stage was asked for something it cannot do.
    pub fn config(message: impl Into<String>) -> Error {
        Error::new(Kind::Config, message)
    }

    /// What the stage stands on is gone and may come back.
    pub fn lost(message: impl Into<String>) -> Error {
        Error::new(Kind::Lost, message)
    }

    /// The stage cannot go on.
    pub fn fatal(message: impl Into<String>) -> Error {
        Error::new(Kind::Fatal, message)
    }

    /// The same error with the foreign one that caused it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    /// The same error with the name of the stage it happened in; the innermost name stays.
    #[must_use]
    pub fn in_stage(mut self, name: &str) -> Error {
        self.stage.get_or_insert_with(|| name.to_owned());
        self
    }

    /// What a runner does about it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The stage it happened in, once a runner has said so.
    pub fn stage(&self) -> Option<&str> {
        self.stage.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stage) = &self.stage {
            write!(f, "{stage}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_stage_names_the_error() {
        let error = Error::fatal("gpu fell off").in_stage("encode").in_stage("outer");
        assert_eq!(error.to_string(), "encode: gpu fell off");
    }
}
