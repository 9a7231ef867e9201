//! A stage with several inputs of very different pace, free and on threads: it keeps them together
//! by holding the one that is ahead.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millstream_core::{
    Bytes, Cx, EncodedFrame, FromInput, InputEvent, InputId, Next, OPUS, Out, Result, Sink, Source, Timestamp, Utc,
};
use millstream_pipeline::{Link, Pipeline, Running, Statistics};

const FOUR: NonZeroUsize = NonZeroUsize::new(4).unwrap();

fn at(micros: u64) -> Timestamp {
    Timestamp::from_nanos(micros * 1000)
}

/// A file: `count` packets, one every `micros` µs of media, as fast as they are taken.
fn file(count: u64, micros: u64) -> impl Source<EncodedFrame> {
    let mut given = 0;
    move |_: &mut Cx| -> Result<Next<EncodedFrame>> {
        if given == count {
            return Ok(Next::End);
        }
        given += 1;
        let packet = EncodedFrame::new(OPUS, at(micros * (given - 1)), Bytes::new());
        Ok(Next::Item(packet.with_duration(Duration::from_micros(micros))))
    }
}

/// The most packets of one input that the muxer keeps.
const KEPT: usize = 3;

/// Writes packets in the order of their times. It needs one of each input to know which is first,
/// and holds those of which it has enough.
#[derive(Default)]
struct Muxer {
    tracks: Vec<Track>,
    written: Arc<Mutex<Written>>,
}

struct Track {
    id: InputId,
    kept: VecDeque<EncodedFrame>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Written {
    packets: Vec<(Timestamp, u32)>,
    most_kept: usize,
    came_while_held: u64,
    finished: bool,
}

impl Muxer {
    fn write(&mut self, cx: &mut Cx) {
        let mut written = self.written.lock().unwrap();
        let kept = self.tracks.iter().map(|track| track.kept.len()).max().unwrap_or_default();
        written.most_kept = written.most_kept.max(kept);
        while self.tracks.iter().all(|track| track.ended || !track.kept.is_empty()) {
            let filled = self.tracks.iter_mut().filter(|track| !track.kept.is_empty());
            let Some(first) = filled.min_by_key(|track| (track.kept[0].time, track.id)) else { break };
            let packet = first.kept.pop_front().expect("it is filled");
            written.packets.push((packet.time, first.id.index()));
        }
        for track in &self.tracks {
            cx.hold(track.id, track.kept.len() >= KEPT);
        }
    }
}

impl Sink<FromInput<EncodedFrame>> for Muxer {
    fn consume(&mut self, received: FromInput<EncodedFrame>, cx: &mut Cx) -> Result<()> {
        let id = received.input;
        if let InputEvent::Joined = received.event {
            self.tracks.push(Track { id, kept: VecDeque::new(), ended: false });
        }
        let track = self.tracks.iter_mut().find(|track| track.id == id).expect("it joined before");
        match received.event {
            InputEvent::Joined => {}
            InputEvent::Item(packet) => {
                self.written.lock().unwrap().came_while_held += u64::from(cx.is_held(id));
                track.kept.push_back(packet);
            }
            InputEvent::Ended => track.ended = true,
        }
        self.write(cx);
        Ok(())
    }

