//! Our packetizer beside those of two crates, and beside copying the frame.

use std::collections::VecDeque;
use std::hint::black_box;
use std::io;
use std::time::Duration;

use millstream::core::{Bytes, EncodedFrame, OPUS, Out, Role, Stage, Timestamp, VP8};
use millstream::rtp;

use crate::record::Record;
use crate::rounds::{self, Subject};

/// How many bytes are packetized in a turn: some milliseconds.
const TURN: usize = 100_000_000;

/// More than the processor's caches hold (32 MiB here): a frame that is not in them.
const BEYOND_CACHES: usize = 96 << 20;

/// The packets of the last frames are kept, as for sending them again: half a second.
const HELD: usize = 15;

pub(crate) fn measure(rounds: u32) -> io::Result<()> {
    let mut record = Record::create("packetize")?;
    record.version("rtc-rtp", "0.21.1, Vp8Payloader with its picture id, packets of 1200 bytes")?;
    record.version("rtp", "0.17.2, the same")?;
    for (case, role, size, frames) in [
        ("a_50_kB_key_frame", Role::Start, 50_000, 1),
        ("a_5_kB_delta_frame", Role::Reference, 5_000, 1),
        ("a_50_kB_key_frame_not_in_cache", Role::Start, 50_000, BEYOND_CACHES / 50_000),
        ("a_5_kB_delta_frame_not_in_cache", Role::Reference, 5_000, BEYOND_CACHES / 5_000),
    ] {
        // In one block, as an encoder's ring is, whose count of references is near.
        let whole = Bytes::from(vec![0x55; size * frames]);
        let nth = |number: usize| whole.slice(number * size..(number + 1) * size);
        let frames: Vec<EncodedFrame> = (0..frames).map(|number| frame(role, 1).with_data(nth(number))).collect();
        vp8(&mut record, rounds, case, size, &frames)?;
    }
    let packet = frame(Role::Start, 160).with_codec(OPUS);
    let mut ours = rtp::opus::Packetizer::new(Default::default());
    let mut out = Out::at(Timestamp::ZERO);
    let mut subjects = [
        Subject::repeated("millstream", 100_000, || {
            ours.process(packet.clone(), &mut out).expect("a good packet");
            black_box(out.items().pop_front());
        }),
        Subject::repeated("copy_to_fresh_memory", 100_000, || drop(black_box(Bytes::copy_from_slice(&packet.data)))),
    ];
    rounds::measure(&mut record, rounds, "a_160_byte_Opus_packet", &mut subjects)
}

fn vp8(record: &mut Record, rounds: u32, case: &str, size: usize, frames: &[EncodedFrame]) -> io::Result<()> {
    // Each frame in turn; a turn goes over all of them at least once.
    let next = || {
        let mut all = frames.iter().cycle();
        move || all.next().expect("a frame")
    };
    let times = ((TURN / size / 10) as u32).max(frames.len() as u32);

    let mut ours = packetizer();
    let mut holding = packetizer();
    let (mut ours_next, mut holding_next) = (next(), next());
    let mut held = VecDeque::with_capacity(HELD + 1);

    let mut rtc_next = next();
    let mut rtc = rtc_rtp::codec::vp8::Vp8Payloader::default();
    rtc.enable_picture_id = true;
    let now = started();
    let sequence = Box::new(rtc_rtp::sequence::new_random_sequencer());
    let mut rtc = rtc_rtp::packetizer::new_packetizer(now, 1200, 96, 1, Box::new(rtc), sequence, 90_000);

    let mut rtp_next = next();
    let mut rtp = ::rtp::codecs::vp8::Vp8Payloader::default();
    rtp.enable_picture_id = true;
    let sequence = Box::new(::rtp::sequence::new_random_sequencer());
    let mut rtp = ::rtp::packetizer::new_packetizer(1200, 96, 1, Box::new(rtp), sequence, 90_000);

    let (mut warm_next, mut fresh_next) = (next(), next());
    let mut warm = vec![0; size];

    let mut subjects = [
        Subject::repeated("millstream", times, || drop(black_box(packets(&mut ours, ours_next())))),
        Subject::repeated("millstream_holding_15_frames", times, || {
            held.push_back(packets(&mut holding, holding_next()));
            if held.len() > HELD {
                held.pop_front();
            }
        }),
        Subject::repeated("rtc-rtp", times, || {
            use rtc_rtp::packetizer::Packetizer;
            black_box(rtc.packetize(now, &rtc_next().data, 3000).expect("a good frame"));
        }),
        Subject::repeated("rtp", times, || {
            use ::rtp::packetizer::Packetizer;
            black_box(rtp.packetize(&rtp_next().data, 3000).expect("a good frame"));
        }),
        Subject::repeated("copy_to_the_same_place", times, || {
            warm.copy_from_slice(black_box(&warm_next().data));
            black_box(&warm);
        }),
        Subject::repeated("copy_to_fresh_memory", times, || {
            drop(black_box(Bytes::copy_from_slice(&fresh_next().data)));
        }),
    ];
    rounds::measure(record, rounds, case, &mut subjects)
}

/// A packetizer and what it gives into.
type Ours = (rtp::vp8::Packetizer, Out<millstream::core::RtpPackets>);

pub(crate) fn packetizer() -> Ours {
    (rtp::vp8::Packetizer::new(Default::default()), Out::at(Timestamp::ZERO))
}

pub(crate) fn packets((packetizer, out): &mut Ours, frame: &EncodedFrame) -> Option<millstream::core::RtpPackets> {
    packetizer.process(frame.clone(), out).expect("a good frame");
    out.items().pop_front()
}

pub(crate) fn frame(role: Role, size: usize) -> EncodedFrame {
    EncodedFrame::new(VP8, Timestamp::from_millis(3_600_000), vec![0x55; size])
        .with_duration(Duration::from_millis(33))
        .with_role(role)
}

/// What `rtc-rtp` wants to be told of, and uses for an extension that is off.
#[expect(clippy::disallowed_methods, reason = "no stage of a pipeline: a crate that we measure")]
fn started() -> std::time::Instant {
    std::time::Instant::now()
}
