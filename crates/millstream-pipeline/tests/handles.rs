//! Push and pull handles, on both runners: order, bounds, waiting, ends, wishes, and what is counted.

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use futures_util::{Sink as _, SinkExt, StreamExt, stream};
use millstream_core::units::Bitrate;
use millstream_core::{
    AudioFrame, Bytes, Control, Cx, EncodedFrame, Item, Layers, Next, Out, Requests, Result, Role, Source, Timestamp,
    Utc, VP8,
};
use millstream_pipeline::handles::{self, Closed, Pull, Push, TryRecv, TrySend};
use millstream_pipeline::{Link, Pipeline, Stepped};

const A_WHILE: Duration = Duration::from_millis(50);
/// So long nothing takes that works: a test that would hang fails.
const FOREVER: Duration = Duration::from_secs(20);

fn items(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).expect("a test's handle holds something")
}

fn block(number: u64) -> AudioFrame {
    AudioFrame::new(8000, 1, Timestamp::from_millis(number), vec![0.0; 8])
}

fn frame(number: u64, role: Role) -> EncodedFrame {
    EncodedFrame::new(VP8, Timestamp::from_millis(number), Bytes::new()).with_role(role)
}

fn number<T: Item>(item: T) -> u64 {
    item.time().as_nanos() / 1_000_000
}

/// All that is there now.
fn there<T: Item>(pull: &Pull<T>) -> Vec<u64> {
    std::iter::from_fn(|| pull.try_recv().ok()).map(number).collect()
}

fn wishes(wishes: Option<Requests>) -> Vec<Control> {
    wishes.iter().flat_map(Requests::iter).collect()
}

