//! A pipeline that a seed decides.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::time::Duration;

use millstream_core::{AudioFrame, EncodedFrame, VideoFrame};
use millstream_pipeline::{Link, Output, Pipeline, Policy};

use crate::camera::{Camera, Coding, Flow};
use crate::journal::{Journal, StageId};
use crate::random::Random;
use crate::stages::{Decoder, From, Habit, Muxer, Screen, Worker};

/// A pipeline that a seed decides, while it is built.
pub(crate) struct Topology<'a> {
    pipeline: &'a mut Pipeline,
    random: Random,
    journal: Journal,
    stages: StageId,
    /// Sources, each with a sink that must get all it gives.
    pub(crate) punctual: Vec<(String, String)>,
}

/// Somewhere to go on from.
struct Tip<T> {
    output: Output<T>,
    stage: StageId,
    /// Whether it runs in the task of a source that must never wait.
    free: bool,
}

fn name(id: StageId) -> String {
    format!("stage {id}")
}

pub(crate) fn link(random: &mut Random, may_block: bool) -> Link {
    let items = NonZeroUsize::new(random.within(1, 9) as usize).expect("at least one");
    let policies = [Policy::Latest, Policy::DropOldest, Policy::DropNewest, Policy::Block];
    let policy = *random.pick(&policies[..if may_block { 4 } else { 3 }]);
    let max_age = (policy != Policy::Block && random.percent(40)).then(|| random.millis(1, 150));
    Link { policy, items: if policy == Policy::Latest { NonZeroUsize::MIN } else { items }, max_age }
}

/// Mostly quick, sometimes slow, and seldom at a stand.
fn cost(mut random: Random) -> impl FnMut(u64) -> Duration + Send + 'static {
    let usual = *random.pick(&[1, 5, 20, 60]);
    move |_| match random.within(0, 100) {
        0..3 => random.millis(100, 600),
        3..30 => Duration::ZERO,
        _ => random.millis(0, usual + 1),
    }
}

impl Topology<'_> {
    pub(crate) fn build(pipeline: &mut Pipeline, seed: u64, journal: &Journal) -> Vec<(String, String)> {
        let random = Random::new(seed);
        let journal = journal.clone();
        let mut topology = Topology { pipeline, random, journal, stages: 0, punctual: Vec::new() };
        for _ in 0..topology.random.within(1, 3) {
            match topology.random.within(0, 4) {
                0 => topology.grow::<VideoFrame>(),
                1 => topology.grow::<AudioFrame>(),
                _ => topology.grow::<EncodedFrame>(),
            }
        }
        topology.punctual
    }

    fn next_id(&mut self) -> StageId {
        self.stages += 1;
        self.stages - 1
    }

    /// Sources of one kind with all that hangs on them.
    fn grow<T: Flow>(&mut self) {
        let mut tips: Vec<Tip<T>> = Vec::new();
        for _ in 0..self.random.within(1, 3) {
            let tip = self.source::<T>();
            tips.push(tip);
        }
        for _ in 0..self.random.within(1, 7) {
            let from = self.random.within(0, tips.len() as u64) as usize;
            let tip = self.stage(&tips[from]);
            tips.push(tip);
        }
        for tip in &tips {
            for _ in 0..self.random.within(0, 3) {
                self.sink(tip);
            }
        }
        for _ in 0..self.random.within(0, 3) {
            self.muxer(&tips);
        }
    }

    fn source<T: Flow>(&mut self) -> Tip<T> {
        let (id, free) = (self.next_id(), self.random.percent(60));
        let coding = if T::RAW.is_some() { Coding::RAW } else { Coding::by_chance(&mut self.random) };
        let camera = Camera::<T>::new(id, &self.journal, coding, self.random.fork());
        let tip = Tip { output: self.pipeline.source(&name(id), camera), stage: id, free };
        if free {
            self.punctual(&tip);
        } else if self.random.percent(30) {
            self.pipeline.cost(&name(id), cost(self.random.fork()));
        }
        tip
    }

    /// A sink that must get everything from a source at its time.
    fn punctual<T: Flow>(&mut self, source: &Tip<T>) {
        let id = self.next_id();
        let link = self.random.percent(70).then(|| Link::block(NonZeroUsize::MIN));
        let from = From { stage: source.stage, link };
        self.screen(id, &source.output, from, true);
        self.punctual.push((name(source.stage), name(id)));
    }

    fn screen<T: Flow>(&mut self, id: StageId, output: &Output<T>, from: From, punctual: bool) {
        let screen = Screen { id, from, journal: self.journal.clone(), decoder: Decoder::default(), punctual };
        match from.link {
            Some(link) => self.pipeline.sink(&name(id), output.through(link), screen),
            None => self.pipeline.inline_sink(&name(id), output, screen),
        }
    }

    fn stage<T: Flow>(&mut self, tip: &Tip<T>) -> Tip<T> {
        let id = self.next_id();
        let habit = match self.random.within(0, 6) {
            0 => Habit::Gather(self.random.within(2, 6) as usize),
            1 => Habit::Delay(self.random.millis(1, 80)),
            // Who refuses encoded video leaves a gap that no link knows of.
            2 if T::RAW.is_some() => Habit::Refuse(10),
            _ => Habit::Pass,
        };
        let link = self.random.percent(60).then(|| link(&mut self.random, !tip.free));
        let worker = Worker {
            id,
            from: From { stage: tip.stage, link },
            journal: self.journal.clone(),
            habit,
            random: self.random.fork(),
            inside: VecDeque::new(),
        };
        let (output, free) = match link {
            Some(link) => (self.pipeline.stage(&name(id), tip.output.through(link), worker), false),
            None => (self.pipeline.inline(&name(id), &tip.output, worker), tip.free),
        };
        if !free && self.random.percent(50) {
            self.pipeline.cost(&name(id), cost(self.random.fork()));
        }
        Tip { output, stage: id, free }
    }

    fn sink<T: Flow>(&mut self, tip: &Tip<T>) {
        let id = self.next_id();
        let link = self.random.percent(70).then(|| link(&mut self.random, !tip.free));
        self.screen(id, &tip.output, From { stage: tip.stage, link }, false);
        if !(tip.free && link.is_none()) && self.random.percent(60) {
            self.pipeline.cost(&name(id), cost(self.random.fork()));
        }
    }

    fn muxer<T: Flow>(&mut self, tips: &[Tip<T>]) {
        let id = self.next_id();
        let joins: Vec<(&Tip<T>, Link)> = (0..self.random.within(1, 4))
            .map(|_| {
                let tip = self.random.pick(tips);
                (tip, link(&mut self.random, !tip.free))
            })
            .collect();
        // Held through `block` it would keep the source waiting that the slower input may hang on too.
        let from = joins
            .iter()
            .map(|(tip, link)| (From { stage: tip.stage, link: Some(*link) }, link.policy != Policy::Block));
        let muxer = Muxer {
            id,
            journal: self.journal.clone(),
            from: from.collect(),
            inputs: Default::default(),
            ahead: self.random.millis(0, 200),
        };
        let inputs = self.pipeline.many_sink(&name(id), muxer);
        for (tip, link) in joins {
            self.pipeline.join(&inputs, tip.output.through(link));
        }
        if self.random.percent(60) {
            self.pipeline.cost(&name(id), cost(self.random.fork()));
        }
    }
}
