//! The typed builder: outputs are tokens of what they give, so that a wrong join does not compile.
//! A stage exists only once its input is joined, so a stage cannot feed itself. Only the sink of a
//! bundle can be joined later ([`Pipeline::sink_end`]).

use std::any::Any;
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use millstream_core::options::Table;
use millstream_core::{
    Clock, Codec, Error, FromInput, Hand, InputId, Item, Media, Result, Sink, Source, Stage, Timestamp, Upstream, Utc,
};

use crate::declare::Outline;
use crate::events::Events;
use crate::faults::{FailurePolicy, OnFailure};
use crate::many::Inputs;
use crate::outputs::Mailbox;
use crate::part::Part;
use crate::part_state::{Alive, PartState};
use crate::policy::{Link, Policy};
use crate::shared::Shared;
use crate::task::Hosted;
use crate::task_waker::TaskWaker;

mod assembly;

/// Stages, joined and not yet running.
pub struct Pipeline {
    name: String,
    clock: Clock,
    hand: Option<Hand>,
    start: Option<Timestamp>,
    shared: Arc<Shared>,
    /// The whole, or the part that is being attached.
    part: Arc<PartState>,
    part_alive: Option<Arc<Alive>>,
    tasks: Vec<Hosted>,
    /// The task that hosts each stage, by its waker.
    homes: Vec<(Arc<str>, Arc<TaskWaker>)>,
    /// What happens when a stage fails, by its name.
    on_failure: Vec<(Arc<str>, Arc<FailurePolicy>)>,
    /// What was declared.
    outline: Outline,
    /// The outputs of declared stages, by the names that inputs use in TOML.
    declared: Vec<(String, Box<dyn Any + Send>)>,
    timed: bool,
    notices: Vec<(String, String)>,
    /// The names of sink ends that nothing is joined to yet.
    unjoined: Vec<Arc<str>>,
    wrong: Option<Error>,
}

/// A pipeline that nothing is wrong with, for a runner.
pub(crate) struct Prepared {
    pub(crate) tasks: Vec<Hosted>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Clock,
    pub(crate) hand: Option<Hand>,
    pub(crate) outline: Outline,
    start: Option<Timestamp>,
}

impl Prepared {
    /// Begins the run: from now on sources count.
    pub(crate) fn start(&self) {
        self.shared.run.start(self.start.unwrap_or_else(|| self.clock.now()));
    }
}

/// What a stage gives, to be joined any number of times.
pub struct Output<T> {
    stage: Arc<str>,
    mailbox: Arc<Mailbox<T>>,
    waker: Arc<TaskWaker>,
    /// The part that its stage is of.
    part: u64,
    /// What it is encoded with, where that is known.
    codec: Option<Codec>,
}

impl<T> Clone for Output<T> {
    fn clone(&self) -> Self {
        Output {
            stage: Arc::clone(&self.stage),
            mailbox: Arc::clone(&self.mailbox),
            waker: Arc::clone(&self.waker),
            part: self.part,
            codec: self.codec.clone(),
        }
    }
}

impl<T> Output<T> {
    /// This output through a link of its own choice instead of the default of its kind.
    pub fn through(&self, link: Link) -> Join<T> {
        Join { output: self.clone(), link: Some(link) }
    }
}

