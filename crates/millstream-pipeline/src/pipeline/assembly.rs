//! How stages become tasks, and joins become links or inline calls. The public builder stands on it,
//! and so does the building of a plan.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Waker;

use millstream_core::descriptor::Place;
use millstream_core::{Codec, Cx, Error, FromInput, Incoming, Item, Sink, Source, Stage, Upstream};

use super::{Join, Output, Pipeline, SinkEnd, default_link};
use crate::faults::FailurePolicy;
use crate::link::{Exit, link};
use crate::many::{Announced, Inputs, ManyTask};
use crate::node::{SinkNode, StageNode};
use crate::outputs::{Consumer, Edge, Mailbox, Outputs};
use crate::part_state::Leave;
use crate::source::{DriverTask, SourceTask};
use crate::stats::StageCounts;
use crate::supervisor::Supervisor;
use crate::task::{Hosted, LinkTask, Task};
use crate::task_waker::{StageWaker, TaskWaker};

/// The place of a stage in the order of declaration and in the statistics.
pub(super) struct Reserved {
    name: Arc<str>,
    index: usize,
    counts: Arc<StageCounts>,
    on_failure: Arc<FailurePolicy>,
}

impl Pipeline {
    pub(crate) fn add_source<T: Item>(&mut self, name: &str, source: Box<dyn Source<T>>, blocking: bool) -> Output<T> {
        let waker = self.new_waker();
        let output = self.new_output(name, &waker, source.gives());
        let supervisor = Supervisor { reopens: true, ..self.new_supervisor(&output.stage, Place::Source, &waker) };
        let cx = self.cx(&supervisor, Upstream::default());
        let outputs = self.outputs(&output);
        let task = SourceTask::new(source, cx, outputs, supervisor);
        self.host(&output.stage, &waker, Box::new(task), blocking);
        output
    }

    pub(crate) fn add_driver(&mut self, name: &str, driver: Box<dyn Source<Infallible>>) {
        let waker = self.new_waker();
        let name = self.named(name, &waker);
        let supervisor = Supervisor { reopens: true, ..self.new_supervisor(&name, Place::Bundle, &waker) };
        let cx = self.cx(&supervisor, Upstream::default());
        self.host(&name, &waker, Box::new(DriverTask::new(driver, cx, supervisor)), false);
    }

    pub(crate) fn add_stage<I: Item, O: Item>(
        &mut self,
        name: &str,
        join: Join<I>,
        stage: Box<dyn Stage<I, O>>,
        own_thread: bool,
    ) -> Output<O> {
        let waker = if own_thread { self.new_waker() } else { Arc::clone(&join.output.waker) };
        let upstream = Upstream::new(join.output.waker.to_waker());
        let takes = stage.takes();
        let (node, output) = self.node(name, stage, &waker, upstream.clone(), own_thread);
        self.agree(&output.stage, takes, &join.output);
        self.join_one(&output.stage, join, &waker, upstream, Box::new(node), own_thread);
        output
    }

    pub(crate) fn add_sink<T: Item>(&mut self, name: &str, join: Join<T>, sink: Box<dyn Sink<T>>, own_thread: bool) {
        let end = self.add_sink_end(name, sink);
        self.join_sink_end(end, join, own_thread);
    }

    /// Adds a sink in its place in the order of declaration, before what feeds it.
    pub(crate) fn add_sink_end<T: Item>(&mut self, name: &str, sink: Box<dyn Sink<T>>) -> SinkEnd<T> {
        let place = self.reserve(&Arc::from(name), Place::Sink);
        self.unjoined.push(Arc::clone(&place.name));
        SinkEnd { place, sink }
    }

