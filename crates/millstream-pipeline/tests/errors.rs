//! What goes wrong, in each role and on both runners: who is named, what goes on, what is counted.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millstream_core::error::Kind;
use millstream_core::{
    AudioFrame, Clock, Control, Cx, Error, FromInput, InputEvent, Layers, Next, Out, Result, Sink, Source, Stage,
    Timestamp, Utc,
};
use millstream_pipeline::{Link, OnFailure, Pipeline, Running, Statistics, Stepped};

/// Within this everything ends once a stage that takes all with it has failed: 2 s to drain, and half a
/// second of grace.
const DEADLINE: Duration = Duration::from_millis(2_500);
/// How many blocks the source of the table has.
const BLOCKS: u64 = 20;
const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

const ROLES: [&str; 7] = ["source", "stage", "inline stage", "many stage", "sink", "inline sink", "many sink"];

/// When a stage goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// When it is asked for, or given, its fifth item.
    Fifth,
    /// When its input has ended.
    Finish,
}

/// What goes wrong, once, and where.
#[derive(Clone, Copy, Debug)]
struct Fault {
    role: &'static str,
    kind: Kind,
    moment: Moment,
}

/// Plays one role; all is well but in the role of the fault.
struct Player {
    fault: Option<Fault>,
    calls: u64,
    given: u64,
}

impl Player {
    fn of(role: &str, fault: Fault) -> Player {
        Player { fault: (fault.role == role).then_some(fault), calls: 0, given: 0 }
    }

    fn play(&mut self, moment: Moment) -> Result<()> {
        self.calls += u64::from(moment == Moment::Fifth);
        let Some(fault) = self.fault.filter(|fault| fault.moment == moment) else { return Ok(()) };
        match fault.kind {
            _ if moment == Moment::Fifth && self.calls != 5 => Ok(()),
            Kind::Panic => panic!("it broke"),
            kind => Err(Error::new(kind, "it broke")),
        }
    }
}

impl Source<AudioFrame> for Player {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<AudioFrame>> {
        let time = cx.start() + Duration::from_millis(self.given);
        if cx.now() < time {
            return Ok(Next::Until(time));
        }
        if self.given == BLOCKS {
            return Ok(Next::End);
        }
        self.play(Moment::Fifth)?;
        self.given += 1;
        Ok(Next::Item(block(time)))
    }
}

impl Stage<AudioFrame, AudioFrame> for Player {
    fn process(&mut self, block: AudioFrame, out: &mut Out<AudioFrame>) -> Result<()> {
        self.play(Moment::Fifth)?;
        out.push(block);
        Ok(())
    }
    fn finish(&mut self, _: &mut Out<AudioFrame>) -> Result<()> {
        self.play(Moment::Finish)
    }
}

impl Stage<FromInput<AudioFrame>, AudioFrame> for Player {
    fn process(&mut self, received: FromInput<AudioFrame>, out: &mut Out<AudioFrame>) -> Result<()> {
        let InputEvent::Item(block) = received.event else { return Ok(()) };
        self.play(Moment::Fifth)?;
        out.push(block);
        Ok(())
    }
    fn finish(&mut self, _: &mut Out<AudioFrame>) -> Result<()> {
        self.play(Moment::Finish)
    }
}

impl Sink<AudioFrame> for Player {
    fn consume(&mut self, _: AudioFrame, _: &mut Cx) -> Result<()> {
        self.play(Moment::Fifth)
    }
    fn finish(&mut self, _: &mut Cx) -> Result<()> {
        self.play(Moment::Finish)
    }
}

impl Sink<FromInput<AudioFrame>> for Player {
    fn consume(&mut self, received: FromInput<AudioFrame>, _: &mut Cx) -> Result<()> {
        if let InputEvent::Item(_) = received.event { self.play(Moment::Fifth) } else { Ok(()) }
    }
    fn finish(&mut self, _: &mut Cx) -> Result<()> {
        self.play(Moment::Finish)
    }
}

fn block(time: Timestamp) -> AudioFrame {
    AudioFrame::new(48_000, 1, time, vec![0.0; 48])
}

