//! The whole path from test picture and sound to RTP packets gives the same bytes on threads and stepped.

use std::num::NonZeroUsize;

use millstream::core::{Clock, RtpPackets, Timestamp, Utc};
use millstream::rtp;
use millstream::stages::test_audio::{self, TestAudio};
use millstream::stages::test_video::{self, TestVideo};
use millstream::{Link, Pipeline, opus, vpx};
use millstream_testkit::{Collected, limited};

/// 22 November 2026, 12:00 UTC.
const NOON: Utc = Utc::from_unix_nanos(1_795_348_800_000_000_000);

/// Every packet of two seconds: header and payload, and when what it carries was captured.
type Bytes = Vec<(u64, u16, u32, bool, Vec<u8>)>;

fn build(pipeline: &mut Pipeline) -> [Collected<RtpPackets>; 2] {
    let block = Link::block(NonZeroUsize::new(4).unwrap());
    let collected = [Collected::default(), Collected::default()];

    let picture = test_video::Options {
        width: "320".parse().unwrap(),
        height: "180".parse().unwrap(),
        ..test_video::Options::default()
    };
    let video = pipeline.source("video", limited(TestVideo::new(picture).unwrap(), 60));
    let vp8 = pipeline.stage("vp8", video.through(block), vpx::Encoder::new(vpx::Options::default()).unwrap());
    let seeded = rtp::vp8::Options { seed: Some(7), ..Default::default() };
    let packets = pipeline.inline("vp8-rtp", &vp8, rtp::vp8::Packetizer::new(seeded));
    pipeline.sink("video packets", packets.through(block), collected[0].clone());

    let audio = pipeline.source("audio", limited(TestAudio::new(test_audio::Options::default()).unwrap(), 200));
    let opus = pipeline.stage("opus", audio.through(block), opus::Encoder::new(opus::Options::default()));
    let seeded = rtp::opus::Options { seed: Some(7) };
    let packets = pipeline.inline("opus-rtp", &opus, rtp::opus::Packetizer::new(seeded));
    pipeline.sink("audio packets", packets.through(block), collected[1].clone());
    collected
}

fn bytes(collected: &Collected<RtpPackets>) -> Bytes {
    let flat = |packets: &RtpPackets| {
        let time = packets.time.as_nanos();
        packets
            .iter()
            .map(|(header, payload)| (time, header.sequence, header.timestamp, header.marker, payload.to_vec()))
            .collect::<Vec<_>>()
    };
    collected.take().iter().flat_map(flat).collect()
}

fn stepped() -> [Bytes; 2] {
    let mut pipeline = Pipeline::in_virtual_time("stepped", NOON);
    let collected = build(&mut pipeline);
    let mut stepped = pipeline.step().unwrap();
    stepped.run_to_end().unwrap();
    assert!(stepped.is_finished());
    // Two seconds of media passed on the clock, whatever time it took.
    assert!((1_900..=2_100).contains(&(stepped.now().as_nanos() / 1_000_000)), "{}", stepped.now());
    collected.each_ref().map(bytes)
}

#[test]
fn threads_and_virtual_time_give_the_same_bytes() {
    let first = stepped();
    assert_eq!(first[0].iter().filter(|packet| packet.3).count(), 60);
    assert_eq!(first[1].len(), 100);
    assert!(first == stepped(), "two stepped runs differ");

    let clock = Clock::system().with_utc_at_zero(NOON);
    let mut pipeline = Pipeline::with_clock("threads", clock).starting_at(Timestamp::ZERO);
    let collected = build(&mut pipeline);
    pipeline.spawn().unwrap().wait().unwrap();
    assert!(first == collected.each_ref().map(bytes), "threads differ from stepped");
}
