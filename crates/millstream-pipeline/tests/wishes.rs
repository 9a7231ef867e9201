//! What a consumer wishes, what a stage decides at its own time, and what a link drops: through whole
//! pipelines, with exact counts and times.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millstream_core::units::Bitrate;
use millstream_core::{
    Bytes, Control, Cx, EncodedFrame, Error, FromInput, InputEvent, InputId, Layer, Layers, Next, OPUS, Out, Result,
    Role, Sink, Source, Stage, Timestamp, Utc, VP8,
};
use millstream_pipeline::{Link, Output, Pipeline, Policy, Stepped};

const FOUR: NonZeroUsize = NonZeroUsize::new(4).unwrap();

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn millis(time: Timestamp) -> u64 {
    time.as_nanos() / 1_000_000
}

fn frame(time: Timestamp, role: Role) -> EncodedFrame {
    let (duration, layer) = (Duration::ZERO, Layer::default());
    EncodedFrame::new(VP8, time, Bytes::new()).with_duration(duration).with_role(role).with_layer(layer)
}

fn stepped(build: impl FnOnce(&mut Pipeline)) -> Stepped {
    let mut pipeline = Pipeline::in_virtual_time("test", Utc::default());
    build(&mut pipeline);
    pipeline.step().expect("a good pipeline")
}

/// What happened, each with its millisecond.
#[derive(Debug)]
struct Journal<T>(Arc<Mutex<Vec<(u64, T)>>>);

impl<T> Clone for Journal<T> {
    fn clone(&self) -> Self {
        Journal(Arc::clone(&self.0))
    }
}