/// A pipeline in which every role is played, each link `block`, so that nothing but the fault loses anything.
fn build(p: &mut Pipeline, fault: Fault) {
    let player = |role| Player::of(role, fault);
    let link = Link::block(TWO);
    let source = p.source("source", player("source"));
    let stage = p.stage("stage", source.through(link), player("stage"));
    let inline = p.inline("inline stage", &stage, player("inline stage"));
    let (inputs, many) = p.many_stage("many stage", player("many stage"));
    p.join(&inputs, inline.through(link));
    p.sink("sink", many.through(link), player("sink"));
    p.inline_sink("inline sink", &many, player("inline sink"));
    let inputs = p.many_sink("many sink", player("many sink"));
    p.join(&inputs, many.through(link));
    p.join(&inputs, source.through(link));
}

fn stepped(fault: Fault) -> (Result<()>, Statistics) {
    let mut pipeline = Pipeline::in_virtual_time("stepped", Utc::default());
    build(&mut pipeline, fault);
    let mut stepped = pipeline.step().expect("a good pipeline");
    let result = stepped.run_to_end();
    assert!(stepped.is_finished(), "{fault:?}: something goes on for ever");
    assert!(stepped.now() < Timestamp::ZERO + DEADLINE, "{fault:?}: it ended at {}", stepped.now());
    (result, stepped.statistics())
}

fn threads(fault: Fault) -> (Result<()>, Statistics) {
    let clock = Clock::system();
    let mut pipeline = Pipeline::with_clock("threads", clock.clone());
    build(&mut pipeline, fault);
    let running = pipeline.spawn().expect("a good pipeline");
    let outcome = ended(running);
    assert!(clock.now() < Timestamp::ZERO + DEADLINE, "{fault:?}: it ended at {}", clock.now());
    outcome
}

/// The outcome of a run, with the statistics of its end.
fn ended(running: Running) -> (Result<()>, Statistics) {
    let clock = running.clock().clone();
    let late = clock.now() + DEADLINE;
    while !running.wait_for(DEADLINE) && clock.now() < late {
        std::thread::yield_now();
    }
    let statistics = running.statistics();
    (running.wait(), statistics)
}

/// Whether a fault in `role` takes the link into `to` away, so that what is given later is not offered to
/// it: what failed, and what comes before it and feeds nobody else.
fn goes_away(to: &str, role: &str) -> bool {
    let chain = ["stage", "inline stage", "many stage"];
    let place = |name| chain.iter().position(|link| *link == name);
    to == role || place(role).is_some_and(|role| place(to).is_some_and(|to| to < role))
}

/// Whether all that was given is somewhere: taken, or dropped for a reason.
fn accounted(statistics: &Statistics, failed: Option<&str>) -> Result<(), String> {
    for link in &statistics.links {
        let given = statistics.stage(&link.from).expect("a link comes from a stage").items_out;
        let all =
            link.entered == given || (link.entered < given && failed.is_some_and(|failed| goes_away(&link.to, failed)));
        if link.entered != link.left + link.dropped() || link.waiting != 0 || !all {
            return Err(format!("{given} were given: {link:?}"));
        }
    }
    for stage in &statistics.stages {
        let links = || statistics.links.iter().filter(|link| link.to == stage.name);
        let left: u64 = links().map(|link| link.left).sum();
        if links().next().is_some() && left != stage.items_in {
            return Err(format!("{left} left for {stage:?}"));
        }
    }
    Ok(())
}