    pub(crate) fn join_sink_end<T: Item>(&mut self, end: SinkEnd<T>, join: Join<T>, own_thread: bool) {
        let SinkEnd { place, sink } = end;
        let name = Arc::clone(&place.name);
        self.unjoined.retain(|unjoined| !Arc::ptr_eq(unjoined, &name));
        let waker = if own_thread { self.new_waker() } else { Arc::clone(&join.output.waker) };
        self.homes.push((Arc::clone(&name), Arc::clone(&waker)));
        let supervisor = self.supervise(place, &waker);
        let upstream = Upstream::new(join.output.waker.to_waker());
        self.agree(&name, sink.takes(), &join.output);
        let node = SinkNode::new(sink, self.cx(&supervisor, upstream.clone()), supervisor, own_thread);
        self.join_one(&name, join, &waker, upstream, Box::new(node), own_thread);
    }

    pub(crate) fn add_many_stage<I: Item, O: Item>(
        &mut self,
        name: &str,
        stage: Box<dyn Stage<FromInput<I>, O>>,
    ) -> (Inputs<I>, Output<O>) {
        let (waker, takes) = (self.new_waker(), stage.takes());
        let (node, output) = self.node(name, stage, &waker, Upstream::new(waker.to_waker()), true);
        (self.gather(&output.stage, &waker, takes, Box::new(node)), output)
    }

    pub(crate) fn add_many_sink<T: Item>(&mut self, name: &str, sink: Box<dyn Sink<FromInput<T>>>) -> Inputs<T> {
        let (waker, takes) = (self.new_waker(), sink.takes());
        let name = self.named(name, &waker);
        let supervisor = self.new_supervisor(&name, Place::Sink, &waker);
        let node = SinkNode::new(sink, self.cx(&supervisor, Upstream::new(waker.to_waker())), supervisor, true);
        self.gather(&name, &waker, takes, Box::new(node))
    }

    fn node<I: Incoming, O: Item>(
        &mut self,
        name: &str,
        stage: Box<dyn Stage<I, O>>,
        waker: &Arc<TaskWaker>,
        upstream: Upstream,
        has_link: bool,
    ) -> (StageNode<I, O>, Output<O>) {
        let output = self.new_output(name, waker, stage.gives());
        let supervisor = self.new_supervisor(&output.stage, Place::Stage, waker);
        let cx = self.cx(&supervisor, upstream);
        let outputs = self.outputs(&output);
        (StageNode::new(stage, cx, outputs, supervisor, has_link), output)
    }

    /// The takers of `output`, and the way on which the program asks for what it gives.
    fn outputs<T: Item>(&self, output: &Output<T>) -> Outputs<T> {
        let requests = Upstream::new(output.waker.to_waker());
        self.shared.figures().set_requests(&output.stage, &requests);
        Outputs::new(&output.mailbox, requests)
    }

    fn gather<T: Item>(
        &mut self,
        name: &Arc<str>,
        waker: &Arc<TaskWaker>,
        takes: Option<Codec>,
        consumer: Box<dyn Consumer<FromInput<T>>>,
    ) -> Inputs<T> {
        let announced = Announced::new(name, waker, takes);
        self.host(name, waker, Box::new(ManyTask::new(&announced, consumer)), false);
        Inputs::new(announced)
    }

    /// Joins `consumer` to an output: through a link and a task of its own, or inline.
    fn join_one<T: Item>(
        &mut self,
        name: &Arc<str>,
        join: Join<T>,
        waker: &Arc<TaskWaker>,
        upstream: Upstream,
        consumer: Box<dyn Consumer<T>>,
        own_thread: bool,
    ) {
        if own_thread {
            let exit = self.link(name, join, waker, upstream);
            self.host(name, waker, Box::new(LinkTask::new(exit, consumer)), false);
        } else {
            self.edge(&join.output, consumer, upstream);
        }
    }

    /// Joins a link to an output; the end that `waker`'s task takes from.
    pub(super) fn link<T: Item>(
        &mut self,
        to: &Arc<str>,
        join: Join<T>,
        waker: &Arc<TaskWaker>,
        upstream: Upstream,
    ) -> Exit<T> {
        let Join { output, link: chosen } = join;
        let chosen = chosen.unwrap_or_else(default_link::<T>);
        let counts = Arc::default();
        let (entry, exit) = link(chosen, &output.waker, waker, &self.clock, &upstream, &counts);
        self.shared.figures().add_link(self.part.id(), &output.stage, to, chosen, &counts);
        self.edge(&output, Box::new(entry), upstream);
        exit
    }

