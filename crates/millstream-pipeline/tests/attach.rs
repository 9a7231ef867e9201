//! Branches, inputs and sub-graphs that come and go by the thousand: nothing leaks, nothing stalls.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use millstream_core::{
    Clock, Cx, EncodedFrame, Error, FromInput, InputEvent, Next, OPUS, Out, Result, Sink, Source, Stage, Timestamp, Utc,
};
use millstream_pipeline::{Inputs, Link, Output, Part, Pipeline, Running, Stepped};

const FOUR: NonZeroUsize = NonZeroUsize::new(4).unwrap();
/// Longer than anything here takes; whoever waits that long stalls.
const STALLED: Duration = Duration::from_secs(10);

/// A payload that is counted as long as anybody holds it.
struct Payload(#[expect(dead_code, reason = "its count is read")] Arc<()>);

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        b"payload"
    }
}

/// Gives a frame each `period`, from half a period after it is first asked.
struct Ticking {
    period: Duration,
    first: Option<Timestamp>,
    given: u32,
    count: u32,
    payloads: Arc<()>,
}

impl Source<EncodedFrame> for Ticking {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<EncodedFrame>> {
        let first = *self.first.get_or_insert(cx.now() + self.period / 2);
        let time = first + self.period * self.given;
        if self.given == self.count {
            return Ok(Next::End);
        }
        if cx.now() < time {
            return Ok(Next::Until(time));
        }
        self.given += 1;
        let payload = Bytes::from_owner(Payload(self.payloads.clone()));
        Ok(Next::Item(EncodedFrame::new(OPUS, time, payload).with_duration(self.period)))
    }
}

fn pass(frame: EncodedFrame, out: &mut Out<EncodedFrame>) -> Result<()> {
    out.push(frame);
    Ok(())
}

/// Counts what comes, what ends, and how many of it there are.
#[derive(Clone, Default)]
struct Counter {
    items: Arc<AtomicU64>,
    joined: Arc<AtomicU64>,
    ended: Arc<AtomicU64>,
    finished: Arc<AtomicU64>,
}

impl Counter {
    fn items(&self) -> u64 {
        self.items.load(Ordering::SeqCst)
    }
}

