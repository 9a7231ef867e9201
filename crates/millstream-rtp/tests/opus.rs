//! Opus packets, read back by the crate `rtp`, which knows nothing of ours.

use std::time::Duration;

use millstream_core::error::Kind;
use millstream_core::{Bytes, EncodedFrame, OPUS, Out, RtpPackets, Stage, Timestamp};
use millstream_rtp::opus::{Options, Packetizer};
use rtp::codecs::opus::OpusPacket;
use rtp::packetizer::Depacketizer;

fn frame(time: Timestamp, duration: Duration) -> EncodedFrame {
    EncodedFrame::new(OPUS, time, vec![0xFC; 160]).with_duration(duration)
}

fn packetize(packetizer: &mut Packetizer, frame: EncodedFrame) -> RtpPackets {
    let mut out = Out::at(frame.time);
    packetizer.process(frame, &mut out).unwrap();
    out.items().pop_front().unwrap()
}

#[test]
fn a_frame_is_one_packet_and_comes_back_whole() {
    let mut packetizer = Packetizer::new(Options::default());
    let sent = frame(Timestamp::ZERO, Duration::from_millis(20));
    let packets = packetize(&mut packetizer, sent.clone());
    let all: Vec<_> = packets.iter().collect();
    assert_eq!(all.len(), 1);
    assert_eq!(OpusPacket.depacketize(&all[0].1).unwrap(), sent.data);
}

#[test]
fn timestamps_are_perfectly_continuous_from_any_start() {
    // Starts that fall between two ticks of 48 kHz, one of them exactly half way.
    for start in [0, 1, 7, 10_417, 31_250 / 2, 123_456_789] {
        for micros in [2_500, 5_000, 10_000, 20_000, 40_000, 60_000] {
            let mut packetizer = Packetizer::new(Options { seed: Some(start) });
            let duration = Duration::from_micros(micros);
            let mut before = None;
            for count in 0..5_000 {
                let time = Timestamp::from_nanos(start) + duration * count;
                let header = packetize(&mut packetizer, frame(time, duration)).headers[0];
                if let Some((sequence, timestamp)) = before {
                    assert_eq!(header.timestamp.wrapping_sub(timestamp), (micros * 48 / 1000) as u32);
                    assert_eq!(header.sequence.wrapping_sub(sequence), 1);
                }
                assert_eq!(header.marker, count == 0);
                before = Some((header.sequence, header.timestamp));
            }
        }
    }
}

#[test]
fn the_first_packet_after_silence_carries_the_marker() {
    let mut packetizer = Packetizer::new(Options::default());
    let mut marker = |millis| {
        packetize(&mut packetizer, frame(Timestamp::from_millis(millis), Duration::from_millis(20))).headers[0].marker
    };
    assert_eq!([0, 20, 40, 440, 460, 500, 520].map(&mut marker), [true, false, false, true, false, true, false]);
}

#[test]
fn an_empty_frame_is_a_bad_item() {
    let mut packetizer = Packetizer::new(Options::default());
    let empty = frame(Timestamp::ZERO, Duration::ZERO).with_data(Bytes::new());
    let error = packetizer.process(empty, &mut Out::at(Timestamp::ZERO)).unwrap_err();
    assert_eq!(error.kind(), Kind::BadItem);
}