/// A sink that was added and that nothing is joined to yet.
#[must_use = "a pipeline with a sink that nothing is joined to does not start"]
pub struct SinkEnd<T> {
    place: assembly::Reserved,
    sink: Box<dyn Sink<T>>,
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
        let shared = Arc::<Shared>::default();
        let part = PartState::new(0, shared.run.clone(), false);
        Pipeline { name, hand, ..Pipeline::with_part(part, &shared, &clock) }
    }

    /// An empty part of the pipeline that shares `shared`.
    pub(crate) fn part_of(shared: &Arc<Shared>, clock: &Clock) -> Pipeline {
        let id = shared.figures().add_part();
        Pipeline::with_part(PartState::new(id, shared.run.part(), true), shared, clock)
    }

    fn with_part(part: Arc<PartState>, shared: &Arc<Shared>, clock: &Clock) -> Pipeline {
        Pipeline {
            name: String::new(),
            clock: clock.clone(),
            hand: None,
            start: None,
            shared: Arc::clone(shared),
            part_alive: Alive::new(&part, shared),
            part,
            tasks: Vec::new(),
            homes: Vec::new(),
            on_failure: Vec::new(),
            outline: Outline::default(),
            declared: Vec::new(),
            timed: true,
            notices: Vec::new(),
            unjoined: Vec::new(),
            wrong: None,
        }
    }

    /// The tasks of a part, and how it is detached. Nothing of it stays if it is wrong.
    pub(crate) fn into_part(mut self) -> Result<(Vec<Hosted>, Part)> {
        let wrong = self.check();
        let alive = self.part_alive.take().expect("an attached part has one until it is complete");
        let part = Part::new(&self.shared, &self.part, &alive, &self.tasks);
        if let Err(error) = wrong {
            part.detach();
            part.forget();
            return Err(error);
        }
        part.start(&alive);
        Ok((self.tasks, part))
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

    /// What happens while it runs, from its start on. The first call of this or of
    /// [`Running::events`](crate::Running::events) gets everything, a later one what happens from then on.
    pub fn events(&self) -> Events {
        self.shared.events.subscribe()
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What its stages want a person to know, each with the stage's name: what was chosen, where to look.
    pub fn notices(&self) -> &[(String, String)] {
        &self.notices
    }

    /// What the declared stage `name` gives (`"stage"`, or `"stage.output"` of several), so that the
    /// program can take it as well: with a closure, a [pull handle](crate::handles), a stage of its own.
    /// `None` where there is no such output, nobody else takes it, or it gives something else.
    pub fn output<T: Item>(&self, name: &str) -> Option<Output<T>> {
        let (_, output) = self.declared.iter().find(|(declared, _)| declared == name)?;
        output.downcast_ref::<Output<T>>().cloned()
    }

    /// The options with which the declared stage `stage` was built, as they were written; `None` for a stage that
    /// was not declared.
    pub fn options(&self, stage: &str) -> Option<&Table> {
        self.outline.options(stage)
    }

    /// What was declared, to be [compared](Outline::changes) with another plan.
    pub fn outline(&self) -> &Outline {
        &self.outline
    }

    pub(crate) fn declare(&mut self, outline: Outline) {
        self.outline.extend(outline);
    }

    pub(crate) fn keep<T: Item>(&mut self, name: String, output: &Output<T>) {
        self.declared.push((name, Box::new(output.clone())));
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

    /// Adds what must run without media, on a thread of its own: called when it is due or woken, until
    /// it ends or the pipeline does.
    pub fn driver(&mut self, name: &str, driver: impl Source<Infallible> + 'static) {
        self.add_driver(name, Box::new(driver));
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

    /// Adds a stage with several inputs, on a thread of its own: its inputs, to be joined with
    /// [`join`](Pipeline::join), and what it gives.
    pub fn many_stage<I: Item, O: Item>(
        &mut self,
        name: &str,
        stage: impl Stage<FromInput<I>, O> + 'static,
    ) -> (Inputs<I>, Output<O>) {
        self.add_many_stage(name, Box::new(stage))
    }

    /// Adds a sink with several inputs, on a thread of its own.
    pub fn many_sink<T: Item>(&mut self, name: &str, sink: impl Sink<FromInput<T>> + 'static) -> Inputs<T> {
        self.add_many_sink(name, Box::new(sink))
    }

    /// Adds a sink before its input exists, on a thread of its own; [`join_sink`](Pipeline::join_sink) joins it.
    ///
    /// For a bundle that is fed by what it gives, such as a call that sends back what it receives: add
    /// its sources and its sink ends first, then the stages between them, then join. Such a loop ends as
    /// every pipeline does: its sources end, by themselves or when the pipeline stops, and the end of input
    /// passes through the stages to the sink. The sink of a bundle never waits for the source of the same
    /// bundle, so a loop cannot block itself, whatever the policies of its links.
    pub fn sink_end<T: Item>(&mut self, name: &str, sink: impl Sink<T> + 'static) -> SinkEnd<T> {
        self.add_sink_end(name, Box::new(sink))
    }

    /// Joins an output to a sink that was added before.
    pub fn join_sink<T: Item>(&mut self, end: SinkEnd<T>, input: impl Into<Join<T>>) {
        self.join_sink_end(end, input.into(), true);
    }

    /// Joins an output to a stage with several inputs.
    pub fn join<T: Item>(&mut self, inputs: &Inputs<T>, input: impl Into<Join<T>>) -> InputId {
        let join = input.into();
        let announced = inputs.announced();
        self.agree(&announced.stage, announced.takes.clone(), &join.output);
        let upstream = Upstream::new(join.output.waker.to_waker());
        let (stage, waker) = (Arc::clone(&announced.stage), Arc::clone(&announced.waker));
        let exit = self.link(&stage, join, &waker, upstream.clone());
        announced.post(exit, upstream)
    }

    /// What its runner gets: its tasks, what they share, its clock, and the hand that moves that in virtual time.
    pub(crate) fn into_run(mut self) -> Result<Prepared> {
        self.check()?;
        let Pipeline { tasks, shared, clock, hand, start, outline, .. } = self;
        Ok(Prepared { tasks, shared, clock, hand, start, outline })
    }

    /// What was built wrongly, if anything.
    fn check(&mut self) -> Result<()> {
        if let Some(error) = self.wrong.take() {
            return Err(error);
        }
        match self.unjoined.first() {
            Some(name) => {
                Err(Error::config("nothing is joined to it; join an output with Pipeline::join_sink").in_stage(name))
            }
            None => Ok(()),
        }
    }

    /// Says what happens when the stage `name` fails; of a bundle, when any of its ends does. The default ends its
    /// part.
    ///
    /// # Panics
    /// If no stage is called that.
    pub fn on_failure(&mut self, name: &str, on_failure: OnFailure) {
        assert!(self.set_on_failure(name, on_failure), "no stage is called `{name}`");
    }

    /// The same; whether there is such a stage.
    pub(crate) fn set_on_failure(&mut self, name: &str, on_failure: OnFailure) -> bool {
        let is_end = |stage: &str| stage.strip_prefix(name).is_some_and(|end| end.is_empty() || end.starts_with('.'));
        let mut found = false;
        for (_, policy) in self.on_failure.iter().filter(|(stage, _)| is_end(stage)) {
            policy.set(on_failure);
            found = true;
        }
        found
    }

    /// Keeps the stage `stage` busy with each item for as long as `cost` returns, so that queues fill in virtual time.
    /// `cost` gets the number of items before this one. Its item is taken and worked on at the beginning of that
    /// time. An inline stage keeps its host busy. In real time it has no effect: there work takes time by itself.
    ///
    /// # Panics
    /// If no stage is called that.
    pub fn cost(&mut self, stage: &str, cost: impl FnMut(u64) -> Duration + Send + 'static) {
        let home = self.homes.iter().find(|(name, _)| &**name == stage);
        let (_, waker) = home.unwrap_or_else(|| panic!("no stage is called `{stage}`"));
        let host = self.tasks.iter_mut().find(|task| Arc::ptr_eq(&task.waker, waker));
        host.expect("every stage has a host").costs.push((Box::new(cost), 0));
    }
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