impl Sink<EncodedFrame> for Counter {
    fn consume(&mut self, _: EncodedFrame, _: &mut Cx) -> Result<()> {
        self.items.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    fn finish(&mut self, _: &mut Cx) -> Result<()> {
        self.finished.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

impl Sink<FromInput<EncodedFrame>> for Counter {
    fn consume(&mut self, received: FromInput<EncodedFrame>, _: &mut Cx) -> Result<()> {
        let count = match received.event {
            InputEvent::Joined => &self.joined,
            InputEvent::Item(_) => &self.items,
            InputEvent::Ended => &self.ended,
        };
        count.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    fn finish(&mut self, _: &mut Cx) -> Result<()> {
        self.finished.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// A pipeline under load: two outputs to join to, a sink that must never stand still, and a muxer whose
/// inputs come and go.
struct Load {
    ticks: Output<EncodedFrame>,
    passed: Output<EncodedFrame>,
    inputs: Inputs<EncodedFrame>,
    main: Counter,
    muxer: Counter,
    period: Duration,
    payloads: Arc<()>,
    /// What the names of all its stages, and so of its threads, begin with.
    mark: &'static str,
}

impl Load {
    fn build(p: &mut Pipeline, mark: &'static str, period: Duration) -> Load {
        let name = |what: &str| format!("{mark} {what}");
        let payloads = Arc::new(());
        let (main, muxer) = (Counter::default(), Counter::default());
        let ticks = p.source(&name("ticks"), Load::ticking(period, &payloads));
        let passed = p.stage(&name("passed"), ticks.through(Link::drop_oldest(FOUR)), pass);
        p.sink(&name("main"), passed.through(Link::drop_oldest(FOUR)), main.clone());
        let inputs = p.many_sink(&name("muxer"), muxer.clone());
        p.join(&inputs, ticks.through(Link::drop_oldest(FOUR)));
        Load { ticks, passed, inputs, main, muxer, period, payloads, mark }
    }

    fn ticking(period: Duration, payloads: &Arc<()>) -> Ticking {
        Ticking { period, first: None, given: 0, count: u32::MAX, payloads: payloads.clone() }
    }

    /// How many kinds of branches there are.
    const KINDS: usize = 9;

    /// Adds a branch of one kind, whose stages are named after `number`; what counts there.
    fn branch(&self, p: &mut Pipeline, number: usize) -> Counter {
        let counter = Counter::default();
        let name = |what: &str| format!("{} {what} {number}", self.mark);
        let waiting = Link::drop_oldest(FOUR);
        let own = |p: &mut Pipeline| p.source(&name("own"), Load::ticking(self.period, &self.payloads));
        match number % Load::KINDS {
            0 => p.inline_sink(&name("inline sink"), &self.ticks, counter.clone()),
            1 => p.sink(&name("sink"), self.passed.through(waiting), counter.clone()),
            2 => {
                let stage = p.inline(&name("inline"), &self.passed, pass);
                p.inline_sink(&name("inline sink"), &stage, counter.clone());
            }
            3 => {
                let stage = p.stage(&name("stage"), self.ticks.through(waiting), pass);
                p.sink(&name("sink"), stage.through(Link::block(FOUR)), counter.clone());
            }
            4 => {
                let own = own(p);
                let stage = p.inline(&name("inline"), &own, pass);
                p.sink(&name("sink"), stage.through(waiting), counter.clone());
            }
            5 => {
                p.join(&self.inputs, self.passed.through(waiting));
                return self.muxer.clone();
            }
            6 => {
                let own = own(p);
                p.join(&self.inputs, own.through(Link::block(FOUR)));
                return self.muxer.clone();
            }
            7 => {
                let inputs = p.many_sink(&name("muxer"), counter.clone());
                p.join(&inputs, &self.ticks);
                p.join(&inputs, self.passed.through(waiting));
            }
            // What is below an inline stage and full keeps its producer waiting: the drain ends that.
            _ => {
                let stage = p.inline(&name("inline"), &self.passed, Late(VecDeque::new()));
                p.sink(&name("sink"), stage.through(Link::block(NonZeroUsize::MIN)), counter.clone());
            }
        }
        counter
    }
}

/// Gives each frame one later, and the last at the end.
struct Late(VecDeque<EncodedFrame>);

impl Stage<EncodedFrame, EncodedFrame> for Late {
    fn process(&mut self, frame: EncodedFrame, out: &mut Out<EncodedFrame>) -> Result<()> {
        self.0.push_back(frame);
        if self.0.len() > 3 {
            out.push(self.0.pop_front().expect("there are several"));
        }
        Ok(())
    }
    fn finish(&mut self, out: &mut Out<EncodedFrame>) -> Result<()> {
        self.0.drain(..).for_each(|frame| out.push(frame));
        Ok(())
    }
}

/// Waits for a condition, and not for a time.
#[track_caller]
fn wait_until(clock: &Clock, what: &str, done: impl Fn() -> bool) {
    let late = clock.now() + STALLED;
    while !done() {
        assert!(clock.now() < late, "stalled: {what}");
        std::thread::yield_now();
    }
}

/// The threads of this process whose names begin with `mark`.
fn threads(mark: &str) -> Option<usize> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    Some(names.filter(|name| name.starts_with(mark)).count())
}

/// The memory of this process that is in use, in KiB.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().trim_end_matches(" kB").parse().ok()
}

/// Attaches and removes branches until there were `until` on all threads together; some are alive at any time.
fn come_and_go(running: &Running, load: &Load, next: &AtomicU64, until: u64) {
    let clock = running.clock();
    let mut alive: VecDeque<(usize, Part, Counter, u64)> = VecDeque::new();
    loop {
        let number = next.fetch_add(1, Ordering::SeqCst);
        if number >= until && alive.is_empty() {
            return;
        }
        if number < until {
            let number = number as usize;
            let (counter, branch) = running.attach(|p| load.branch(p, number)).expect("names of its own");
            let before = counter.items();
            alive.push_back((number, branch, counter, before));
        }
        if alive.len() > 3 || number >= until {
            let (number, branch, counter, before) = alive.pop_front().expect("there are some");
            // Some stay until they got something, the others leave at any moment.
            if number % 5 == 0 {
                wait_until(clock, "a branch gets nothing", || counter.items() > before);
            }
            // Some are given up at once.
            let patience = if number % 7 == 0 { Duration::ZERO } else { STALLED };
            branch.remove(patience).unwrap_or_else(|error| panic!("branch {number}: {error}"));
        }
        if number.is_multiple_of(100) {
            let before = load.main.items();
            wait_until(clock, "the main sink", || load.main.items() > before);
        }
    }
}

#[test]
fn ten_thousand_branches_come_and_go_under_load_and_leave_nothing_behind() {
    // Fewer under a tool that looks at every access.
    let count = std::env::var("BRANCHES").map_or(10_000, |count| count.parse().expect("a number"));
    let mut pipeline = Pipeline::new("under load");
    let load = Load::build(&mut pipeline, "load", Duration::from_micros(100));
    let running = pipeline.spawn().unwrap();
    let clock = running.clock().clone();
    wait_until(&clock, "the main sink", || load.main.items() > 0);
    let threads_before = threads(load.mark);
    let figures = |running: &Running| {
        let statistics = running.statistics();
        let names: Vec<String> = statistics.stages.into_iter().map(|stage| stage.name).collect();
        (names, statistics.links.into_iter().map(|link| (link.from, link.to)).collect::<Vec<_>>())
    };
    let before = figures(&running);

    let next = AtomicU64::new(0);
    let round = |until: u64| {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| come_and_go(&running, &load, &next, until));
            }
        });
        next.store(until, Ordering::SeqCst);
    };
    // What the allocator keeps once and for all is there after a tenth.
    round(count / 10);
    let resident_before = resident();
    round(count);