    fn edge<T: Item>(&mut self, output: &Output<T>, consumer: Box<dyn Consumer<T>>, upstream: Upstream) {
        let leave = Arc::<Leave>::default();
        output.mailbox.post(Edge::new(consumer, upstream, &leave, self.part_alive.clone()));
        output.waker.notify();
        // What is joined within a part stays so when it is detached, and drains.
        if output.part != self.part.id() {
            self.part.add_join(leave, Arc::clone(&output.waker));
        }
    }

    /// Refuses to join `output` to the stage `name`, which takes one codec only, if it gives another.
    pub(super) fn agree<T>(&mut self, name: &str, takes: Option<Codec>, output: &Output<T>) {
        let (Some(takes), Some(gives)) = (takes, &output.codec) else { return };
        if !takes.same_encoding(gives) && self.wrong.is_none() {
            let from = &output.stage;
            let message = format!("it takes {takes}, and `{from}` gives {gives}; join it to what gives {takes}");
            self.wrong = Some(Error::config(message).in_stage(name));
        }
    }

    fn new_output<T>(&mut self, name: &str, waker: &Arc<TaskWaker>, codec: Option<Codec>) -> Output<T> {
        let (stage, waker) = (self.named(name, waker), Arc::clone(waker));
        Output { stage, mailbox: Mailbox::new(), waker, part: self.part.id(), codec }
    }

    /// The name of a stage that is hosted by the task of `waker`.
    fn named(&mut self, name: &str, waker: &Arc<TaskWaker>) -> Arc<str> {
        let name: Arc<str> = Arc::from(name);
        self.homes.push((Arc::clone(&name), Arc::clone(waker)));
        name
    }

    fn new_waker(&mut self) -> Arc<TaskWaker> {
        let waker = Arc::default();
        self.shared.add(&waker);
        self.part.add_waker(&waker);
        waker
    }

    fn new_supervisor(&mut self, name: &Arc<str>, stands: Place, waker: &Arc<TaskWaker>) -> Supervisor {
        let place = self.reserve(name, stands);
        self.supervise(place, waker)
    }

    /// Gives a stage its place in the order of declaration and in the statistics.
    fn reserve(&mut self, name: &Arc<str>, stands: Place) -> Reserved {
        let on_failure = Arc::<FailurePolicy>::default();
        self.on_failure.push((Arc::clone(name), Arc::clone(&on_failure)));
        let mut figures = self.shared.figures();
        if figures.has(name) && self.wrong.is_none() {
            self.wrong = Some(Error::config(format!("two stages are called `{name}`; give each a name of its own")));
        }
        let counts = Arc::default();
        let index = figures.add_stage(self.part.id(), name, stands, &counts);
        Reserved { name: Arc::clone(name), index, counts, on_failure }
    }

    fn supervise(&self, place: Reserved, waker: &Arc<TaskWaker>) -> Supervisor {
        let Reserved { name, index, counts, on_failure } = place;
        Supervisor {
            name,
            part: Arc::clone(&self.part),
            place: index,
            counts,
            waker: StageWaker::new(waker),
            shared: Arc::clone(&self.shared),
            clock: self.clock.clone(),
            timed: self.timed,
            reopens: false,
            on_failure,
        }
    }

    fn cx(&self, supervisor: &Supervisor, upstream: Upstream) -> Cx {
        Cx::new(self.clock.clone(), Waker::from(Arc::clone(&supervisor.waker)), upstream, self.part.run.clone())
    }

    fn host(&mut self, name: &Arc<str>, waker: &Arc<TaskWaker>, task: Box<dyn Task>, blocking: bool) {
        self.tasks.push(Hosted {
            name: Arc::clone(name),
            part: Arc::clone(&self.part),
            _part_alive: self.part_alive.clone(),
            waker: Arc::clone(waker),
            task,
            blocking,
            costs: Vec::new(),
            busy_until: None,
            alive: Arc::default(),
        });
    }
}