fn both(fault: Fault) -> [(&'static str, Result<()>, Statistics); 2] {
    let ((one, first), (other, second)) = (stepped(fault), threads(fault));
    [("stepped", one, first), ("threads", other, second)]
}

/// What each of the three sinks got when all that goes on has ended.
fn taken(fault: Fault) -> [u64; 3] {
    // The last one is fed by the source too.
    let all = [BLOCKS, BLOCKS, 2 * BLOCKS];
    match (fault.moment, fault.role) {
        (Moment::Finish, _) => all,
        (_, "source") => [4, 4, 2 * 4],
        (_, "stage" | "inline stage" | "many stage") => [4, 4, BLOCKS + 4],
        (_, sink) => {
            let place = ["sink", "inline sink", "many sink"].iter().position(|name| *name == sink).expect("a sink");
            std::array::from_fn(|index| if index == place { 5 } else { all[index] })
        }
    }
}

/// Every way in which a stage can end for good.
fn ends() -> impl Iterator<Item = Fault> {
    let kinds = [Kind::Panic, Kind::Fatal, Kind::Config, Kind::Lost];
    let all = kinds.into_iter().flat_map(|kind| {
        let moments = [Moment::Fifth, Moment::Finish];
        ROLES.into_iter().flat_map(move |role| moments.map(|moment| Fault { role, kind, moment }))
    });
    // A source that lost what it stands on is asked again, and has no finish.
    all.filter(|fault| fault.role != "source" || fault.kind != Kind::Lost && fault.moment == Moment::Fifth)
}

#[test]
fn what_ends_a_stage_ends_its_branch_names_it_and_leaves_nothing_uncounted() {
    for fault in ends() {
        let Fault { role, kind, moment } = fault;
        for (runner, result, statistics) in both(fault) {
            let error = result.expect_err("the fault is no success");
            assert_eq!((error.stage(), error.kind()), (Some(role), kind), "{runner}, {fault:?}: {error}");
            accounted(&statistics, Some(role)).unwrap_or_else(|wrong| panic!("{runner}, {fault:?}: {wrong}"));
            // Not called again afterwards; at the end it has had everything.
            let failed = statistics.stage(role).unwrap();
            let calls = match moment {
                Moment::Fifth => 5,
                Moment::Finish if role == "many sink" => 2 * BLOCKS,
                Moment::Finish => BLOCKS,
            };
            let called = if role == "source" { failed.items_out + 1 } else { failed.items_in };
            assert_eq!(called, calls, "{runner}, {fault:?}");
            // All others get what is theirs.
            let got = ["sink", "inline sink", "many sink"].map(|sink| statistics.stage(sink).unwrap().items_in);
            assert_eq!(got, taken(fault), "{runner}, {fault:?}");
            for stage in &statistics.stages {
                let words = (stage.name == role).then(|| error.to_string());
                assert_eq!(stage.failure, words, "{runner}, {fault:?}");
            }
        }
    }
}

#[test]
fn a_stage_that_takes_all_with_it_stops_the_pipeline() {
    for fault in ends().filter(|fault| fault.moment == Moment::Fifth) {
        let mut pipeline = Pipeline::in_virtual_time("stepped", Utc::default());
        build(&mut pipeline, fault);
        pipeline.on_failure(fault.role, OnFailure::Stop);
        let mut stepped = pipeline.step().expect("a good pipeline");
        let error = stepped.run_to_end().expect_err("the fault is no success");
        assert_eq!((error.stage(), error.kind()), (Some(fault.role), fault.kind), "{fault:?}");
        assert!(stepped.is_finished(), "{fault:?}");
        let statistics = stepped.statistics();
        // A block each millisecond; the many sink has its fifth already at the third.
        let given = match fault.role {
            "source" => 4,
            "many sink" => 3,
            _ => 5,
        };
        assert_eq!(statistics.stage("source").unwrap().items_out, given, "{fault:?}");
        accounted(&statistics, Some(fault.role)).unwrap_or_else(|wrong| panic!("{fault:?}: {wrong}"));
    }
}

#[test]
#[should_panic(expected = "no stage is called `sin`")]
fn only_stages_that_are_there_take_all_with_them() {
    let mut pipeline = Pipeline::new("wrong");
    let source = pipeline.source("source", |_: &mut Cx| -> Result<Next<AudioFrame>> { Ok(Next::End) });
    pipeline.inline_sink("sink", &source, |_: AudioFrame, _: &mut Cx| Ok(()));
    pipeline.on_failure("sin", OnFailure::Stop);
}

/// Counts what is written and finished, and fails at its third block, and in its finish if told to.
#[derive(Clone, Default)]
struct Writer {
    written: u32,
    kind: Option<Kind>,
    finish_fails: bool,
    finished: Arc<Mutex<u32>>,
}

impl Sink<AudioFrame> for Writer {
    fn consume(&mut self, _: AudioFrame, _: &mut Cx) -> Result<()> {
        self.written += 1;
        match self.kind {
            Some(Kind::Panic) if self.written == 3 => panic!("it broke"),
            Some(kind) if self.written == 3 => Err(Error::new(kind, "the disk is full")),
            _ => Ok(()),
        }
    }
    fn finish(&mut self, _: &mut Cx) -> Result<()> {
        *self.finished.lock().unwrap() += 1;
        if self.finish_fails { Err(Error::fatal("the disk is still full")) } else { Ok(()) }
    }
}

#[test]
fn a_sink_that_fails_is_finished_once_unless_it_panicked() {
    for (kind, finish_fails, finished) in [
        (Some(Kind::Fatal), false, 1),
        (Some(Kind::Lost), true, 1),
        (Some(Kind::Panic), false, 0),
        (None, true, 1),
        (None, false, 1),
    ] {
        let writer = Writer { kind, finish_fails, ..Writer::default() };
        let mut run = in_virtual_time(|p| {
            let source =
                p.source("source", Player::of("source", Fault { role: "", kind: Kind::Fatal, moment: Moment::Fifth }));
            p.sink("file", source.through(Link::block(TWO)), writer.clone());
        });
        let result = run.run_to_end();
        assert_eq!(*writer.finished.lock().unwrap(), finished, "{kind:?}");
        // What it failed with first is what is said.
        let words = match (kind, finish_fails) {
            (Some(Kind::Panic), _) => Some("file: panicked: it broke"),
            (Some(_), _) => Some("file: the disk is full"),
            (None, true) => Some("file: the disk is still full"),
            (None, false) => None,
        };
        assert_eq!(result.err().map(|error| error.to_string()).as_deref(), words, "{kind:?}");
        assert!(run.is_finished(), "nothing is left to go on");
    }
}

#[test]
fn a_bad_item_is_counted_where_it_was_and_everything_else_goes_on() {
    for role in ROLES {
        let fault = Fault { role, kind: Kind::BadItem, moment: Moment::Fifth };
        for (runner, result, statistics) in both(fault) {
            result.unwrap_or_else(|error| panic!("{runner}, {fault:?}: {error}"));
            accounted(&statistics, None).unwrap_or_else(|wrong| panic!("{runner}, {fault:?}: {wrong}"));
            for stage in &statistics.stages {
                assert_eq!(stage.bad_items, u64::from(stage.name == role), "{runner}, {fault:?}: {stage:?}");
            }
            // A source has its block still and gives it the next time.
            let lost = u64::from(["stage", "inline stage", "many stage"].contains(&role));
            let got = ["sink", "inline sink", "many sink"].map(|sink| statistics.stage(sink).unwrap().items_in);
            assert_eq!(got, [BLOCKS - lost, BLOCKS - lost, 2 * BLOCKS - lost], "{runner}, {fault:?}");
            assert!(statistics.links.iter().all(|link| link.dropped() == 0), "{runner}, {fault:?}");
        }
    }
}

/// When a source was asked, in milliseconds.
type Asked = Arc<Mutex<Vec<u64>>>;

/// A source that notes in milliseconds when it is asked, and then does as it is told.
fn noting<F: FnMut(usize, &mut Cx) -> Result<Next<AudioFrame>> + Send + 'static>(
    asked: &Asked,
    mut next: F,
) -> impl Source<AudioFrame> + use<F> {
    let asked = asked.clone();
    move |cx: &mut Cx| {
        let mut asked = asked.lock().unwrap();
        asked.push(cx.now().as_nanos() / 1_000_000);
        next(asked.len(), cx)
    }
}

