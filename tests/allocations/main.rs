//! Our code allocates nothing per frame once it is warm: real encoders and packetizers, both runners.
//!
//! Counted is every call of Rust's global allocator, from whatever crate. What libvpx and libopus
//! take from malloc themselves is counted apart: `docs/measurements/allocations.md`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millstream::core::{Timestamp, Utc};
use millstream::stages::null::Null;
use millstream::stages::{remix, remix::Remix, resample, resample::Resample};
use millstream::stages::{test_audio, test_audio::TestAudio, test_video, test_video::TestVideo};
use millstream::{Link, Pipeline, Running, opus, rtp, vpx};
use millstream_testkit::limited;

struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator.
#[expect(unsafe_code, reason = "an allocator can only be counted by being one")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as for `dealloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Seconds within which a pipeline on threads is warm.
const WINDOWS: u32 = 8;

/// Test picture and sound into VP8 and Opus packets, `frames` of video. The sound makes a detour by another rate.
fn build(pipeline: &mut Pipeline, frames: usize) {
    let block = Link::block(NonZeroUsize::new(4).expect("four"));
    let picture = test_video::Options {
        width: "640".parse().expect("pixels"),
        height: "360".parse().expect("pixels"),
        fps: "1000".parse().expect("a rate"),
        ..Default::default()
    };
    let video = pipeline.source("video", limited(TestVideo::new(picture).expect("options"), frames));
    let vp8 = pipeline.stage("vp8", video.through(block), vpx::Encoder::new(Default::default()).expect("libvpx"));
    let packets = pipeline.inline("vp8-rtp", &vp8, rtp::vp8::Packetizer::new(Default::default()));
    pipeline.sink("video packets", packets.through(block), Null);

    let sound = test_audio::Options { channels: 2, ..Default::default() };
    let audio = pipeline.source("audio", TestAudio::new(sound).expect("options"));
    let resample = |rate: &str| Resample::new(resample::Options { rate: rate.parse().expect("a rate") });
    let away = pipeline.inline("away", &audio, resample("44.1 kHz"));
    let back = pipeline.inline("back", &away, resample("48 kHz"));
    let mono = pipeline.inline("mono", &back, Remix::new(remix::Options { channels: 1 }).expect("options"));
    let opus = pipeline.stage("opus", mono.through(block), opus::Encoder::new(Default::default()));
    let packets = pipeline.inline("opus-rtp", &opus, rtp::opus::Packetizer::new(Default::default()));
    pipeline.inline_sink("audio packets", &packets, Null);
}

fn frames_out(statistics: &millstream::pipeline::Statistics) -> u64 {
    statistics.stage("video packets").expect("it was added").items_in
}

// One test: the counter is the whole process'.
#[test]
fn after_warm_up_a_frame_allocates_nothing() {
    let mut pipeline = Pipeline::in_virtual_time("stepped", Utc::default());
    build(&mut pipeline, usize::MAX);
    let mut stepped = pipeline.step().expect("a good pipeline");
    stepped.run_until(Timestamp::from_millis(500)).expect("it runs");
    let (calls, frames) = (CALLS.load(Ordering::Relaxed), frames_out(&stepped.statistics()));
    // The reading of the statistics itself allocates: count from here.
    let calls = calls.max(CALLS.load(Ordering::Relaxed));
    stepped.run_for(Duration::from_secs(1)).expect("it runs");
    let calls = CALLS.load(Ordering::Relaxed) - calls;
    let frames = frames_out(&stepped.statistics()) - frames;
    assert_eq!(frames, 1000);
    assert_eq!(calls, 0, "allocations in 1000 frames of video and 1 s of sound, stepped");

    let mut pipeline = Pipeline::new("threads");
    build(&mut pipeline, usize::MAX);
    let running = pipeline.spawn().expect("threads");
    let wait_for = |running: &Running, count: u64| {
        // `statistics` allocates, so the wait is over before the count begins.
        while frames_out(&running.statistics()) < count {
            assert!(!running.wait_for(Duration::from_millis(5)), "it ended early");
        }
    };
    wait_for(&running, 500);
    // Queues and pools may still grow to their bounds, as threads fall behind each other; then nothing does.
    let quiet = (0..WINDOWS).find_map(|_| {
        let before = frames_out(&running.statistics());
        let calls = CALLS.load(Ordering::Relaxed);
        // Nothing is looked at while it is counted; a second of media passes at 1000 pictures per second.
        assert!(!running.wait_for(Duration::from_millis(1200)), "it ended early");
        let calls = CALLS.load(Ordering::Relaxed) - calls;
        let frames = frames_out(&running.statistics()) - before;
        (frames >= 300 && calls == 0).then_some(frames)
    });
    assert!(quiet.is_some(), "something is allocated in each of {WINDOWS} windows of a second, on threads");
    running.stop();
    running.wait().expect("it stops");
}
