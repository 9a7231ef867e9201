//! After warm-up, packetizing allocates nothing. A test binary of its own: it counts for the whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use millstream_core::{Codec, EncodedFrame, OPUS, Out, Role, RtpPackets, Stage, Timestamp, VP8};
use millstream_rtp::{opus, vp8};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting for each thread: the test harness allocates in its own.
struct Counting;

#[expect(unsafe_code, reason = "an allocator is unsafe to implement")]
// SAFETY: every call goes to the system's allocator unchanged; counting touches a thread-local
// integer that needs neither allocation nor destructor.
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

/// How often `stage` allocates in 1000 frames after 100, with the packets of `held` frames in use.
fn allocations(stage: &mut dyn Stage<EncodedFrame, RtpPackets>, codec: Codec, size: usize, held: usize) -> u64 {
    let data = Bytes::from(vec![0x5A; size]);
    let mut out = Out::at(Timestamp::ZERO);
    let mut in_use = std::collections::VecDeque::with_capacity(held + 1);
    let mut before = 0;
    for count in 0..1100 {
        if count == 100 {
            before = ALLOCATIONS.get();
        }
        let frame = EncodedFrame::new(codec.clone(), Timestamp::from_millis(20 * count), data.clone())
            .with_duration(Duration::from_millis(20))
            .with_role(Role::Reference);
        stage.process(frame, &mut out).unwrap();
        in_use.extend(out.items().pop_front());
        if in_use.len() > held {
            in_use.pop_front();
        }
    }
    ALLOCATIONS.get() - before
}

#[test]
fn a_thousand_vp8_frames_allocate_nothing() {
    for (size, held) in [(1, 0), (5_000, 0), (5_000, 30), (40_000, 3)] {
        let mut packetizer = vp8::Packetizer::new(vp8::Options::default());
        assert_eq!(allocations(&mut packetizer, VP8, size, held), 0, "{size} bytes, {held} held");
    }
}

#[test]
fn a_thousand_opus_packets_allocate_nothing() {
    for held in [0, 50] {
        let mut packetizer = opus::Packetizer::new(opus::Options::default());
        assert_eq!(allocations(&mut packetizer, OPUS, 160, held), 0, "{held} held");
    }
}