/// Wishes for a key frame and wakes everybody each 10 ms.
struct Pushy;

impl Sink<AudioFrame> for Pushy {
    fn consume(&mut self, _: AudioFrame, cx: &mut Cx) -> Result<()> {
        self.wake(cx)
    }
    fn wake(&mut self, cx: &mut Cx) -> Result<()> {
        cx.ask(Control::KeyFrame(Layers::ALL));
        cx.wake_at(cx.now() + Duration::from_millis(10));
        Ok(())
    }
}

fn in_virtual_time(build: impl FnOnce(&mut Pipeline)) -> Stepped {
    let mut pipeline = Pipeline::in_virtual_time("stepped", Utc::default());
    build(&mut pipeline);
    pipeline.step().expect("a good pipeline")
}

#[test]
fn a_lost_source_is_asked_again_twice_as_late_each_time_and_comes_back() {
    let asked = Asked::default();
    let mut run = in_virtual_time(|p| {
        let source = noting(&asked, |time, cx| match time {
            1 | 10 | 12 => Ok(Next::Item(block(cx.now()))),
            2..=9 | 11 => Err(Error::lost("unplugged")),
            _ => Ok(Next::End),
        });
        let source = p.source("camera", source);
        // What is wished for meanwhile does not have it asked earlier.
        p.inline_sink("pushy", &source, Pushy);
    });
    run.run_until(Timestamp::from_millis(16_000)).unwrap();
    assert_eq!(run.statistics().stage("pushy").unwrap().items_in, 1);
    run.run_until(Timestamp::from_millis(60_000)).unwrap();
    // 100 ms, doubled up to 5 s; after the block that came it begins anew.
    let waits = [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000];
    let mut times = vec![0, 0];
    for wait in waits {
        times.push(times.last().unwrap() + wait);
    }
    times.extend([16_300, 16_400, 16_400]);
    assert_eq!(*asked.lock().unwrap(), times);
    assert!(run.is_finished());
    let statistics = run.statistics();
    let camera = statistics.stage("camera").unwrap();
    assert_eq!((camera.lost, camera.bad_items, camera.items_out), (9, 0, 3));
    assert_eq!(statistics.stage("pushy").unwrap().items_in, 3);
}

