//! The typed builder: outputs are tokens of what they give, so that a wrong join does not compile
//! and a cycle cannot be written.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use millstream_core::{Clock, Cx, Error, Hand, Item, Media, Result, Sink, Source, Stage, Timestamp, Upstream, Utc};

use crate::link::link;
use crate::node::{Seat, SinkNode, StageNode};
use crate::outputs::{Consumer, Edge, Mailbox, Outputs};
use crate::policy::{Link, Policy};
use crate::running::{Running, Shared};
use crate::signal::{Signal, Woken};
use crate::stats::Figures;
use crate::stepped::Stepped;
use crate::task::{Hosted, LinkTask, SourceTask};

/// Stages, joined and not yet running.
pub struct Pipeline {
    name: String,
    clock: Clock,
    hand: Option<Hand>,
    start: Option<Timestamp>,
    shared: Arc<Shared>,
    tasks: Vec<Hosted>,
    figures: Figures,
    timed: bool,
    notices: Vec<(String, String)>,
    wrong: Option<Error>,
}

/// What a stage gives, to be joined any number of times.
pub struct Output<T> {
    stage: Arc<str>,
    mailbox: Arc<Mailbox<T>>,
    signal: Arc<Signal>,
}

impl<T> Clone for Output<T> {
    fn clone(&self) -> Self {
        Output { stage: Arc::clone(&self.stage), mailbox: Arc::clone(&self.mailbox), signal: Arc::clone(&self.signal) }
    }
}

impl<T> Output<T> {
    /// This output through a link of its own choice instead of the default of its kind.
    pub fn through(&self, link: Link) -> Join<T> {
        Join { output: self.clone(), link: Some(link) }
    }
}

/// An output on its way into an input.
pub struct Join<T> {
    output: Output<T>,
    link: Option<Link>,
}

impl<T> From<&Output<T>> for Join<T> {
    fn from(output: &Output<T>) -> Self {
        Join { output: output.clone(), link: None }
    }
}

const fn items(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).expect("the default links hold something")
}

/// The link of a join for which none was chosen.
///
/// Raw pictures are live: the newest counts. Sound may wait 200 ms, as long as a call bears.
/// Encoded media may wait 8 items, a quarter of a second of video at 30 per second.
pub fn default_link<T: Item>() -> Link {
    match T::RAW {
        Some(Media::Video) => Link::latest(),
        Some(Media::Audio) => Link { max_age: Some(Duration::from_millis(200)), ..Link::drop_oldest(items(20)) },
        None => Link::drop_oldest(items(8)),
    }
}

impl Pipeline {
    /// An empty pipeline for the threads runner, on the system's clock.
    pub fn new(name: impl Into<String>) -> Pipeline {
        Pipeline::on(name.into(), Clock::system(), None)
    }

    /// An empty pipeline for the threads runner, on `clock`.
    pub fn with_clock(name: impl Into<String>, clock: Clock) -> Pipeline {
        Pipeline::on(name.into(), clock, None)
    }

    /// An empty pipeline for the stepped runner, whose clock's zero is `utc_at_zero`.
    pub fn in_virtual_time(name: impl Into<String>, utc_at_zero: Utc) -> Pipeline {
        let (clock, hand) = Clock::manual();
        Pipeline::on(name.into(), clock.with_utc_at_zero(utc_at_zero), Some(hand))
    }

    fn on(name: String, clock: Clock, hand: Option<Hand>) -> Pipeline {
        Pipeline {
            name,
            clock,
            hand,
            start: None,
            shared: Arc::default(),
            tasks: Vec::new(),
            figures: Figures::default(),
            timed: true,
            notices: Vec::new(),
            wrong: None,
        }
    }

    /// The same pipeline without timing each call: no busy time and no latency in its statistics,
    /// and two readings of the clock less per stage and item.
    #[must_use]
    pub fn untimed(mut self) -> Pipeline {
        self.timed = false;
        self
    }

