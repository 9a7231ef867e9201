//! Collects mistakes while a pipeline is read, and keeps what follows from broken TOML to itself.

use std::ops::Range;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Diagnostics};

/// Where something stands: bytes of the file (source 0) or of an override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Location {
    source: usize,
    start: usize,
    end: usize,
}

impl Location {
    /// `span` of the file.
    pub(super) fn in_file(span: Range<usize>) -> Location {
        Location { source: 0, start: span.start, end: span.end }
    }

    /// The same source, `span` of it.
    pub(super) fn at(self, span: Range<usize>) -> Location {
        Location { source: self.source, start: span.start, end: span.end }
    }
}

/// One mistake.
#[derive(Debug)]
pub(super) struct Fault {
    place: Location,
    message: String,
    label: String,
    help: Vec<String>,
    /// Another place that has to do with it, and what it is.
    also: Option<(Location, String)>,
    absence: bool,
}

impl Fault {
    /// What is wrong at `place`.
    pub(super) fn at(place: Location, message: impl Into<String>) -> Fault {
        Fault { place, message: message.into(), label: String::new(), help: Vec::new(), also: None, absence: false }
    }

    /// Says `label` beside the underlined text.
    pub(super) fn label(mut self, label: impl Into<String>) -> Fault {
        self.label = label.into();
        self
    }

    /// "did you mean", if there is a name that was probably meant.
    pub(super) fn meant(self, name: Option<&str>) -> Fault {
        match name {
            Some(name) => self.label(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    /// Says what to do next.
    pub(super) fn help(mut self, help: impl Into<String>) -> Fault {
        self.help.push(help.into());
        self
    }

    /// Shows another place that has to do with it.
    pub(super) fn also(mut self, place: Location, label: impl Into<String>) -> Fault {
        self.also = Some((place, label.into()));
        self
    }

    /// It is about something that is not there. Where the TOML itself is broken it may well be there,
    /// and is then not reported.
    pub(super) fn absence(mut self) -> Fault {
        self.absence = true;
        self
    }
}

/// What a person wants to know of a declared stage, though it is no mistake.
#[derive(Clone, Debug)]
pub struct Note {
    /// The stage.
    pub stage: String,
    /// What it is, at its place.
    pub diagnostic: Diagnostic,
}

/// How many mistakes are shown. Whoever makes more made one many times, or gave the wrong file.
const SHOWN: usize = 100;

/// The texts that places are in, and all mistakes found so far.
pub(super) struct Report {
    sources: Vec<(String, Arc<str>)>,
    syntax: Vec<Fault>,
    faults: Vec<Fault>,
    /// What is no mistake, and about which stage it is.
    notes: Vec<(String, Fault)>,
}

impl Report {
    /// For the text of `file`.
    pub(super) fn new(file: &str, text: &str) -> Report {
        Report {
            sources: vec![(file.to_owned(), text.into())],
            syntax: Vec::new(),
            faults: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a text beside the file; all of it is the place.
    pub(super) fn add_source(&mut self, origin: &str, text: &str) -> Location {
        self.sources.push((origin.to_owned(), text.into()));
        Location { source: self.sources.len() - 1, start: 0, end: text.len() }
    }

    /// Notes a mistake.
    pub(super) fn push(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Notes that the file is no TOML at a place. Of several in a line the first stands for all.
    pub(super) fn push_syntax(&mut self, fault: Fault) {
        self.syntax.push(fault);
    }

    /// Whether nothing was found yet.
    pub(super) fn is_clean(&self) -> bool {
        self.syntax.is_empty() && self.faults.is_empty()
    }

    /// Tells something about `stage` that is no mistake.
    pub(super) fn note(&mut self, stage: &str, note: Fault) {
        self.notes.push((stage.to_owned(), note));
    }

    /// All notes, each with the stage that it is about.
    pub(super) fn notes(&mut self) -> Vec<Note> {
        let notes = std::mem::take(&mut self.notes);
        notes.into_iter().map(|(stage, note)| Note { stage, diagnostic: self.diagnostic(note).into_note() }).collect()
    }

    /// All that was found wrong, of which there is something.
    pub(super) fn finish(mut self) -> Diagnostics {
        if !self.syntax.is_empty() {
            self.drop_consequences();
        }
        let mut all = std::mem::take(&mut self.syntax);
        all.append(&mut self.faults);
        all.sort_by_key(|fault| fault.place);
        let more = all.len().saturating_sub(SHOWN);
        Diagnostics::new(all.into_iter().take(SHOWN).map(|fault| self.diagnostic(fault)).collect(), more)
    }

    fn diagnostic(&self, fault: Fault) -> Diagnostic {
        let (origin, text) = &self.sources[fault.place.source];
        let span = fault.place.start..fault.place.end;
        let diagnostic = Diagnostic::new(origin, text, span, &fault.message);
        let diagnostic = diagnostic.with_label(&fault.label).with_help(&fault.help);
        match &fault.also {
            Some((place, label)) => {
                let (origin, text) = &self.sources[place.source];
                diagnostic.with_other(origin, text, place.start..place.end, label)
            }
            None => diagnostic,
        }
    }

    /// Where the TOML is broken, the parser guesses how it goes on: what is found between such a place and
    /// the next table header, and whatever is missing anywhere, may follow from the guess.
    fn drop_consequences(&mut self) {
        let text = Arc::clone(&self.sources[0].1);
        let line = |at: usize| text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count();
        self.syntax.sort_by_key(|fault| fault.place);
        self.syntax.dedup_by_key(|fault| line(fault.place.start));
        let lines: Vec<&str> = text.split('\n').collect();
        let is_header = |line: &str| line.trim_start().starts_with('[');
        let broken: Vec<Range<usize>> = self
            .syntax
            .iter()
            .map(|fault| {
                let first = line(fault.place.start);
                let length = lines.iter().skip(first + 1).take_while(|line| !is_header(line)).count();
                first..first + 1 + length
            })
            .collect();
        let follows = |fault: &Fault| {
            let (first, last) = (line(fault.place.start), line(fault.place.end));
            fault.place.source == 0 && broken.iter().any(|range| first < range.end && range.start <= last)
        };
        self.faults.retain(|fault| !fault.absence && !follows(fault));
        // A second header of the same name merges both tables, and every key in both is double.
        let headers: Vec<&Range<usize>> = broken.iter().filter(|range| is_header(lines[range.start])).collect();
        self.syntax.retain(|fault| {
            let line = line(fault.place.start);
            !headers.iter().any(|range| range.contains(&line) && range.start != line)
        });
    }
}