    assert_eq!(figures(&running), before);
    wait_until(&clock, "threads end", || threads(load.mark) == threads_before);
    let (was, is) = (resident_before.unwrap_or_default(), resident().unwrap_or_default());
    assert!(is <= was + was / 5, "{was} KiB in use became {is} KiB");
    // What is in flight in the pipeline itself, in three links of four and in hands.
    wait_until(&clock, "payloads are dropped", || Arc::strong_count(&load.payloads) < 30);
    let joins = |kind: usize| (0..count as usize).filter(|number| number % Load::KINDS == kind).count() as u64;
    let (joined, ended) = (&load.muxer.joined, &load.muxer.ended);
    wait_until(&clock, "inputs end", || ended.load(Ordering::SeqCst) + 1 == joined.load(Ordering::SeqCst));
    // Those that left at once were perhaps never told of; all others were.
    assert!(joined.load(Ordering::SeqCst) <= joins(5) + joins(6) + 1);
    assert!(joined.load(Ordering::SeqCst) >= (joins(5) + joins(6)) / 2);
    assert!(threads_before.is_none_or(|threads| threads == 4), "{threads_before:?}");

    running.stop();
    running.wait().unwrap();
    assert_eq!(Arc::strong_count(&load.payloads), 1);
}

#[test]
fn a_thousand_branches_in_virtual_time_get_exactly_what_is_theirs() {
    let mut pipeline = Pipeline::in_virtual_time("stepped", Utc::default());
    let load = Load::build(&mut pipeline, "main", Duration::from_millis(10));
    let mut run = pipeline.step().unwrap();
    run.run_until(Timestamp::ZERO).unwrap();
    let count = |run: &Stepped| (run.statistics().stages.len(), run.statistics().links.len());
    let before = count(&run);
    assert_eq!(before, (4, 3));
    let alive = Arc::strong_count(&load.payloads);
    for number in 0..1_000 {
        let (counter, branch) = run.attach(|p| load.branch(p, number)).unwrap();
        let had = counter.items();
        // Three ticks, at 5, 15 and 25 ms.
        run.run_for(Duration::from_millis(30)).unwrap();
        let got = counter.items() - had;
        // The muxer of the pipeline has an input of its own, and that of a branch has two.
        let expected = [3, 3, 3, 3, 3, 6, 6, 6, 0][number % Load::KINDS];
        assert_eq!(got, expected, "branch {number}");
        let now = run.now();
        run.remove(&branch, now).unwrap();
        assert!(branch.is_gone() && run.now() == now, "branch {number}");
        assert_eq!(count(&run), before, "branch {number}");
        // The late ones drained when they left.
        let drained = if number % Load::KINDS == Load::KINDS - 1 { 3 } else { 0 };
        assert_eq!(counter.items() - had, expected + drained, "branch {number}");
    }
    assert_eq!((load.main.items(), run.now()), (3_000, Timestamp::from_millis(30_000)));
    assert_eq!(Arc::strong_count(&load.payloads), alive);
    let muxer = [&load.muxer.joined, &load.muxer.ended].map(|count| count.load(Ordering::SeqCst));
    let joins = (0..1_000).filter(|number| matches!(number % Load::KINDS, 5 | 6)).count() as u64;
    assert_eq!(muxer, [joins + 1, joins]);
    assert_eq!(load.muxer.items(), 3_000 + 3 * joins);
    run.stop().unwrap();
    assert!(run.is_finished(), "the muxer ends although its inputs are still held");
    assert_eq!(load.muxer.finished.load(Ordering::SeqCst), 1);
    drop(run);
    assert_eq!(Arc::strong_count(&load.payloads), 1);
}

