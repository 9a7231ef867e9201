//! What a build function gives: a stage, or a bundle of several ends.

use std::convert::Infallible;

use crate::input::FromInput;
use crate::item::Item;
use crate::stage::{Sink, Source, Stage};

pub use crate::any::{AnySink, AnySource, AnyStage, StageFrom};

/// What a build function gives: a worker ready to be joined.
pub enum Worker {
    /// A source.
    Source(AnySource),
    /// A stage.
    Stage(AnyStage),
    /// A sink.
    Sink(AnySink),
    /// Several ends that share what is inside.
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

/// Several named ends that share what is inside: a page with video and audio, a call that sends and
/// receives.
///
/// An end that was not joined is not in it. It may hold one driver for what must run without media.
#[derive(Default)]
pub struct Bundle {
    /// Ends that give, by name.
    pub sources: Vec<(&'static str, AnySource)>,
    /// Ends that take, by the key of their input.
    pub sinks: Vec<(&'static str, AnySink)>,
    /// What must run without media.
    pub driver: Option<Box<dyn Source<Infallible>>>,
}

impl Bundle {
    /// A bundle without ends.
    pub fn new() -> Bundle {
        Bundle::default()
    }

    /// Adds an end that gives.
    #[must_use]
    pub fn source<T: Item>(mut self, name: &'static str, source: impl Source<T> + 'static) -> Bundle {
        self.sources.push((name, T::any_source(Box::new(source))));
        self
    }

    /// Adds an end that takes.
    #[must_use]
    pub fn sink<T: Item>(mut self, key: &'static str, sink: impl Sink<T> + 'static) -> Bundle {
        self.sinks.push((key, T::any_sink(Box::new(sink))));
        self
    }

    /// Adds what must run without media.
    #[must_use]
    pub fn driver(mut self, driver: impl Source<Infallible> + 'static) -> Bundle {
        self.driver = Some(Box::new(driver));
        self
    }
}