    /// The same pipeline with its start, from which sources count, at `time` on its clock instead of
    /// when it begins to run.
    #[must_use]
    pub fn starting_at(mut self, time: Timestamp) -> Pipeline {
        self.start = Some(time);
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What its stages want a person to know, each with the stage's name: what was chosen, where to look.
    pub fn notices(&self) -> &[(String, String)] {
        &self.notices
    }

    pub(crate) fn add_notices(&mut self, stage: &str, notices: Vec<String>) {
        self.notices.extend(notices.into_iter().map(|notice| (stage.to_owned(), notice)));
    }

    /// Adds a source, on a thread of its own.
    pub fn source<T: Item>(&mut self, name: &str, source: impl Source<T> + 'static) -> Output<T> {
        self.add_source(name, Box::new(source), false)
    }

    /// Adds a source that blocks in a driver, on a thread of its own; it cannot run in virtual time.
    pub fn blocking_source<T: Item>(&mut self, name: &str, source: impl Source<T> + 'static) -> Output<T> {
        self.add_source(name, Box::new(source), true)
    }

    /// Adds a stage on a thread of its own, behind a link.
    pub fn stage<I: Item, O: Item>(
        &mut self,
        name: &str,
        input: impl Into<Join<I>>,
        stage: impl Stage<I, O> + 'static,
    ) -> Output<O> {
        self.add_stage(name, input.into(), Box::new(stage), true)
    }

    /// Adds a light stage that runs in its producer's thread, without a queue between.
    pub fn inline<I: Item, O: Item>(
        &mut self,
        name: &str,
        input: &Output<I>,
        stage: impl Stage<I, O> + 'static,
    ) -> Output<O> {
        self.add_stage(name, input.into(), Box::new(stage), false)
    }

    /// Adds a sink on a thread of its own, behind a link.
    pub fn sink<T: Item>(&mut self, name: &str, input: impl Into<Join<T>>, sink: impl Sink<T> + 'static) {
        self.add_sink(name, input.into(), Box::new(sink), true);
    }

    /// Adds a light sink that runs in its producer's thread, without a queue between.
    pub fn inline_sink<T: Item>(&mut self, name: &str, input: &Output<T>, sink: impl Sink<T> + 'static) {
        self.add_sink(name, input.into(), Box::new(sink), false);
    }

    /// Starts it on threads.
    ///
    /// # Errors
    /// If two stages have one name, if it was made for virtual time, or if no thread can be had.
    pub fn spawn(mut self) -> Result<Running> {
        if let Some(error) = self.wrong.take() {
            return Err(error);
        }
        if self.hand.is_some() {
            return Err(Error::config(
                "this pipeline was made for virtual time; step it, or make it with Pipeline::new",
            ));
        }
        self.shared.run.start(self.start.unwrap_or_else(|| self.clock.now()));
        Running::spawn(self.tasks, self.shared, self.clock, self.figures)
    }

    /// Makes it ready to be stepped in virtual time.
    ///
    /// # Errors
    /// If two stages have one name, if it was made for real time, or if a source blocks in a driver.
    pub fn step(mut self) -> Result<Stepped> {
        if let Some(error) = self.wrong.take() {
            return Err(error);
        }
        if let Some(blocking) = self.tasks.iter().find(|task| task.blocking) {
            return Err(Error::config("it blocks in a driver and cannot run in virtual time").in_stage(&blocking.name));
        }
        let hand = self.hand.ok_or_else(|| {
            Error::config("this pipeline was made for real time; spawn it, or make it with Pipeline::in_virtual_time")
        })?;
        self.shared.run.start(self.start.unwrap_or_else(|| self.clock.now()));
        Ok(Stepped::new(self.tasks, self.shared, self.clock, hand, self.figures))
    }

    pub(crate) fn add_source<T: Item>(&mut self, name: &str, source: Box<dyn Source<T>>, blocking: bool) -> Output<T> {
        let signal = self.new_signal();
        let (seat, output) = (self.seat(name, &signal), new_output(name, &signal));
        let cx = self.cx(&seat, Upstream::default());
        let task = SourceTask::new(source, cx, Outputs::new(&output.mailbox), seat);
        self.host(&output.stage, &signal, Box::new(task), blocking);
        output
    }

    pub(crate) fn add_stage<I: Item, O: Item>(
        &mut self,
        name: &str,
        join: Join<I>,
        stage: Box<dyn Stage<I, O>>,
        own_thread: bool,
    ) -> Output<O> {
        let signal = if own_thread { self.new_signal() } else { Arc::clone(&join.output.signal) };
        let (seat, output) = (self.seat(name, &signal), new_output(name, &signal));
        let upstream = Upstream::new(join.output.signal.waker());
        let cx = self.cx(&seat, upstream.clone());
        let node = StageNode::new(stage, cx, Outputs::new(&output.mailbox), seat);
        self.join(&output.stage, join, &signal, upstream, Box::new(node), own_thread);
        output
    }

    pub(crate) fn add_sink<T: Item>(&mut self, name: &str, join: Join<T>, sink: Box<dyn Sink<T>>, own_thread: bool) {
        let signal = if own_thread { self.new_signal() } else { Arc::clone(&join.output.signal) };
        let seat = self.seat(name, &signal);
        let upstream = Upstream::new(join.output.signal.waker());
        let node = SinkNode::new(sink, self.cx(&seat, upstream.clone()), seat);
        self.join(&Arc::from(name), join, &signal, upstream, Box::new(node), own_thread);
    }

    /// Joins `consumer` to an output: through a link and a task of its own, or inline.
    fn join<T: Item>(
        &mut self,
        name: &Arc<str>,
        join: Join<T>,
        signal: &Arc<Signal>,
        upstream: Upstream,
        consumer: Box<dyn Consumer<T>>,
        own_thread: bool,
    ) {
        let Join { output, link: chosen } = join;
        let edge = if own_thread {
            let chosen = chosen.unwrap_or_else(default_link::<T>);
            let counts = Arc::default();
            let (entry, exit) = link(chosen, &output.signal, signal, &self.clock, &upstream, &counts);
            self.figures.links.push((output.stage.to_string(), name.to_string(), chosen, counts));
            self.host(name, signal, Box::new(LinkTask::new(exit, consumer)), false);
            Edge::new(Box::new(entry), upstream)
        } else {
            Edge::new(consumer, upstream)
        };
        output.mailbox.post(edge);
        output.signal.ring();
    }

    fn new_signal(&mut self) -> Arc<Signal> {
        let signal = Arc::default();
        self.shared.add(&signal);
        signal
    }

    fn seat(&mut self, name: &str, signal: &Arc<Signal>) -> Seat {
        if self.figures.stages.iter().any(|(taken, _)| taken == name) && self.wrong.is_none() {
            self.wrong = Some(Error::config(format!("two stages are called `{name}`; give each a name of its own")));
        }
        let counts = Arc::default();
        self.figures.stages.push((name.to_owned(), Arc::clone(&counts)));
        Seat {
            name: Arc::from(name),
            place: self.figures.stages.len() - 1,
            counts,
            woken: Woken::new(signal),
            shared: Arc::clone(&self.shared),
            clock: self.clock.clone(),
            timed: self.timed,
        }
    }

    fn cx(&self, seat: &Seat, upstream: Upstream) -> Cx {
        Cx::new(self.clock.clone(), Waker::from(Arc::clone(&seat.woken)), upstream, self.shared.run.clone())
    }

    fn host(&mut self, name: &Arc<str>, signal: &Arc<Signal>, task: Box<dyn crate::task::Task>, blocking: bool) {
        self.tasks.push(Hosted { name: Arc::clone(name), signal: Arc::clone(signal), task, blocking });
    }
}

fn new_output<T>(name: &str, signal: &Arc<Signal>) -> Output<T> {
    Output { stage: Arc::from(name), mailbox: Mailbox::new(), signal: Arc::clone(signal) }
}

impl Link {
    /// This link with what was chosen differently.
    pub(crate) fn choosing(self, policy: Option<Policy>, count: Option<NonZeroUsize>, age: Option<Duration>) -> Link {
        let base = match policy {
            None => self,
            Some(policy) if policy == self.policy => self,
            Some(Policy::Latest) => Link::latest(),
            Some(Policy::Block) => Link::block(items(8)),
            Some(policy) => Link { policy, ..Link::drop_oldest(items(8)) },
        };
        Link { items: count.unwrap_or(base.items), max_age: age.or(base.max_age), ..base }
    }
}