impl<T> Journal<T> {
    fn new() -> Journal<T> {
        Journal(Arc::default())
    }
    fn note(&self, cx: &Cx, what: T) {
        self.0.lock().unwrap().push((millis(cx.now()), what));
    }
    fn take(&self) -> Vec<(u64, T)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn pass(frame: EncodedFrame, out: &mut Out<EncodedFrame>) -> Result<()> {
    out.push(frame);
    Ok(())
}

/// An encoder with its camera: one key frame at the start and one whenever somebody wishes it. It
/// sleeps between, and notes when it is asked and what it hears.
struct OnDemand {
    wished: bool,
    sleep: Next<EncodedFrame>,
    asked: Journal<()>,
    heard: Journal<Control>,
}

impl OnDemand {
    fn new(sleep: Next<EncodedFrame>, asked: &Journal<()>, heard: &Journal<Control>) -> OnDemand {
        OnDemand { wished: true, sleep, asked: asked.clone(), heard: heard.clone() }
    }
}

impl Source<EncodedFrame> for OnDemand {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<EncodedFrame>> {
        self.asked.note(cx, ());
        if std::mem::take(&mut self.wished) {
            return Ok(Next::Item(frame(cx.now(), Role::Start)));
        }
        Ok(self.sleep.clone())
    }
    fn control(&mut self, wish: Control, cx: &mut Cx) {
        self.heard.note(cx, wish);
        self.wished |= matches!(wish, Control::KeyFrame(_));
    }
}

/// Wishes at its time what it is told to, and notes what comes.
struct Wisher {
    times: Vec<u64>,
    wishes: Vec<Control>,
    came: Journal<()>,
}

impl Wisher {
    fn new(times: &[u64], wishes: &[Control]) -> Wisher {
        Wisher { times: times.to_vec(), wishes: wishes.to_vec(), came: Journal::new() }
    }
    fn set_alarm(&self, cx: &mut Cx) {
        self.times.first().into_iter().for_each(|time| cx.wake_at(at(*time)));
    }
}

impl Sink<EncodedFrame> for Wisher {
    fn consume(&mut self, _: EncodedFrame, cx: &mut Cx) -> Result<()> {
        self.came.note(cx, ());
        self.set_alarm(cx);
        Ok(())
    }
    fn wake(&mut self, cx: &mut Cx) -> Result<()> {
        if self.times.first().is_some_and(|time| at(*time) <= cx.now()) {
            self.times.remove(0);
            self.wishes.iter().for_each(|wish| cx.ask(*wish));
        }
        self.set_alarm(cx);
        Ok(())
    }
}

const KEY_FRAME: Control = Control::KeyFrame(Layers::ALL);

#[test]
fn a_source_that_sleeps_is_asked_again_at_the_moment_somebody_wishes() {
    let hour = at(3_600_000);
    for sleep in [Next::Idle, Next::Until(hour)] {
        let (asked, heard) = (Journal::new(), Journal::new());
        let wisher = Wisher::new(&[250, 700], &[KEY_FRAME]);
        let came = wisher.came.clone();
        let mut run = stepped(|p| {
            let source = p.source("camera", OnDemand::new(sleep, &asked, &heard));
            let first = p.inline("first", &source, pass);
            let second = p.inline("second", &first, pass);
            let third = p.inline("third", &second, pass);
            p.inline_sink("viewer", &third, wisher);
        });
        run.run_until(at(1000)).unwrap();
        assert_eq!(heard.take(), [(250, KEY_FRAME), (700, KEY_FRAME)]);
        assert_eq!(came.take(), [(0, ()), (250, ()), (700, ())]);
        assert_eq!(asked.take(), [(0, ()), (0, ()), (250, ()), (250, ()), (700, ()), (700, ())]);
    }
}

#[test]
fn a_wish_wakes_a_source_that_sleeps_on_its_thread() {
    struct Sleeper(bool);
    impl Source<EncodedFrame> for Sleeper {
        fn next(&mut self, cx: &mut Cx) -> Result<Next<EncodedFrame>> {
            Ok(if self.0 { Next::End } else { Next::Until(cx.start() + Duration::from_secs(3600)) })
        }
        fn control(&mut self, _: Control, _: &mut Cx) {
            self.0 = true;
        }
    }
    let mut pipeline = Pipeline::new("sleeper");
    let source = pipeline.source("sleeper", Sleeper(false));
    let passed = pipeline.inline("pass", &source, pass);
    let trigger = pipeline.source("trigger", OnDemand::new(Next::End, &Journal::new(), &Journal::new()));
    let inputs = pipeline.many_sink("end", |received: FromInput<EncodedFrame>, cx: &mut Cx| {
        if let InputEvent::Item(_) = received.event {
            cx.ask_input(InputId::new(0), KEY_FRAME);
        }
        Ok(())
    });
    pipeline.join(&inputs, &passed);
    pipeline.join(&inputs, &trigger);
    drop(inputs);
    // Ends only because the sleeper is woken an hour early.
    pipeline.spawn().unwrap().wait().unwrap();
}

/// Two viewers behind `join`, who wish at the same time and then one after the other.
fn two_branches(join: impl Fn(&mut Pipeline, &str, &Output<EncodedFrame>, Wisher)) -> (Vec<(u64, Control)>, usize) {
    let (asked, heard) = (Journal::new(), Journal::new());
    let wishes =
        |layer, kbps| [Control::KeyFrame(Layers::spatial(layer)), Control::Bitrate(Some(Bitrate::from_kbps(kbps)))];
    let left = Wisher::new(&[100, 200], &wishes(0, 500));
    let right = Wisher::new(&[100, 300], &wishes(2, 300));
    let came = left.came.clone();
    let mut run = stepped(|p| {
        let source = p.source("camera", OnDemand::new(Next::Idle, &asked, &heard));
        join(p, "left", &source, left);
        join(p, "right", &source, right);
    });
    run.run_until(at(1000)).unwrap();
    (heard.take(), came.take().len())
}

#[test]
fn what_two_branches_wish_at_once_is_heard_once() {
    let lowest = Control::Bitrate(Some(Bitrate::from_kbps(300)));
    let key = |layers| Control::KeyFrame(layers);
    let (lower, upper) = (Layers::spatial(0), Layers::spatial(2));
    let expected = vec![
        (100, key(lower.union(upper))),
        (100, lowest),
        (200, key(lower)),
        (200, lowest),
        (300, key(upper)),
        (300, lowest),
    ];
    let inline = two_branches(|p, name, source, wisher| {
        let passed = p.inline(&format!("to {name}"), source, pass);
        p.inline_sink(name, &passed, wisher);
    });
    assert_eq!(inline, (expected.clone(), 4));
    let linked = two_branches(|p, name, source, wisher| {
        let passed = p.stage(&format!("to {name}"), source.through(Link::block(FOUR)), pass);
        p.sink(name, passed.through(Link::drop_oldest(FOUR)), wisher);
    });
    assert_eq!(linked, (expected, 4));
}

#[test]
fn a_wish_reaches_the_input_it_names_or_all() {
    let heard = [Journal::new(), Journal::new()];
    let mut run = stepped(|p| {
        let sources = ["a", "b"].map(|name| {
            let heard = &heard[usize::from(name == "b")];
            p.source(name, OnDemand::new(Next::Idle, &Journal::new(), heard))
        });
        struct Chooser;
        impl Sink<FromInput<EncodedFrame>> for Chooser {
            fn consume(&mut self, received: FromInput<EncodedFrame>, cx: &mut Cx) -> Result<()> {
                if matches!(received.event, InputEvent::Joined) && received.input.index() == 1 {
                    cx.wake_at(at(100));
                }
                Ok(())
            }
            fn wake(&mut self, cx: &mut Cx) -> Result<()> {
                if cx.now() == at(100) {
                    cx.ask_input(InputId::new(1), Control::Pause(true));
                    cx.wake_at(at(200));
                } else {
                    cx.ask(KEY_FRAME);
                }
                Ok(())
            }
        }
        let inputs = p.many_sink("chooser", Chooser);
        for source in &sources {
            p.join(&inputs, source);
        }
    });
    run.run_until(at(1000)).unwrap();
    assert_eq!(heard[0].take(), [(200, KEY_FRAME)]);
    assert_eq!(heard[1].take(), [(100, Control::Pause(true)), (200, KEY_FRAME)]);
}

/// How long the reorderer waits for a packet that is missing.
const PATIENCE: Duration = Duration::from_millis(50);

/// As a jitter buffer does: packets come every 20 ms and leave in order. For one that is missing it
/// waits, then goes on without it, and wishes a key frame.
#[derive(Default)]
struct Reorderer {
    next: u64,
    waiting: BTreeMap<u64, EncodedFrame>,
    deadline: Option<Timestamp>,
    wakes: Arc<Mutex<u32>>,
}

impl Reorderer {
    fn give(&mut self, out: &mut Out<EncodedFrame>) {
        while let Some(packet) = self.waiting.remove(&self.next) {
            self.next += 1;
            self.deadline = None;
            out.push(packet);
        }
        if self.waiting.is_empty() {
            return;
        }
        let deadline = *self.deadline.get_or_insert(out.now() + PATIENCE);
        out.wake_at(deadline);
    }
}

impl Stage<EncodedFrame, EncodedFrame> for Reorderer {
    fn process(&mut self, packet: EncodedFrame, out: &mut Out<EncodedFrame>) -> Result<()> {
        let number = millis(packet.time) / 20;
        if number < self.next {
            return Err(Error::bad_item(format!("packet {number} was given up")));
        }
        self.waiting.insert(number, packet);
        self.give(out);
        Ok(())
    }
    fn wake(&mut self, out: &mut Out<EncodedFrame>) -> Result<()> {
        *self.wakes.lock().unwrap() += 1;
        if self.deadline.is_some_and(|deadline| deadline <= out.now()) {
            self.next = self.waiting.keys().next().copied().unwrap_or(self.next);
            out.ask(KEY_FRAME);
        }
        self.give(out);
        Ok(())
    }
}

/// Gives packets as the network does: each at its millisecond, whatever its number.
struct Network {
    arrivals: VecDeque<(u64, u64)>,
    heard: Journal<Control>,
}

impl Source<EncodedFrame> for Network {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<EncodedFrame>> {
        let Some(&(arrival, number)) = self.arrivals.front() else { return Ok(Next::End) };
        if cx.now() < at(arrival) {
            return Ok(Next::Until(at(arrival)));
        }
        self.arrivals.pop_front();
        Ok(Next::Item(frame(at(20 * number), Role::Start).with_codec(OPUS)))
    }
    fn control(&mut self, wish: Control, cx: &mut Cx) {
        self.heard.note(cx, wish);
    }
}

/// What leaves the reorderer and when, what the network hears, how often it was woken, and how many packets were bad.
type Reordered = (Vec<(u64, u64)>, Vec<(u64, Control)>, u32, u64);

fn reorder(arrivals: &[(u64, u64)]) -> Reordered {
    let (given, heard, wakes) = (Journal::new(), Journal::new(), Arc::default());
    let mut run = stepped(|p| {
        let network = Network { arrivals: arrivals.iter().copied().collect(), heard: heard.clone() };
        let network = p.source("network", network);
        let reorderer = Reorderer { wakes: Arc::clone(&wakes), ..Reorderer::default() };
        let ordered = p.stage("reorder", network.through(Link::block(FOUR)), reorderer);
        let given = given.clone();
        p.inline_sink("decoder", &ordered, move |packet: EncodedFrame, cx: &mut Cx| {
            given.note(cx, millis(packet.time) / 20);
            Ok(())
        });
    });
    run.run_to_end().unwrap();
    let bad = run.statistics().stage("reorder").unwrap().bad_items;
    let wakes = *wakes.lock().unwrap();
    (given.take(), heard.take(), wakes, bad)
}

#[test]
fn a_stage_that_waits_gives_up_by_itself_at_its_time() {
    // Nothing is missing: nothing is ever waited for.
    let in_order = reorder(&[(5, 0), (22, 1), (47, 2)]);
    assert_eq!(in_order, (vec![(5, 0), (22, 1), (47, 2)], vec![], 0, 0));
    // 2 is missing from 62 ms on and comes in time; the alarm it leaves behind changes nothing.
    let late = reorder(&[(5, 0), (22, 1), (62, 3), (83, 4), (111, 2), (112, 5), (170, 6)]);
    assert_eq!(late, (vec![(5, 0), (22, 1), (111, 2), (111, 3), (111, 4), (112, 5), (170, 6)], vec![], 1, 0));
    // It comes a millisecond too late: at 112 ms, and not when something comes, it was given up.
    let lost = reorder(&[(5, 0), (22, 1), (62, 3), (83, 4), (113, 2), (120, 5)]);
    let wished = vec![(112, KEY_FRAME)];
    assert_eq!(lost, (vec![(5, 0), (22, 1), (112, 3), (112, 4), (120, 5)], wished, 1, 1));
    // Two are missing, and each has its own time.
    let twice = reorder(&[(0, 0), (40, 2), (80, 4), (200, 5)]);
    let wished = vec![(90, KEY_FRAME), (140, KEY_FRAME)];
    assert_eq!(twice, (vec![(0, 0), (90, 2), (140, 4), (200, 5)], wished, 2, 0));
}

/// Gives `frames`, `each` at a time, at intervals; notes what it hears.
struct Encoder<F> {
    frame: F,
    count: u64,
    each: u64,
    interval: u64,
    given: u64,
    heard: Journal<Control>,
}

impl<F: FnMut(u64, &Journal<Control>) -> (Role, Layer) + Send> Source<EncodedFrame> for Encoder<F> {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<EncodedFrame>> {
        if self.given == self.count {
            return Ok(Next::End);
        }
        let time = at(self.given / self.each * self.interval);
        if cx.now() < time {
            return Ok(Next::Until(time));
        }
        let (role, layer) = (self.frame)(self.given, &self.heard);
        self.given += 1;
        Ok(Next::Item(frame(time, role).with_layer(layer)))
    }
    fn control(&mut self, wish: Control, cx: &mut Cx) {
        self.heard.note(cx, wish);
    }
}

#[test]
fn discardable_frames_give_way_and_nobody_notices() {
    let (heard, came) = (Journal::new(), Journal::new());
    let mut run = stepped(|p| {
        // Every other frame is discardable, and the sink manages half of all.
        let frame = |number, _: &Journal<_>| match number {
            0 => (Role::Start, Layer::default()),
            odd if odd % 2 == 1 => (Role::Discardable, Layer::default()),
            _ => (Role::Reference, Layer::default()),
        };
        let encoder = Encoder { frame, count: 100, each: 1, interval: 10, given: 0, heard: heard.clone() };
        let encoder = p.source("encoder", encoder);
        let passed = p.inline("pass", &encoder, pass);
        let came = came.clone();
        let two = NonZeroUsize::new(2).unwrap();
        p.sink("slow", passed.through(Link::drop_oldest(two)), move |frame: EncodedFrame, cx: &mut Cx| {
            came.note(cx, millis(frame.time) / 10);
            Ok(())
        });
        p.cost("slow", |_| Duration::from_millis(20));
    });
    run.run_to_end().unwrap();
    let statistics = run.statistics();
    let link = statistics.link("pass", "slow").unwrap();
    assert_eq!((link.entered, link.left, link.dropped_full, link.waiting, link.most_waiting), (100, 52, 48, 0, 2));
    assert_eq!((link.dropped(), link.gaps), (48, 0));
    assert_eq!(heard.take(), []);
    // Each is taken when the one before is done. The first discardable one and the last found room.
    let numbers = [0, 1].into_iter().chain((2..100).step_by(2)).chain([99]);
    let expected: Vec<(u64, u64)> = numbers.enumerate().map(|(place, number)| (20 * place as u64, number)).collect();
    assert_eq!(came.take(), expected);
}

#[test]
fn a_dropped_layer_closes_those_above_it_and_only_they_begin_anew() {
    let (heard, came) = (Journal::new(), Journal::new());
    let mut run = stepped(|p| {
        let mut wished: Option<(u64, Layers)> = None;
        // Three layers to a picture. A wish is answered with the picture after next.
        let frame = move |number: u64, heard: &Journal<Control>| {
            let (picture, spatial) = (number / 3, (number % 3) as u8);
            if let Some((_, Control::KeyFrame(layers))) = heard.0.lock().unwrap().first() {
                wished.get_or_insert((picture + 2, *layers));
            }
            let answers = wished.is_some_and(|(due, layers)| due == picture && layers.contains(spatial));
            let role = if picture == 0 || answers { Role::Start } else { Role::Reference };
            (role, Layer::stacked(spatial, 0))
        };
        let encoder = Encoder { frame, count: 18, each: 3, interval: 30, given: 0, heard: heard.clone() };
        let encoder = p.source("encoder", encoder);
        let came = came.clone();
        let link = Link { policy: Policy::DropNewest, ..Link::drop_oldest(NonZeroUsize::new(3).unwrap()) };
        p.sink("slow", encoder.through(link), move |frame: EncodedFrame, cx: &mut Cx| {
            came.note(cx, (millis(frame.time) / 30, frame.layer.spatial));
            Ok(())
        });
        // The lowest layer of picture 1 takes until after picture 2 has come.
        p.cost("slow", |number| Duration::from_millis(if number == 3 { 35 } else { 0 }));
    });
    run.run_to_end().unwrap();
    // Behind the upper layers of picture 1 there is room for the lowest of picture 2, and no more.
    let expected = [
        (0, vec![(0, 0), (0, 1), (0, 2)]),
        (30, vec![(1, 0)]),
        (65, vec![(1, 1), (1, 2), (2, 0)]),
        (90, vec![(3, 0)]),
        (120, vec![(4, 0), (4, 1), (4, 2)]),
        (150, vec![(5, 0), (5, 1), (5, 2)]),
    ];
    let expected: Vec<_> =
        expected.into_iter().flat_map(|(time, frames)| frames.into_iter().map(move |frame| (time, frame))).collect();
    assert_eq!(came.take(), expected);
    let statistics = run.statistics();
    let link = statistics.link("encoder", "slow").unwrap();
    assert_eq!((link.entered, link.left, link.dropped_full, link.dropped_gap, link.gaps), (18, 14, 1, 3, 1));
    assert_eq!(heard.take(), [(60, Control::KeyFrame(Layers::ALL.without(0)))]);
}

const UNLIMITED: Control = Control::Bitrate(None);

fn kbps(kbps: u64) -> Control {
    Control::Bitrate(Some(Bitrate::from_kbps(kbps)))
}

/// Wishes `wishes` with its first frame.
fn wishing(wishes: Vec<Control>) -> impl Sink<EncodedFrame> {
    let mut wishes = Some(wishes);
    move |_: EncodedFrame, cx: &mut Cx| {
        wishes.take().into_iter().flatten().for_each(|wish| cx.ask(wish));
        Ok(())
    }
}

/// A source with a frame each 10 ms; what it hears of takers that come and go every 100 ms, in the order of
/// `takers`, each with what it wishes and when it leaves.
fn heard_of(takers: Vec<(Vec<Control>, u64)>) -> Vec<(u64, Control)> {
    let heard = Journal::new();
    let mut pipeline = Pipeline::in_virtual_time("test", Utc::default());
    let frame = |_, _: &Journal<Control>| (Role::Start, Layer::default());
    let encoder = Encoder { frame, count: 200, each: 1, interval: 10, given: 0, heard: heard.clone() };
    let encoder = pipeline.source("encoder", encoder);
    let tap = pipeline.inline("tap", &encoder, pass);
    let mut run = pipeline.step().unwrap();
    let mut branches = Vec::new();
    for (number, (wishes, until)) in takers.into_iter().enumerate() {
        run.run_until(at(number as u64 * 100 + 5)).unwrap();
        let name = format!("taker {number}");
        let build = |p: &mut Pipeline| p.sink(&name, tap.through(Link::block(FOUR)), wishing(wishes));
        let ((), branch) = run.attach(build).unwrap();
        branches.push((until, branch));
    }
    branches.sort_by_key(|(until, _)| *until);
    for (until, branch) in branches {
        run.run_until(at(until)).unwrap();
        run.remove(&branch, at(until)).unwrap();
    }
    run.run_until(at(1900)).unwrap();
    heard.take()
}

#[test]
fn who_leaves_limits_nobody_any_more() {
    let both = heard_of(vec![(vec![kbps(800)], 1500), (vec![kbps(300)], 1000)]);
    assert_eq!(both, [(10, kbps(800)), (110, kbps(300)), (1000, kbps(800))]);
    // Nobody else has a limit: it is taken off.
    let one = heard_of(vec![(vec![], 1500), (vec![kbps(300), Control::Loss(Some(0.25))], 1000)]);
    let (loss, none) = (Control::Loss(Some(0.25)), Control::Loss(None));
    assert_eq!(one, [(110, kbps(300)), (110, loss), (1000, UNLIMITED), (1000, none)]);
}

#[test]
fn who_joins_those_that_pause_or_want_less_gets_all() {
    let small = Control::MaxSize(Some((320, 180)));
    let heard = heard_of(vec![(vec![small, Control::Pause(true)], 1500), (vec![], 1000)]);
    let (large, awake) = (Control::MaxSize(None), Control::Pause(false));
    let paused = [(10, small), (10, Control::Pause(true))];
    let expected: Vec<_> =
        paused.into_iter().chain([(105, large), (105, awake), (1000, small), (1000, Control::Pause(true))]).collect();
    assert_eq!(heard, expected);
}

#[test]
fn a_taker_that_is_gone_by_itself_limits_nobody_either() {
    let heard = Journal::new();
    let mut run = stepped(|p| {
        let frame = |_, _: &Journal<Control>| (Role::Start, Layer::default());
        let encoder = Encoder { frame, count: 20, each: 1, interval: 10, given: 0, heard: heard.clone() };
        let encoder = p.source("encoder", encoder);
        p.sink("stays", encoder.through(Link::block(FOUR)), wishing(vec![kbps(800)]));
        let mut frames = 0;
        p.sink("fails", encoder.through(Link::block(FOUR)), move |_: EncodedFrame, cx: &mut Cx| {
            cx.ask(kbps(300));
            frames += 1;
            if frames == 5 { Err(Error::lost("hung up")) } else { Ok(()) }
        });
    });
    run.run_to_end().expect_err("one failed");
    let rates: Vec<_> = heard.take().into_iter().filter(|(time, _)| *time >= 40).collect();
    assert_eq!(rates, [(40, kbps(300)), (40, kbps(800))]);
}

#[test]
fn an_input_that_joins_later_hears_what_all_were_asked_for() {
    let heard = [Journal::new(), Journal::new()];
    let source = |heard: &Journal<Control>| {
        let frame = |_, _: &Journal<Control>| (Role::Start, Layer::default());
        Encoder { frame, count: 100, each: 1, interval: 10, given: 0, heard: heard.clone() }
    };
    let mut pipeline = Pipeline::in_virtual_time("test", Utc::default());
    let first = pipeline.source("first", source(&heard[0]));
    let inputs = pipeline.many_sink("mix", |received: FromInput<EncodedFrame>, cx: &mut Cx| {
        if matches!(received.event, InputEvent::Joined) && received.input.index() == 0 {
            [KEY_FRAME, kbps(300), kbps(200)].into_iter().for_each(|wish| cx.ask(wish));
        }
        Ok(())
    });
    pipeline.join(&inputs, &first);
    let mut run = pipeline.step().unwrap();
    run.run_until(at(105)).unwrap();
    let build = |p: &mut Pipeline| {
        let second = p.source("second", source(&heard[1]));
        p.join(&inputs, &second);
    };
    let ((), _branch) = run.attach(build).unwrap();
    run.run_until(at(200)).unwrap();
    assert_eq!(heard[0].take(), [(0, KEY_FRAME), (0, kbps(200))]);
    assert_eq!(heard[1].take(), [(105, kbps(200))]);
}
