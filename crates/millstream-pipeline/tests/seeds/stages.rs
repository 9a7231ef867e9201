//! Stages and sinks that write down what they take and give, and check it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use millstream_core::{Cx, Error, FromInput, InputEvent, InputId, Out, Result, Sink, Stage, Timestamp};
use millstream_pipeline::Link;

use crate::camera::Flow;
use crate::journal::{Journal, Key, StageId, key};
use crate::random::Random;

/// Where a consumer's items come from.
#[derive(Clone, Copy)]
pub(crate) struct From {
    pub(crate) stage: StageId,
    /// `None` where it runs inline.
    pub(crate) link: Option<Link>,
}

/// How a stage gives what it takes.
#[derive(Clone, Copy)]
pub(crate) enum Habit {
    /// At once.
    Pass,
    /// Several at a time, and the rest at the end.
    Gather(usize),
    /// Each so much later, by its alarm.
    Delay(Duration),
    /// At once, but refuses so many of a hundred.
    Refuse(u64),
}

pub(crate) struct Worker<T> {
    pub(crate) id: StageId,
    pub(crate) from: From,
    pub(crate) journal: Journal,
    pub(crate) habit: Habit,
    pub(crate) random: Random,
    pub(crate) inside: VecDeque<(T, Timestamp)>,
}

impl<T: Flow> Worker<T> {
    fn give(&mut self, out: &mut Out<T>, due: Timestamp) {
        while let Some((item, _)) = self.inside.pop_front_if(|(_, at)| *at <= due) {
            self.journal.given(self.id, &item, out.now());
            out.push(item);
        }
        if let Some((_, at)) = self.inside.front() {
            out.wake_at(*at);
        }
    }
}

impl<T: Flow> Stage<T, T> for Worker<T> {
    fn process(&mut self, item: T, out: &mut Out<T>) -> Result<()> {
        let now = out.now();
        self.journal.taken(self.from.stage, self.from.link, &item, now);
        match self.habit {
            Habit::Refuse(chance) if self.random.percent(chance) => return Err(Error::bad_item("refused")),
            Habit::Pass | Habit::Refuse(_) => self.inside.push_back((item, now)),
            Habit::Delay(by) => self.inside.push_back((item, now + by)),
            Habit::Gather(count) => {
                self.inside.push_back((item, Timestamp::from_nanos(u64::MAX)));
                if self.inside.len() < count {
                    return Ok(());
                }
                for (_, at) in &mut self.inside {
                    *at = now;
                }
            }
        }
        self.give(out, now);
        Ok(())
    }

    fn wake(&mut self, out: &mut Out<T>) -> Result<()> {
        let now = out.now();
        self.give(out, now);
        Ok(())
    }

    fn finish(&mut self, out: &mut Out<T>) -> Result<()> {
        self.give(out, Timestamp::from_nanos(u64::MAX));
        Ok(())
    }
}

/// What a decoder has, by which it knows whether it can decode an item.
#[derive(Default)]
pub(crate) struct Decoder {
    has: HashSet<Key>,
    newest: Option<Key>,
}

impl Decoder {
    fn take<T: Flow>(&mut self, sink: StageId, from: From, journal: &Journal, item: &T, now: Timestamp) {
        let key = key(item);
        journal.taken(from.stage, from.link, item, now);
        let missing: Vec<Key> = {
            let pages = journal.pages();
            pages.refers[&key].iter().filter(|refers| !self.has.contains(refers)).copied().collect()
        };
        if !missing.is_empty() {
            let (role, layer) = (item.role(), item.layer());
            journal
                .wrong(format!("sink {sink} got {key} ns, {role:?} {layer:?}, without {missing:?} through {from:?}"));
        }
        if self.newest.replace(key).is_some_and(|newest| newest >= key) {
            journal.wrong(format!("sink {sink} got {key} ns twice or out of order"));
        }
        self.has.insert(key);
        journal.delivered(sink, &item.bytes(), key, now);
    }
}

impl std::fmt::Debug for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} from {}", self.link, self.stage)
    }
}

pub(crate) struct Screen {
    pub(crate) id: StageId,
    pub(crate) from: From,
    pub(crate) journal: Journal,
    pub(crate) decoder: Decoder,
    /// Whether nothing on the way here is ever slow.
    pub(crate) punctual: bool,
}

impl<T: Flow> Sink<T> for Screen {
    fn consume(&mut self, item: T, cx: &mut Cx) -> Result<()> {
        self.decoder.take(self.id, self.from, &self.journal, &item, cx.now());
        // The last digits of a capture time say who gave it, and in which layer.
        if self.punctual && cx.now().since(item.time()).is_zero() && item.time().since(cx.now()).as_nanos() < 1000 {
            return Ok(());
        }
        if self.punctual {
            self.journal.wrong(format!("sink {} got what was due at {} at {}", self.id, item.time(), cx.now()));
        }
        Ok(())
    }
}

/// A sink with several inputs. Like a muxer it holds those that are ahead.
pub(crate) struct Muxer {
    pub(crate) id: StageId,
    pub(crate) journal: Journal,
    /// In the order in which they join; whether each may be held.
    pub(crate) from: Vec<(From, bool)>,
    pub(crate) inputs: HashMap<InputId, (Decoder, Timestamp)>,
    pub(crate) ahead: Duration,
}

impl<T: Flow> Sink<FromInput<T>> for Muxer {
    fn consume(&mut self, received: FromInput<T>, cx: &mut Cx) -> Result<()> {
        let input = received.input;
        match received.event {
            InputEvent::Joined => {
                self.inputs.insert(input, (Decoder::default(), Timestamp::ZERO));
            }
            InputEvent::Ended => {
                self.inputs.remove(&input);
            }
            InputEvent::Item(item) => {
                if cx.is_held(input) {
                    self.journal.wrong(format!("{} got an item from an input that it holds", self.id));
                }
                let from = self.from[input.index() as usize].0;
                let (decoder, newest) = self.inputs.get_mut(&input).expect("it joined");
                decoder.take(self.id, from, &self.journal, &item, cx.now());
                *newest = item.time();
            }
        }
        let Some(slowest) = self.inputs.values().map(|(_, newest)| *newest).min() else { return Ok(()) };
        for (input, (_, newest)) in &self.inputs {
            let may = self.from[input.index() as usize].1;
            cx.hold(*input, may && newest.since(slowest) > self.ahead);
        }
        Ok(())
    }
}
