//! What a build function gives: a stage, or a bundle of several ends.

use std::convert::Infallible;

use crate::input::FromInput;
use crate::item::Item;
use crate::stage::{Sink, Source, Stage};

pub use crate::any::{AnySink, AnySource, AnyStage, StageFrom};

/// What a build function returns: a worker that is ready to be joined.
pub enum Worker {
    /// A source.
    Source(AnySource),
    /// A stage.
    Stage(AnyStage),
    /// A sink.
    Sink(AnySink),
    /// Several inputs and outputs that share one thing inside.
    Bundle(Bundle),
}

impl Worker {
    /// A source.
    pub fn source<T: Item>(source: impl Source<T> + 'static) -> Worker {
        Worker::Source(T::any_source(Box::new(source)))
    }

    /// A stage.
    pub fn stage<I: Item, O: Item>(stage: impl Stage<I, O> + 'static) -> Worker {
        Worker::Stage(I::any_stage(O::stage_from(Box::new(stage))))
    }

    /// A stage with several inputs of one kind.
    pub fn many_stage<I: Item, O: Item>(stage: impl Stage<FromInput<I>, O> + 'static) -> Worker {
        Worker::Stage(I::any_many_stage(O::stage_from(Box::new(stage))))
    }

    /// A sink.
    pub fn sink<T: Item>(sink: impl Sink<T> + 'static) -> Worker {
        Worker::Sink(T::any_sink(Box::new(sink)))
    }

    /// A sink with several inputs of one kind.
    pub fn many_sink<T: Item>(sink: impl Sink<FromInput<T>> + 'static) -> Worker {
        Worker::Sink(T::any_many_sink(Box::new(sink)))
    }
}

/// Several named inputs and outputs that share one thing inside: a page with video and audio, a call that sends and
/// receives.
///
/// It holds only those that were joined. It may hold one driver for work that must run without media.
#[derive(Default)]
pub struct Bundle {
    /// Outputs, by name.
    pub sources: Vec<(&'static str, AnySource)>,
    /// Inputs, by key.
    pub sinks: Vec<(&'static str, AnySink)>,
    /// Work that must run without media, such as a connection's.
    pub driver: Option<Box<dyn Source<Infallible>>>,
}

impl Bundle {
    /// An empty bundle.
    pub fn new() -> Bundle {
        Bundle::default()
    }

    /// Adds an output.
    #[must_use]
    pub fn source<T: Item>(mut self, name: &'static str, source: impl Source<T> + 'static) -> Bundle {
        self.sources.push((name, T::any_source(Box::new(source))));
        self
    }

    /// Adds an input.
    #[must_use]
    pub fn sink<T: Item>(mut self, key: &'static str, sink: impl Sink<T> + 'static) -> Bundle {
        self.sinks.push((key, T::any_sink(Box::new(sink))));
        self
    }

    /// Adds work that must run without media.
    #[must_use]
    pub fn driver(mut self, driver: impl Source<Infallible> + 'static) -> Bundle {
        self.driver = Some(Box::new(driver));
        self
    }
}
