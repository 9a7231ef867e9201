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
use crate::node::{Seat, SinkNode, StageNode};
use crate::outputs::{Consumer, Edge, Mailbox, Outputs};
use crate::part_state::Leave;
use crate::signal::{Signal, Woken};
use crate::source::{DriverTask, SourceTask};
use crate::stats::StageCounts;
use crate::task::{Hosted, LinkTask, Task};

/// The place of a stage in the order of declaration and in the statistics.
pub(super) struct Reserved {
    name: Arc<str>,
    index: usize,
    counts: Arc<StageCounts>,
    on_failure: Arc<FailurePolicy>,
}

impl Pipeline {
    pub(crate) fn add_source<T: Item>(&mut self, name: &str, source: Box<dyn Source<T>>, blocking: bool) -> Output<T> {
        let signal = self.new_signal();
        let output = self.new_output(name, &signal, source.gives());
        let seat = Seat { reopens: true, ..self.seat(&output.stage, Place::Source, &signal) };
        let cx = self.cx(&seat, Upstream::default());
        let outputs = self.outputs(&output);
        let task = SourceTask::new(source, cx, outputs, seat);
        self.host(&output.stage, &signal, Box::new(task), blocking);
        output
    }

    pub(crate) fn add_driver(&mut self, name: &str, driver: Box<dyn Source<Infallible>>) {
        let signal = self.new_signal();
        let name = self.named(name, &signal);
        let seat = Seat { reopens: true, ..self.seat(&name, Place::Bundle, &signal) };
        let cx = self.cx(&seat, Upstream::default());
        self.host(&name, &signal, Box::new(DriverTask::new(driver, cx, seat)), false);
    }

    pub(crate) fn add_stage<I: Item, O: Item>(
        &mut self,
        name: &str,
        join: Join<I>,
        stage: Box<dyn Stage<I, O>>,
        own_thread: bool,
    ) -> Output<O> {
        let signal = if own_thread { self.new_signal() } else { Arc::clone(&join.output.signal) };
        let upstream = Upstream::new(join.output.signal.waker());
        let takes = stage.takes();
        let (node, output) = self.node(name, stage, &signal, upstream.clone(), own_thread);
        self.agree(&output.stage, takes, &join.output);
        self.join_one(&output.stage, join, &signal, upstream, Box::new(node), own_thread);
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
        let signal = if own_thread { self.new_signal() } else { Arc::clone(&join.output.signal) };
        self.homes.push((Arc::clone(&name), Arc::clone(&signal)));
        let seat = self.seat_at(place, &signal);
        let upstream = Upstream::new(join.output.signal.waker());
        self.agree(&name, sink.takes(), &join.output);
        let node = SinkNode::new(sink, self.cx(&seat, upstream.clone()), seat, own_thread);
        self.join_one(&name, join, &signal, upstream, Box::new(node), own_thread);
    }

    pub(crate) fn add_many_stage<I: Item, O: Item>(
        &mut self,
        name: &str,
        stage: Box<dyn Stage<FromInput<I>, O>>,
    ) -> (Inputs<I>, Output<O>) {
        let (signal, takes) = (self.new_signal(), stage.takes());
        let (node, output) = self.node(name, stage, &signal, Upstream::new(signal.waker()), true);
        (self.gather(&output.stage, &signal, takes, Box::new(node)), output)
    }

    pub(crate) fn add_many_sink<T: Item>(&mut self, name: &str, sink: Box<dyn Sink<FromInput<T>>>) -> Inputs<T> {
        let (signal, takes) = (self.new_signal(), sink.takes());
        let name = self.named(name, &signal);
        let seat = self.seat(&name, Place::Sink, &signal);
        let node = SinkNode::new(sink, self.cx(&seat, Upstream::new(signal.waker())), seat, true);
        self.gather(&name, &signal, takes, Box::new(node))
    }

    fn node<I: Incoming, O: Item>(
        &mut self,
        name: &str,
        stage: Box<dyn Stage<I, O>>,
        signal: &Arc<Signal>,
        upstream: Upstream,
        has_link: bool,
    ) -> (StageNode<I, O>, Output<O>) {
        let output = self.new_output(name, signal, stage.gives());
        let seat = self.seat(&output.stage, Place::Stage, signal);
        let cx = self.cx(&seat, upstream);
        let outputs = self.outputs(&output);
        (StageNode::new(stage, cx, outputs, seat, has_link), output)
    }