#[test]
fn a_lost_source_comes_back_on_threads_and_keeps_nobody_from_ending() {
    let asked = Asked::default();
    let mut pipeline = Pipeline::new("threads");
    let source = noting(&asked, |time, cx| match time {
        2 | 3 => Err(Error::lost("unplugged")),
        1 | 4 => Ok(Next::Item(block(cx.now()))),
        _ => Ok(Next::End),
    });
    let source = pipeline.source("camera", source);
    pipeline.sink("screen", source.through(Link::block(TWO)), |_: AudioFrame, _: &mut Cx| Ok(()));
    let (result, statistics) = ended(pipeline.spawn().unwrap());
    result.unwrap();
    let camera = statistics.stage("camera").unwrap();
    assert_eq!((camera.lost, camera.items_out, statistics.stage("screen").unwrap().items_in), (2, 2, 2));
    let asked = asked.lock().unwrap();
    assert!(asked[2] >= asked[1] + 100 && asked[3] >= asked[2] + 200, "{asked:?}");

    let mut pipeline = Pipeline::new("lost for good");
    let source = pipeline.source("camera", |_: &mut Cx| -> Result<Next<AudioFrame>> { Err(Error::lost("stolen")) });
    pipeline.inline_sink("screen", &source, |_: AudioFrame, _: &mut Cx| Ok(()));
    let running = pipeline.spawn().unwrap();
    let clock = running.clock().clone();
    while running.statistics().stage("camera").unwrap().lost < 2 {
        std::thread::yield_now();
    }
    let told = clock.now();
    running.stop();
    running.wait().unwrap();
    // Its next back-off is 200 ms and more; it is not waited for.
    assert!(clock.now().since(told) < Duration::from_millis(150), "{:?}", clock.now().since(told));
}

#[test]
fn a_source_of_bad_items_only_is_left_alone_after_each_hundred() {
    let asked = Asked::default();
    let mut run = in_virtual_time(|p| {
        let source = p.source("torn", noting(&asked, |_, _| Err(Error::bad_item("torn"))));
        p.inline_sink("screen", &source, |_: AudioFrame, _: &mut Cx| Ok(()));
    });
    run.run_until(Timestamp::from_millis(10_000)).unwrap();
    let times: Vec<u64> = [0, 100, 300, 700, 1_500, 3_100, 6_300].iter().flat_map(|time| [*time; 100]).collect();
    assert_eq!(*asked.lock().unwrap(), times);
    assert_eq!(run.statistics().stage("torn").unwrap().bad_items, 700);

    // One that is good among them has the count begin anew.
    let asked = Asked::default();
    let mut run = in_virtual_time(|p| {
        let source = p.source(
            "torn",
            noting(&asked, |time, cx| match time {
                1_000 => Ok(Next::End),
                time if time % 100 == 0 => Ok(Next::Item(block(cx.now()))),
                _ => Err(Error::bad_item("torn")),
            }),
        );
        p.inline_sink("screen", &source, |_: AudioFrame, _: &mut Cx| Ok(()));
    });
    run.run_to_end().unwrap();
    assert_eq!((run.now(), run.statistics().stage("torn").unwrap().bad_items), (Timestamp::ZERO, 990));
}
