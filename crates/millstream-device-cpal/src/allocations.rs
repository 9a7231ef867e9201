//! After warm-up nothing is allocated for a block: from a callback to the pipeline, and from there to a callback.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use millstream_core::{AudioFrame, Timestamp, samples_to_time};
use millstream_testkit::conformance;

use crate::volume::Volume;
use crate::{capture, render};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting for each thread: other tests allocate in theirs.
struct Counting;

#[expect(unsafe_code, reason = "an allocator is unsafe to implement")]
// SAFETY: every call goes to the system's allocator unchanged; counting touches a thread-local integer that needs
// neither allocation nor destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, which is the same.
        unsafe { System.dealloc(place, layout) }
    }
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `realloc`, which is the same.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_block_of_a_microphone_allocates_nothing() {
    let (mut intake, mut capture) = capture::session(44_100, 2, 480, Timestamp::ZERO).unwrap();
    let mut given = 0;
    let period = |call: u64| {
        intake.put(441, Timestamp::from_millis(1000 + 10 * call), std::iter::repeat_n(0.25, 882));
        while capture.next(|samples, _| samples[0] = 0.0).is_some() {
            given += 1;
        }
    };
    conformance::allocations(|| ALLOCATIONS.get(), period);
    assert!(given > 1000, "{given}");
}

#[test]
fn a_block_for_a_speaker_allocates_nothing() {
    let volume = Volume::new("-3 dB".parse().unwrap(), false);
    let (mut render, mut playout) = render::session(44_100, 2, 441, 4410, volume);
    let samples = millstream_core::Buffer::from(vec![0.25; 480]);
    let mut heard = 0.0;
    let period = |call: u64| {
        let time = Timestamp::ZERO + samples_to_time(480 * call, 48_000);
        let block = AudioFrame::new(48_000, 1, time, samples.clone());
        render.take(&block).unwrap();
        playout.fill(441, |sample| heard += f64::from(sample));
    };
    conformance::allocations(|| ALLOCATIONS.get(), period);
    assert!(heard > 0.0);
}
