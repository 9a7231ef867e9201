//! After warm-up a picture allocates no more than the few small answers that `x11rb` hands out in boxes
//! of their own: our code allocates nothing.

#![cfg(target_os = "linux")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use millstream_core::{Clock, Cx, Next, Run, Source, Upstream, VideoFrame};
use millstream_device_x11::{Options, Screen};
use millstream_testkit::Xvfb;

struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator.
#[expect(unsafe_code, reason = "an allocator can only be counted by being one")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PICTURES: u64 = 100;

/// Takes so many pictures, and does what `keep` does with each.
fn take(screen: &mut Screen, cx: &mut Cx, mut count: u64, mut keep: impl FnMut(VideoFrame)) {
    while count > 0 {
        match screen.next(cx).expect("the X server runs") {
            Next::Item(picture) => {
                keep(picture);
                count -= 1;
            }
            _ => thread::park_timeout(Duration::from_millis(1)),
        }
    }
}

#[test]
fn a_picture_allocates_only_the_answers_of_the_x11rb_crate() {
    let Some(server) = Xvfb::start((1280, 720), &[]) else { return };
    // By picture: an event asked for, a picture, a pointer. Measured; a frame would be 1.4 MB.
    for (cursor, most_calls, most_bytes) in [(false, 6, 1000), (true, 14, 20_000)] {
        let device = Some(server.display().to_owned());
        let fps = "200".parse().expect("a rate");
        let clock = Clock::system();
        let options = Options { device, cursor, fps, ..Options::default() };
        let mut screen = Screen::open(options, clock.clone()).expect("the X server runs");
        let run = Run::default();
        run.start(clock.now());
        let mut cx = Cx::new(clock, std::task::Waker::noop().clone(), Upstream::default(), run);
        // More at once than will be on their way later, so that there are buffers for all of them.
        let mut kept = Vec::new();
        take(&mut screen, &mut cx, 4, |picture| kept.push(picture));
        drop(kept);
        take(&mut screen, &mut cx, 20, drop);
        let before = (CALLS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
        take(&mut screen, &mut cx, PICTURES, drop);
        let calls = (CALLS.load(Ordering::Relaxed) - before.0) / PICTURES;
        let bytes = (BYTES.load(Ordering::Relaxed) - before.1) / PICTURES;
        eprintln!("with the pointer: {cursor}: {calls} allocations of {bytes} bytes in all, by picture");
        assert!(calls <= most_calls && bytes <= most_bytes, "{calls} allocations, {bytes} bytes by picture");
    }
}