    /// The takers of `output`, and the way on which the program asks for what it gives.
    fn outputs<T: Item>(&self, output: &Output<T>) -> Outputs<T> {
        let requests = Upstream::new(output.signal.waker());
        self.shared.figures().set_requests(&output.stage, &requests);
        Outputs::new(&output.mailbox, requests)
    }

    fn gather<T: Item>(
        &mut self,
        name: &Arc<str>,
        signal: &Arc<Signal>,
        takes: Option<Codec>,
        consumer: Box<dyn Consumer<FromInput<T>>>,
    ) -> Inputs<T> {
        let announced = Announced::new(name, signal, takes);
        self.host(name, signal, Box::new(ManyTask::new(&announced, consumer)), false);
        Inputs::new(announced)
    }

    /// Joins `consumer` to an output: through a link and a task of its own, or inline.
    fn join_one<T: Item>(
        &mut self,
        name: &Arc<str>,
        join: Join<T>,
        signal: &Arc<Signal>,
        upstream: Upstream,
        consumer: Box<dyn Consumer<T>>,
        own_thread: bool,
    ) {
        if own_thread {
            let exit = self.link(name, join, signal, upstream);
            self.host(name, signal, Box::new(LinkTask::new(exit, consumer)), false);
        } else {
            self.edge(&join.output, consumer, upstream);
        }
    }

    /// Joins a link to an output; the end that `signal`'s task takes from.
    pub(super) fn link<T: Item>(
        &mut self,
        to: &Arc<str>,
        join: Join<T>,
        signal: &Arc<Signal>,
        upstream: Upstream,
    ) -> Exit<T> {
        let Join { output, link: chosen } = join;
        let chosen = chosen.unwrap_or_else(default_link::<T>);
        let counts = Arc::default();
        let (entry, exit) = link(chosen, &output.signal, signal, &self.clock, &upstream, &counts);
        self.shared.figures().add_link(self.part.id(), &output.stage, to, chosen, &counts);
        self.edge(&output, Box::new(entry), upstream);
        exit
    }

    fn edge<T: Item>(&mut self, output: &Output<T>, consumer: Box<dyn Consumer<T>>, upstream: Upstream) {
        let leave = Arc::<Leave>::default();
        output.mailbox.post(Edge::new(consumer, upstream, &leave, self.part_alive.clone()));
        output.signal.ring();
        // What is joined within a part stays so when it is detached, and drains.
        if output.part != self.part.id() {
            self.part.add_join(leave, Arc::clone(&output.signal));
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

    fn new_output<T>(&mut self, name: &str, signal: &Arc<Signal>, codec: Option<Codec>) -> Output<T> {
        let (stage, signal) = (self.named(name, signal), Arc::clone(signal));
        Output { stage, mailbox: Mailbox::new(), signal, part: self.part.id(), codec }
    }

    /// The name of a stage that is hosted by the task of `signal`.
    fn named(&mut self, name: &str, signal: &Arc<Signal>) -> Arc<str> {
        let name: Arc<str> = Arc::from(name);
        self.homes.push((Arc::clone(&name), Arc::clone(signal)));
        name
    }

    fn new_signal(&mut self) -> Arc<Signal> {
        let signal = Arc::default();
        self.shared.add(&signal);
        self.part.add_signal(&signal);
        signal
    }

    fn seat(&mut self, name: &Arc<str>, stands: Place, signal: &Arc<Signal>) -> Seat {
        let place = self.reserve(name, stands);
        self.seat_at(place, signal)
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

    fn seat_at(&self, place: Reserved, signal: &Arc<Signal>) -> Seat {
        let Reserved { name, index, counts, on_failure } = place;
        Seat {
            name,
            part: Arc::clone(&self.part),
            place: index,
            counts,
            woken: Woken::new(signal),
            shared: Arc::clone(&self.shared),
            clock: self.clock.clone(),
            timed: self.timed,
            reopens: false,
            on_failure,
        }
    }

    fn cx(&self, seat: &Seat, upstream: Upstream) -> Cx {
        Cx::new(self.clock.clone(), Waker::from(Arc::clone(&seat.woken)), upstream, self.part.run.clone())
    }

    fn host(&mut self, name: &Arc<str>, signal: &Arc<Signal>, task: Box<dyn Task>, blocking: bool) {
        self.tasks.push(Hosted {
            name: Arc::clone(name),
            part: Arc::clone(&self.part),
            _part_alive: self.part_alive.clone(),
            signal: Arc::clone(signal),
            task,
            blocking,
            costs: Vec::new(),
            busy_until: None,
            alive: Arc::default(),
        });
    }
}
