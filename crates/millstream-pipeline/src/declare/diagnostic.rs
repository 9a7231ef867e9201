//! What is wrong with a declared pipeline, as rustc would say it: where, the text underlined, what to do.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// One mistake and its place.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// The file as it was named, or `--set` for an override.
    pub origin: String,
    /// The line it begins in, from 1.
    pub line: usize,
    /// The character of that line it begins at, from 1.
    pub column: usize,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What stands beside the underlined text: what was expected, or the nearest correct name. May be empty.
    pub label: String,
    /// What to do next.
    pub help: Vec<String>,
    text: Arc<str>,
    span: Range<usize>,
    other: Option<Other>,
    is_note: bool,
}

/// Another place that has to do with a mistake.
#[derive(Clone, Debug)]
struct Other {
    origin: String,
    text: Arc<str>,
    span: Range<usize>,
    label: String,
}

impl Diagnostic {
    /// A diagnostic that underlines `span` of `text`.
    pub(super) fn new(origin: &str, text: &Arc<str>, span: Range<usize>, message: &str) -> Diagnostic {
        // What is wrong at the end of the text is wrong at the end of its last line.
        let last = text.trim_end_matches(['\n', '\r']).len();
        let start = text.floor_char_boundary(span.start.min(last));
        let end = text.ceil_char_boundary(span.end.clamp(start, text.len()));
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        Diagnostic {
            origin: origin.to_owned(),
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            message: printable(message),
            label: String::new(),
            help: Vec::new(),
            text: Arc::clone(text),
            span: start..end,
            other: None,
            is_note: false,
        }
    }

    pub(super) fn with_label(mut self, label: &str) -> Diagnostic {
        self.label = printable(label);
        self
    }

    pub(super) fn with_help(mut self, help: &[String]) -> Diagnostic {
        self.help = help.iter().map(|line| printable(line)).collect();
        self
    }

    pub(super) fn with_other(mut self, origin: &str, text: &Arc<str>, span: Range<usize>, label: &str) -> Diagnostic {
        let (text, label) = (Arc::clone(text), printable(label));
        self.other = Some(Other { origin: origin.to_owned(), text, span, label });
        self
    }

    /// The same, as something that is no mistake.
    pub(super) fn into_note(self) -> Diagnostic {
        Diagnostic { is_note: true, ..self }
    }

    fn render(&self, renderer: &Renderer) -> String {
        let underlined = AnnotationKind::Primary.span(self.span.clone());
        let underlined = match self.label.as_str() {
            "" => underlined,
            label => underlined.label(label),
        };
        let snippet = Snippet::source(&*self.text).path(self.origin.as_str()).annotation(underlined);
        let other = self.other.as_ref().map(|other| {
            let annotation = AnnotationKind::Context.span(other.span.clone()).label(other.label.as_str());
            (other, annotation)
        });
        let level = if self.is_note { Level::NOTE } else { Level::ERROR };
        let group = level.primary_title(self.message.as_str());
        let group = match other {
            Some((other, annotation)) if Arc::ptr_eq(&other.text, &self.text) => {
                group.element(snippet.annotation(annotation))
            }
            Some((other, annotation)) => group
                .element(snippet)
                .element(Snippet::source(&*other.text).path(other.origin.as_str()).annotation(annotation)),
            None => group.element(snippet),
        };
        let group = group.elements(self.help.iter().map(|help| Level::HELP.message(help.as_str())));
        renderer.render(&[group])
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

/// All that is wrong, in the order of the text; at least one. Of very many the first hundred are shown.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    shown: Vec<Diagnostic>,
    hidden: usize,
}

impl Diagnostics {
    pub(super) fn new(shown: Vec<Diagnostic>, hidden: usize) -> Diagnostics {
        Diagnostics { shown, hidden }
    }

    /// How many are shown.
    #[expect(clippy::len_without_is_empty, reason = "there is always at least one")]
    pub fn len(&self) -> usize {
        self.shown.len()
    }

    /// One after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.shown.iter()
    }

    /// All of them as text for people, with or without the colours of a terminal.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut all: Vec<_> = self.shown.iter().map(|diagnostic| diagnostic.render(&renderer)).collect();
        if self.hidden > 0 {
            all.push(format!("and {} more of the kind", self.hidden));
        }
        all.join("\n\n")
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// `text` without control characters but for line breaks of our own: names and values come from a file
/// that may hold anything, and a terminal obeys what it is sent.
fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' {
            clean.extend(c.escape_default());
        } else {
            clean.push(c);
        }
    }
    clean
}