/// Push, one stage, pull, inline on one thread.
fn stepped<T: Item>(push: usize, (sink, pull): (impl millstream_core::Sink<T> + 'static, Pull<T>)) -> Bench<T> {
    let (source, push) = handles::push::<T>(items(push));
    let mut pipeline = Pipeline::in_virtual_time("handles", Utc::default());
    let given = pipeline.source("given", source);
    let passed = pipeline.inline("passed", &given, |item: T, out: &mut Out<T>| {
        out.push(item);
        Ok(())
    });
    pipeline.inline_sink("taken", &passed, sink);
    Bench { push, pull, stepped: pipeline.step().unwrap() }
}

struct Bench<T: Item> {
    push: Push<T>,
    pull: Pull<T>,
    stepped: Stepped,
}

/// What `work` gives on a thread of its own.
fn beside<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> mpsc::Receiver<R> {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<R>(work: impl Future<Output = R>) -> R {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut work = pin!(work);
    loop {
        match work.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn what_is_pushed_comes_out_in_order_and_ends_with_the_last_producer() {
    let Bench { push, pull, mut stepped } = stepped(4, handles::pull::<AudioFrame>(items(4)));
    let other = push.clone();
    for number in 0..4 {
        [&push, &other][number as usize % 2].try_send(block(number)).unwrap();
    }
    assert!(matches!(push.try_send(block(4)), Err(TrySend::Full(back)) if number(back.clone()) == 4));
    stepped.run_to_end().unwrap();
    assert_eq!(there(&pull), [0, 1, 2, 3]);
    assert_eq!(pull.try_recv().unwrap_err(), TryRecv::Empty);

    drop(push);
    other.send(block(4)).unwrap();
    stepped.run_to_end().unwrap();
    assert_eq!(there(&pull), [4]);
    assert!(!stepped.is_finished() && !other.is_closed());
    drop(other);
    stepped.run_to_end().unwrap();
    assert!(stepped.is_finished());
    assert_eq!(pull.recv_timeout(FOREVER).unwrap_err(), TryRecv::Ended);
    assert!(pull.recv().is_none());
}

#[test]
fn a_full_send_waits_for_room() {
    let Bench { push, pull, mut stepped } = stepped(2, handles::pull::<AudioFrame>(items(3)));
    let (sent, sends) = mpsc::channel();
    let pushing = push.clone();
    let done = beside(move || {
        for number in 0..3 {
            pushing.send(block(number)).unwrap();
            sent.send(number).unwrap();
        }
    });
    assert_eq!([(); 2].map(|()| sends.recv_timeout(FOREVER).unwrap()), [0, 1]);
    assert!(sends.recv_timeout(A_WHILE).is_err(), "it waits");
    assert!(matches!(push.try_send(block(9)), Err(TrySend::Full(_))));
    stepped.run_to_end().unwrap();
    assert_eq!(sends.recv_timeout(FOREVER), Ok(2));
    done.recv_timeout(FOREVER).unwrap();
    stepped.run_to_end().unwrap();
    assert_eq!(there(&pull), [0, 1, 2]);
}

#[test]
fn a_pipeline_that_goes_releases_its_producers_and_counts_what_it_left() {
    let Bench { push, pull, stepped } = stepped(2, handles::pull::<AudioFrame>(items(2)));
    let producers = [(); 3].map(|()| push.clone());
    let [blocking, tasked, listening] = producers;
    push.send(block(0)).unwrap();
    push.send(block(1)).unwrap();
    let released = [
        beside(move || blocking.send(block(2)).map_err(|Closed(back)| number(back))),
        beside(move || block_on(tasked.send_async(block(3))).map_err(|Closed(back)| number(back))),
    ];
    let heard = beside(move || block_on(listening.requested()));
    assert!(released.iter().all(|released| released.recv_timeout(A_WHILE).is_err()), "they wait");
    drop(stepped);
    assert_eq!(released.map(|released| released.recv_timeout(FOREVER)), [Ok(Err(2)), Ok(Err(3))]);
    assert_eq!(heard.recv_timeout(FOREVER), Ok(None));
    assert!(push.is_closed() && matches!(push.try_send(block(4)), Err(TrySend::Closed(_))));
    assert_eq!(push.discarded(), 2);
    assert!(pull.recv().is_none());
}

#[test]
fn a_pipeline_on_threads_stops_though_nobody_takes_and_everything_is_accounted_for() {
    let (source, push) = handles::push::<AudioFrame>(items(2));
    let (sink, pull) = handles::pull::<AudioFrame>(items(3));
    let mut pipeline = Pipeline::new("full");
    let given = pipeline.source("given", source);
    pipeline.sink("taken", given.through(Link::block(items(4))), sink);
    let running = pipeline.spawn().unwrap();
    let (told, tellings) = mpsc::channel();
    let pushing = push.clone();
    let refused = beside(move || {
        for number in 0.. {
            if let Err(Closed(back)) = pushing.send(block(number)) {
                return self::number(back);
            }
            told.send(number).unwrap();
        }
        unreachable!("a bounded pipeline takes endlessly many")
    });
    // Three in the handle, one that waits for room there, four in the link, one that waits for room
    // in it, two before the source.
    for number in 0..11 {
        assert_eq!(tellings.recv_timeout(FOREVER), Ok(number));
    }
    assert!(tellings.recv_timeout(A_WHILE).is_err(), "it waits");
    drop(running);
    assert_eq!(refused.recv_timeout(FOREVER), Ok(11));
    assert_eq!((there(&pull), pull.discarded(), push.discarded()), (vec![0, 1, 2], 6, 2));
}

#[test]
fn ten_thousand_items_pass_on_threads() {
    const COUNT: u64 = 10_000;
    let (source, push) = handles::push::<AudioFrame>(items(8));
    let (sink, pull) = handles::pull::<AudioFrame>(items(8));
    let mut pipeline = Pipeline::new("many");
    let given = pipeline.source("given", source);
    let passed = pipeline.stage(
        "passed",
        given.through(Link::block(items(8))),
        |item: AudioFrame, out: &mut Out<AudioFrame>| {
            out.push(item);
            Ok(())
        },
    );
    pipeline.sink("taken", passed.through(Link::block(items(8))), sink);
    let running = pipeline.spawn().unwrap();
    let sent = beside(move || (0..COUNT).try_for_each(|number| push.send(block(number))));
    for expected in 0..COUNT {
        assert_eq!(pull.recv_timeout(FOREVER).map(number), Ok(expected));
    }
    assert_eq!(pull.recv_timeout(FOREVER).unwrap_err(), TryRecv::Ended);
    sent.recv_timeout(FOREVER).unwrap().unwrap();
    running.wait().unwrap();
    assert_eq!(pull.discarded(), 0);
}

#[test]
fn tasks_push_as_a_sink_and_pull_as_a_stream() {
    const COUNT: u64 = 1000;
    let (source, mut push) = handles::push::<AudioFrame>(items(4));
    let (sink, pull) = handles::pull::<AudioFrame>(items(4));
    let mut pipeline = Pipeline::new("tasks");
    let given = pipeline.source("given", source);
    pipeline.sink("taken", given.through(Link::block(items(4))), sink);
    let running = pipeline.spawn().unwrap();
    let sent = beside(move || {
        block_on(async {
            push.send_all(&mut stream::iter(0..COUNT).map(|number| Ok(block(number)))).await?;
            push.close().await?;
            push.send_async(block(COUNT)).await.map_err(|_| Closed(()))
        })
    });
    let taken = beside(move || block_on(pull.map(number).collect::<Vec<_>>()));
    assert_eq!(sent.recv_timeout(FOREVER), Ok(Err(Closed(()))), "after it was closed");
    assert!(taken.recv_timeout(FOREVER).unwrap().into_iter().eq(0..COUNT));
    running.wait().unwrap();
}

#[test]
fn a_sink_that_is_ready_keeps_its_place() {
    let (source, mut ready) = handles::push::<AudioFrame>(items(1));
    let mut late = ready.clone();
    let woken = Arc::new(Mutex::new(0));
    struct Count(Arc<Mutex<u32>>);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            *self.0.lock().unwrap() += 1;
        }
    }
    let waker = Waker::from(Arc::new(Count(Arc::clone(&woken))));
    let mut cx = Context::from_waker(&waker);
    assert_eq!(ready.poll_ready_unpin(&mut cx), Poll::Ready(Ok(())));
    assert_eq!(ready.poll_ready_unpin(&mut cx), Poll::Ready(Ok(())));
    assert_eq!(late.poll_ready_unpin(&mut cx), Poll::Pending);
    assert!(matches!(late.try_send(block(0)), Err(TrySend::Full(_))));
    drop(ready);
    assert_eq!(*woken.lock().unwrap(), 1);
    assert_eq!(late.poll_ready_unpin(&mut cx), Poll::Ready(Ok(())));
    assert_eq!(std::pin::Pin::new(&mut late).start_send(block(0)), Ok(()));
    drop(source);
    assert_eq!(late.poll_ready_unpin(&mut cx), Poll::Ready(Err(Closed(()))));
    assert_eq!(late.discarded(), 1);
}

#[test]
fn wishes_travel_from_the_pull_to_the_push() {
    let Bench { push, pull, mut stepped } = stepped(2, handles::pull::<AudioFrame>(items(2)));
    let slow = Control::Bitrate(Some(Bitrate::from_bps(64_000)));
    pull.ask(slow);
    stepped.run_to_end().unwrap();
    assert_eq!(push.requests(), None, "nobody knows the way yet");
    push.send(block(0)).unwrap();
    stepped.run_to_end().unwrap();
    assert_eq!(wishes(push.requests()), [slow]);
    assert_eq!(push.requests(), None);

    let listening = push.clone();
    let heard = beside(move || wishes(block_on(listening.requested())));
    let fast = Control::Bitrate(Some(Bitrate::from_bps(128_000)));
    pull.ask(slow);
    pull.ask(fast);
    stepped.run_to_end().unwrap();
    assert_eq!(heard.recv_timeout(FOREVER).unwrap(), [fast], "the newest of each kind");
    pull.ask(Control::KeyFrame(Layers::ALL));
    stepped.run_to_end().unwrap();
    assert_eq!(wishes(push.requests()), [Control::KeyFrame(Layers::ALL)]);
}

#[test]
fn asking_wakes_a_source_that_sleeps() {
    /// Gives one frame, and one for each wish.
    struct OnDemand(u64);
    impl Source<EncodedFrame> for OnDemand {
        fn next(&mut self, cx: &mut Cx) -> Result<Next<EncodedFrame>> {
            if self.0 == 0 {
                return Ok(Next::Idle);
            }
            self.0 -= 1;
            Ok(Next::Item(frame(0, Role::Start).with_time(cx.now())))
        }
        fn control(&mut self, wish: Control, _: &mut Cx) {
            self.0 += u64::from(wish == Control::KeyFrame(Layers::ALL));
        }
    }
    let (sink, pull) = handles::pull::<EncodedFrame>(items(2));
    let mut pipeline = Pipeline::in_virtual_time("on demand", Utc::default());
    let source = pipeline.source("source", OnDemand(1));
    pipeline.sink("taken", &source, sink);
    let mut stepped = pipeline.step().unwrap();
    stepped.run_until(Timestamp::from_millis(7)).unwrap();
    assert_eq!(there(&pull), [0]);
    pull.ask(Control::KeyFrame(Layers::ALL));
    stepped.run_to_end().unwrap();
    assert_eq!(there(&pull), [7]);
}

#[test]
fn pull_latest_keeps_the_newest_and_what_a_decoder_can_use() {
    use Role::{Discardable, Reference, Start};
    let Bench { push, pull, mut stepped } = stepped(8, handles::pull_latest::<EncodedFrame>(items(3)));
    let mut give = |from: u64, roles: &[Role]| {
        for (number, role) in (from..).zip(roles) {
            push.send(frame(number, *role)).unwrap();
        }
        stepped.run_to_end().unwrap();
        (there(&pull), pull.discarded(), wishes(push.requests()))
    };
    assert_eq!(give(0, &[Start, Discardable, Reference, Reference]), (vec![0, 2, 3], 1, vec![]));
    assert_eq!(give(4, &[Reference; 4]), (vec![], 5, vec![Control::KeyFrame(Layers::ALL)]));
    // What finds it full can be decoded by itself: nothing is to be wished for.
    assert_eq!(give(8, &[Reference, Start, Reference, Start, Reference]), (vec![11, 12], 8, vec![]));
    drop(push);
    stepped.run_to_end().unwrap();
    assert!(pull.recv().is_none());
}

#[test]
fn a_program_that_stops_listening_does_not_stop_the_pipeline() {
    let Bench { push, pull, mut stepped } = stepped(8, handles::pull::<AudioFrame>(items(1)));
    drop(pull);
    for number in 0..8 {
        push.send(block(number)).unwrap();
    }
    drop(push);
    stepped.run_to_end().unwrap();
    assert!(stepped.is_finished());
    assert_eq!(stepped.statistics().stage("taken").unwrap().items_in, 8);
}

#[test]
fn dropping_a_full_pull_releases_the_pipeline() {
    let (source, push) = handles::push::<AudioFrame>(items(1));
    let (sink, pull) = handles::pull::<AudioFrame>(items(1));
    let mut pipeline = Pipeline::new("released");
    let given = pipeline.source("given", source);
    pipeline.sink("taken", given.through(Link::block(items(1))), sink);
    let running = pipeline.spawn().unwrap();
    let sent = beside(move || (0..100).try_for_each(|number| push.send(block(number))));
    assert!(sent.recv_timeout(A_WHILE).is_err(), "it waits");
    drop(pull);
    sent.recv_timeout(FOREVER).unwrap().unwrap();
    running.wait().unwrap();
}

#[test]
fn a_pull_waits_no_longer_than_it_is_patient() {
    let Bench { push, pull, mut stepped } = stepped(1, handles::pull::<AudioFrame>(items(1)));
    assert_eq!(pull.recv_timeout(Duration::ZERO).unwrap_err(), TryRecv::Empty);
    assert_eq!(pull.recv_timeout(A_WHILE).unwrap_err(), TryRecv::Empty);
    let taken = beside(move || (number(pull.recv().unwrap()), pull.recv().is_none()));
    push.send(block(5)).unwrap();
    stepped.run_to_end().unwrap();
    drop((push, stepped));
    assert_eq!(taken.recv_timeout(FOREVER), Ok((5, true)));
}
