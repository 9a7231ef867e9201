//! An encoder that follows its slowest viewer, told by REMB on the wire.

use std::sync::mpsc::{Receiver, channel};

use millstream::signaling::page::Adapt;
use rtc::rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;

use crate::native::Viewer;
use crate::show::{Show, alone};

/// What the slow viewer can take, in bits per second.
const SLOW: f32 = 160_000.0;
/// Rate control follows within as many times two seconds.
const PATIENCE: u32 = 10;

#[test]
fn the_slowest_viewer_sets_the_bit_rate_until_it_leaves() {
    alone(async {
        let show = Show::adapting(Adapt::Slowest);
        let (taker, frames) = channel();
        let watcher = Viewer::join_for(show.address, Some(taker)).await.expect("a place");
        let slow = Viewer::join(show.address).await.expect("a place");
        assert!(slow.sees(|log| log.frames > 60).await, "both have a picture");
        let before = rate(&watcher, &frames).await;

        slow.rtcp(|ssrc| {
            Box::new(ReceiverEstimatedMaximumBitrate { sender_ssrc: 1, bitrate: SLOW, ssrcs: vec![ssrc] })
        });
        let limited = until(&watcher, &frames, |rate| rate < SLOW.into()).await;
        eprintln!("{before:.0} bit/s before, {limited:.0} for the slow viewer");
        assert!(before > 1.5 * limited, "{before:.0} bit/s was no load to begin with");

        slow.leave().await.expect("it leaves");
        let after = until(&watcher, &frames, |rate| rate > 1.3 * limited).await;
        eprintln!("{after:.0} bit/s after it has left");
        assert_eq!(watcher.log(|log| log.undecodable), 0);
    });
}

/// The bit rate once `is` holds of it.
async fn until(viewer: &Viewer, frames: &Receiver<(u32, Vec<u8>)>, is: impl Fn(f64) -> bool) -> f64 {
    let mut last = 0.0;
    for _ in 0..PATIENCE {
        last = rate(viewer, frames).await;
        if is(last) {
            return last;
        }
    }
    panic!("it stays at {last:.0} bit/s");
}

/// The bit rate of the next sixty pictures.
async fn rate(viewer: &Viewer, frames: &Receiver<(u32, Vec<u8>)>) -> f64 {
    let from = viewer.log(|log| log.frames);
    while frames.try_recv().is_ok() {}
    assert!(viewer.sees(|log| log.frames >= from + 61).await, "the stream goes on");
    let seen: Vec<_> = frames.try_iter().collect();
    let bits: usize = seen.iter().skip(1).map(|(_, data)| data.len() * 8).sum();
    let (first, last) = (seen.first().expect("pictures").0, seen.last().expect("pictures").0);
    bits as f64 * 90_000.0 / f64::from(last.wrapping_sub(first))
}