#[test]
fn a_muxer_whose_inputs_are_held_is_finished_when_everything_is_told_to_stop() {
    let mut pipeline = Pipeline::new("held");
    let load = Load::build(&mut pipeline, "main", Duration::from_millis(1));
    let running = pipeline.spawn().unwrap();
    running.stop();
    running.wait().unwrap();
    assert_eq!(load.muxer.finished.load(Ordering::SeqCst), 1);
}

/// Four frames, one each millisecond, beside something that goes on.
fn short_and_long(p: &mut Pipeline) -> (Output<EncodedFrame>, Counter, Load) {
    let load = Load::build(p, "main", Duration::from_millis(1));
    let counter = Counter::default();
    let short = p.source("short", Ticking { count: 4, ..Load::ticking(load.period, &load.payloads) });
    p.inline_sink("short sink", &short, counter.clone());
    (short, counter, load)
}

#[test]
fn who_joins_what_has_ended_sees_the_end_at_once() {
    let mut pipeline = Pipeline::in_virtual_time("stepped", Utc::default());
    let (short, counter, load) = short_and_long(&mut pipeline);
    let mut run = pipeline.step().unwrap();
    run.run_until(Timestamp::from_millis(20)).unwrap();
    assert_eq!((counter.items(), counter.finished.load(Ordering::SeqCst)), (4, 1));
    let late = Counter::default();
    let (_, branch) = run
        .attach(|p| {
            p.sink("late", short.through(Link::block(FOUR)), late.clone());
            p.join(&load.inputs, &short);
        })
        .unwrap();
    run.run_for(Duration::ZERO).unwrap();
    assert!(branch.is_gone());
    assert_eq!((late.items(), late.finished.load(Ordering::SeqCst)), (0, 1));
    assert_eq!([&load.muxer.joined, &load.muxer.ended].map(|count| count.load(Ordering::SeqCst)), [2, 1]);

    let mut pipeline = Pipeline::new("threads");
    let (short, counter, load) = short_and_long(&mut pipeline);
    let running = pipeline.spawn().unwrap();
    let clock = running.clock().clone();
    wait_until(&clock, "the short one ends", || counter.finished.load(Ordering::SeqCst) == 1);
    let late = Counter::default();
    let attach = |p: &mut Pipeline| {
        p.sink("late", short.through(Link::block(FOUR)), late.clone());
        p.inline_sink("late too", &short, Counter::default());
        p.join(&load.inputs, &short);
    };
    let ((), branch) = running.attach(attach).unwrap();
    wait_until(&clock, "the branch ends by itself", || branch.is_gone());
    assert_eq!(late.finished.load(Ordering::SeqCst), 1);
    branch.remove(Duration::ZERO).unwrap();
    running.stop();
    running.wait().unwrap();
}

#[test]
fn a_part_that_is_refused_leaves_nothing_and_its_names_free() {
    let mut pipeline = Pipeline::in_virtual_time("stepped", Utc::default());
    let load = Load::build(&mut pipeline, "main", Duration::from_millis(10));
    let mut run = pipeline.step().unwrap();
    let before = run.statistics();
    for what in ["blocks in a driver", "two stages are called"] {
        let refused = run.attach(|p| {
            p.inline_sink("new", &load.ticks, Counter::default());
            let ticking = Load::ticking(load.period, &load.payloads);
            if what.starts_with("blocks") {
                p.blocking_source("camera", ticking);
            } else {
                p.source("new", ticking);
            }
        });
        let error: Error = refused.map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        assert_eq!(run.statistics(), before);
    }
    let counter = Counter::default();
    let (_, branch) = run.attach(|p| p.inline_sink("new", &load.ticks, counter.clone())).unwrap();
    run.run_until(Timestamp::from_millis(10)).unwrap();
    assert_eq!(counter.items(), 1);
    run.remove(&branch, Timestamp::ZERO).unwrap();
    assert_eq!(run.statistics().stages.len(), before.stages.len());
}