    fn finish(&mut self, _: &mut Cx) -> Result<()> {
        self.written.lock().unwrap().finished = true;
        Ok(())
    }
}

fn pass(packet: EncodedFrame, out: &mut Out<EncodedFrame>) -> Result<()> {
    out.push(packet);
    Ok(())
}

/// Packets of a meter, one each 125 µs, and of a slide show, one a second: 8,000 to 1.
const QUICK: (u64, u64) = (160_000, 125);
const SLOW: (u64, u64) = (20, 1_000_000);

/// Two files into the muxer, every link `block`; the slow one's encoder stands between.
fn mux(pipeline: &mut Pipeline) -> Arc<Mutex<Written>> {
    let muxer = Muxer::default();
    let written = Arc::clone(&muxer.written);
    let quick = pipeline.source("quick", file(QUICK.0, QUICK.1));
    let slow = pipeline.source("slow", file(SLOW.0, SLOW.1));
    let encoded = pipeline.stage("encode", slow.through(Link::block(FOUR)), pass);
    let inputs = pipeline.many_sink("muxer", muxer);
    pipeline.join(&inputs, quick.through(Link::block(FOUR)));
    pipeline.join(&inputs, encoded.through(Link::block(FOUR)));
    written
}

/// Everything was written in order, nothing was lost, and every bound held; the most that was kept.
fn check(written: &Mutex<Written>, statistics: &Statistics) -> usize {
    let written = written.lock().unwrap();
    assert!(written.finished);
    assert!(written.most_kept <= KEPT, "{}", written.most_kept);
    assert_eq!(written.came_while_held, 0);
    let mut expected: Vec<_> = (0..QUICK.0).map(|number| (at(QUICK.1 * number), 0)).collect();
    expected.extend((0..SLOW.0).map(|number| (at(SLOW.1 * number), 1)));
    expected.sort();
    assert!(written.packets == expected, "{} of {} packets, or not in order", written.packets.len(), expected.len());
    for (from, to, count) in [("quick", "muxer", QUICK.0), ("slow", "encode", SLOW.0), ("encode", "muxer", SLOW.0)] {
        let link = statistics.link(from, to).unwrap();
        assert_eq!((link.entered, link.left, link.waiting, link.dropped()), (count, count, 0, 0), "{from} to {to}");
        assert!(link.most_waiting <= 4, "{from} to {to}: {}", link.most_waiting);
    }
    assert_eq!(statistics.stage("muxer").unwrap().items_in, QUICK.0 + SLOW.0);
    written.most_kept
}

#[test]
fn a_muxer_keeps_its_bound_in_a_free_run() {
    let mut pipeline = Pipeline::in_virtual_time("free", Utc::default());
    let written = mux(&mut pipeline);
    let mut run = pipeline.step().unwrap();
    run.run_to_end().unwrap();
    assert!(run.is_finished());
    // Twenty seconds of media, and none of the clock's.
    assert_eq!(run.now(), Timestamp::ZERO);
    // The slow one is always ahead, and held.
    assert_eq!((check(&written, &run.statistics()), most_waiting(&run.statistics())), (KEPT, (4, 4)));
}

#[test]
fn a_muxer_keeps_its_bound_while_an_encoder_takes_its_time() {
    let mut pipeline = Pipeline::in_virtual_time("costly", Utc::default());
    let written = mux(&mut pipeline);
    pipeline.cost("encode", |_| Duration::from_millis(400));
    let mut run = pipeline.step().unwrap();
    run.run_to_end().unwrap();
    assert!(run.is_finished());
    // Here the quick one waits for it, in its link.
    assert_eq!((check(&written, &run.statistics()), most_waiting(&run.statistics())), (KEPT, (4, 1)));
}

/// The most that waited for the muxer of the quick input, and of the slow one.
fn most_waiting(statistics: &Statistics) -> (u64, u64) {
    let most = |from| statistics.link(from, "muxer").unwrap().most_waiting;
    (most("quick"), most("encode"))
}

#[test]
fn a_muxer_keeps_its_bound_on_threads() {
    let mut pipeline = Pipeline::new("threads");
    let written = mux(&mut pipeline);
    let running: Running = pipeline.spawn().unwrap();
    let patience = Duration::from_secs(60);
    assert!(running.wait_for(patience), "{:#?}", running.statistics());
    check(&written, &running.statistics());
    running.wait().unwrap();
}

#[test]
fn one_that_is_held_ends_only_once_it_is_let_go_of() {
    /// At which millisecond what happened at which input.
    type Event = (u64, u32, &'static str);
    struct Gate(Arc<Mutex<Vec<Event>>>);
    impl Sink<FromInput<EncodedFrame>> for Gate {
        fn consume(&mut self, received: FromInput<EncodedFrame>, cx: &mut Cx) -> Result<()> {
            let what = match received.event {
                InputEvent::Joined => "joined",
                InputEvent::Item(_) => "item",
                InputEvent::Ended => "ended",
            };
            if what == "joined" && received.input.index() == 1 {
                cx.hold(received.input, true);
                cx.wake_at(at(50_000));
            }
            self.0.lock().unwrap().push((cx.now().as_nanos() / 1_000_000, received.input.index(), what));
            Ok(())
        }
        fn wake(&mut self, cx: &mut Cx) -> Result<()> {
            cx.hold(InputId::new(1), false);
            Ok(())
        }
    }
    let events = Arc::<Mutex<Vec<Event>>>::default();
    let mut pipeline = Pipeline::in_virtual_time("gate", Utc::default());
    let (open, held) = (pipeline.source("open", file(1, 1)), pipeline.source("held", file(2, 1)));
    let inputs = pipeline.many_sink("gate", Gate(Arc::clone(&events)));
    pipeline.join(&inputs, &open);
    pipeline.join(&inputs, &held);
    drop(inputs);
    let mut run = pipeline.step().unwrap();
    run.run_to_end().unwrap();
    assert!(run.is_finished());
    let expected = [
        (0, 0, "joined"),
        (0, 1, "joined"),
        (0, 0, "item"),
        (0, 0, "ended"),
        (50, 1, "item"),
        (50, 1, "item"),
        (50, 1, "ended"),
    ];
    assert_eq!(*events.lock().unwrap(), expected);
}

#[test]
fn a_stage_whose_output_is_full_is_not_told_of_a_newcomer_before_there_is_room() {
    let told = Arc::<Mutex<Vec<u64>>>::default();
    let noted = Arc::clone(&told);
    let mut pipeline = Pipeline::in_virtual_time("full", Utc::default());
    let many = pipeline.source("many", file(1000, 1));
    let (inputs, echoed) =
        pipeline.many_stage("echo", move |received: FromInput<EncodedFrame>, out: &mut Out<EncodedFrame>| {
            match received.event {
                InputEvent::Joined => noted.lock().unwrap().push(out.now().as_nanos() / 1_000_000),
                InputEvent::Item(packet) => out.push(packet),
                InputEvent::Ended => {}
            }
            Ok(())
        });
    pipeline.join(&inputs, many.through(Link::block(FOUR)));
    pipeline.sink("slow", echoed.through(Link::block(FOUR)), |_: EncodedFrame, _: &mut Cx| Ok(()));
    pipeline.cost("slow", |_| Duration::from_millis(100));
    let mut run = pipeline.step().unwrap();
    run.run_until(Timestamp::from_millis(50)).unwrap();
    let attached = run.attach(|p| {
        let other = p.source("other", file(1, 1));
        p.join(&inputs, &other)
    });
    assert_eq!(attached.map(|(id, _branch)| id.index()).unwrap(), 1);
    run.run_until(Timestamp::from_millis(250)).unwrap();
    assert_eq!(*told.lock().unwrap(), [0, 100]);
}