#[test]
fn a_branch_that_is_given_up_while_it_keeps_its_producer_waiting_lets_go_of_it() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (entered, at_work) = (Arc::new(AtomicU64::new(0)), Mutex::new(released));
    let mut pipeline = Pipeline::new("stuck");
    let load = Load::build(&mut pipeline, "main", Duration::from_millis(1));
    let running = pipeline.spawn().unwrap();
    let clock = running.clock().clone();
    let busy = entered.clone();
    let stuck = move |_: EncodedFrame, _: &mut Cx| {
        busy.fetch_add(1, Ordering::SeqCst);
        // Stands still until the test lets go.
        let _ = at_work.lock().unwrap().recv();
        Ok(())
    };
    let attach = |p: &mut Pipeline| {
        let stage = p.inline("below", &load.ticks, Late(VecDeque::new()));
        p.sink("stuck", stage.through(Link::block(NonZeroUsize::MIN)), stuck);
    };
    let ((), branch) = running.attach(attach).unwrap();
    wait_until(&clock, "the stuck sink", || entered.load(Ordering::SeqCst) == 1);
    let error = branch.remove(Duration::from_millis(20)).unwrap_err();
    assert!(error.to_string().contains("stuck"), "{error}");
    drop(release);
    let before = load.main.items();
    wait_until(&clock, "the main sink", || load.main.items() > before + 10);
    running.stop();
    running.wait().unwrap();
}

/// Fails at its `last` frame.
struct HangsUp(u64);

impl Sink<EncodedFrame> for HangsUp {
    fn consume(&mut self, _: EncodedFrame, _: &mut Cx) -> Result<()> {
        self.0 -= 1;
        if self.0 == 0 { Err(Error::lost("hung up")) } else { Ok(()) }
    }
}

#[test]
fn a_part_that_fails_ends_alone_and_is_told_of_when_it_is_removed() {
    let main = Counter::default();
    let ticks =
        Ticking { period: Duration::from_millis(10), first: None, given: 0, count: 100, payloads: Arc::default() };
    let mut pipeline = Pipeline::in_virtual_time("calls", Utc::default());
    let source = pipeline.source("source", ticks);
    pipeline.sink("main", source.through(Link::block(FOUR)), main.clone());
    let mut run = pipeline.step().unwrap();
    run.run_until(Timestamp::from_millis(100)).unwrap();
    let build = |p: &mut Pipeline| {
        let late = p.stage("late", source.through(Link::block(FOUR)), pass);
        p.sink("viewer", late.through(Link::block(FOUR)), HangsUp(5));
    };
    let ((), branch) = run.attach(build).unwrap();
    // It is said once, when it happens.
    let error = run.run_until(Timestamp::from_millis(300)).expect_err("the viewer hung up");
    assert_eq!(error.to_string(), "viewer: hung up");
    assert!(branch.is_gone(), "nothing of it is left");
    assert_eq!(run.statistics().stage("viewer").unwrap().failure.as_deref(), Some("viewer: hung up"));
    run.remove(&branch, Timestamp::from_millis(300)).unwrap();
    // Another under the same name, of which nobody has heard yet when it is removed.
    let ((), branch) = run.attach(build).unwrap();
    let error = run.remove(&branch, Timestamp::from_millis(400));
    assert!(error.is_ok(), "it had no time to fail");
    run.run_to_end().unwrap();
    assert_eq!((main.items(), main.finished.load(Ordering::SeqCst)), (100, 1));
}

#[test]
fn a_part_that_fails_on_threads_leaves_the_others_running() {
    let clock = Clock::system();
    let mut pipeline = Pipeline::with_clock("calls", clock.clone());
    let ticks =
        Ticking { period: Duration::from_millis(1), first: None, given: 0, count: u32::MAX, payloads: Arc::default() };
    let source = pipeline.source("source", ticks);
    let main = Counter::default();
    pipeline.sink("main", source.through(Link::block(FOUR)), main.clone());
    let running = pipeline.spawn().unwrap();
    let ((), branch) = running.attach(|p| p.sink("viewer", source.through(Link::block(FOUR)), HangsUp(3))).unwrap();
    wait_until(&clock, "the viewer hangs up", || branch.is_gone());
    let before = main.items();
    wait_until(&clock, "the others go on", || main.items() > before + 10);
    assert!(!running.is_stopping());
    let error = branch.remove(STALLED).expect_err("it failed");
    assert_eq!(error.to_string(), "viewer: hung up");
    running.stop();
    running.wait().expect("what was removed does not count any more");
}
