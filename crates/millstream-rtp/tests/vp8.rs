//! VP8 packets, read back by the crate `rtp`, which knows nothing of ours.

use bytes::Bytes;
use millstream_core::error::Kind;
use millstream_core::options::{Problem, Table, Value};
use millstream_core::{EncodedFrame, Layer, Out, Registry, Role, RtpPackets, Stage, Timestamp, VP8};
use millstream_rtp::vp8::{MaxPayload, Options, Packetizer};
use rtp::codecs::vp8::Vp8Packet;
use rtp::packetizer::Depacketizer;

fn frame(size: usize, time: Timestamp) -> EncodedFrame {
    let data: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
    EncodedFrame::new(VP8, time, data).with_role(Role::Reference)
}

fn packetize(packetizer: &mut Packetizer, frame: EncodedFrame) -> RtpPackets {
    let mut out = Out::at(frame.time);
    packetizer.process(frame, &mut out).unwrap();
    assert_eq!(out.items().len(), 1, "one frame gives one group of packets");
    out.items().pop_front().unwrap()
}

/// Descriptor and share of the frame.
fn read(payload: &Bytes) -> (Vp8Packet, Bytes) {
    let mut packet = Vp8Packet::default();
    let share = packet.depacketize(payload).unwrap();
    (packet, share)
}

#[test]
fn frames_of_every_size_come_back_whole() {
    let sizes: Vec<usize> = [1, 2].into_iter().chain(1194..=1210).chain([5_000, 50_000, 1_000_000]).collect();
    for max in [100, 1200, 65_000] {
        let max_payload = MaxPayload::new(max).unwrap();
        let mut packetizer = Packetizer::new(Options { max_payload, seed: None });
        let mut sequence = None;
        let mut picture_id = None;
        for (count, &size) in sizes.iter().enumerate() {
            let sent = frame(size, Timestamp::from_millis(33 * count as u64));
            let packets = packetize(&mut packetizer, sent.clone());
            assert_eq!(packets.headers.len(), size.div_ceil(usize::from(max) - 4), "{size} in {max}");

            let mut received = Vec::new();
            for (index, (header, payload)) in packets.iter().enumerate() {
                assert!(payload.len() <= usize::from(max));
                assert!(
                    payload.len() * packets.headers.len() + packets.headers.len() >= packets.data.len(),
                    "balanced"
                );
                let (packet, share) = read(&payload);
                assert_eq!(packet.s == 1, index == 0, "S on the first packet alone");
                assert_eq!((packet.pid, packet.n), (0, 0));
                assert_eq!(header.marker, index + 1 == packets.headers.len(), "marker on the last packet alone");
                assert_eq!(header.timestamp, packets.headers[0].timestamp);
                let expected = sequence.map_or(header.sequence, |before: u16| before.wrapping_add(1));
                assert_eq!(header.sequence, expected);
                sequence = Some(expected);
                if index == 0 {
                    let expected = picture_id.map_or(packet.picture_id, |before: u16| (before + 1) & 0x7FFF);
                    assert_eq!(packet.picture_id, expected);
                    picture_id = Some(expected);
                }
                assert_eq!(Some(packet.picture_id), picture_id, "one id for one frame");
                received.extend_from_slice(&share);
            }
            assert!(received == sent.data, "{size} in {max}");
        }
    }
}

#[test]
fn picture_ids_wrap_at_15_bits_and_sequence_numbers_at_16() {
    let mut packetizer = Packetizer::new(Options { seed: Some(7), ..Options::default() });
    let first = packetize(&mut packetizer, frame(1, Timestamp::ZERO));
    let (first_id, first_sequence) = (read(&first.data).0.picture_id, first.headers[0].sequence);
    for count in 1..=0x1_0000u32 {
        let packets = packetize(&mut packetizer, frame(1, Timestamp::ZERO));
        assert_eq!(u32::from(read(&packets.data).0.picture_id), (u32::from(first_id) + count) % 0x8000);
        assert_eq!(u32::from(packets.headers[0].sequence), (u32::from(first_sequence) + count) % 0x1_0000);
    }
}

#[test]
fn timestamps_are_the_capture_time_in_90_khz() {
    let mut packetizer = Packetizer::new(Options { seed: Some(1), ..Options::default() });
    let mut at = |time| packetize(&mut packetizer, frame(3000, time)).headers[0].timestamp;
    let start = at(Timestamp::ZERO);
    assert_eq!(at(Timestamp::from_nanos(33_333_333)).wrapping_sub(start), 3000);
    assert_eq!(at(Timestamp::from_millis(3_600_000)).wrapping_sub(start), 324_000_000);
}

#[test]
fn what_is_known_of_a_frame_stays_with_its_packets() {
    let mut packetizer = Packetizer::new(Options::default());
    let discardable = frame(10, Timestamp::from_millis(5)).with_role(Role::Discardable);
    let packets = packetize(&mut packetizer, discardable);
    assert_eq!((packets.role, packets.time, packets.codec), (Role::Discardable, Timestamp::from_millis(5), VP8));
    assert_eq!(read(&packets.data).0.n, 1);
}

#[test]
fn temporal_layers_are_written_from_the_first_start_after_one_was_seen() {
    let mut packetizer = Packetizer::new(Options::default());
    let mut send = |role, temporal| {
        let layer = Layer::independent(0, temporal);
        read(&packetize(&mut packetizer, frame(10, Timestamp::ZERO).with_role(role).with_layer(layer)).data).0
    };
    for (role, temporal) in [(Role::Start, 0), (Role::Discardable, 1), (Role::Reference, 0)] {
        assert_eq!(send(role, temporal).t, 0);
    }
    let start = send(Role::Start, 0);
    assert_eq!((start.l, start.t, start.tid), (1, 1, 0));
    let upper = send(Role::Discardable, 1);
    assert_eq!((upper.tid, upper.tl0_pic_idx, upper.n), (1, start.tl0_pic_idx, 1));
    let lower = send(Role::Reference, 0);
    assert_eq!((lower.tid, lower.tl0_pic_idx), (0, start.tl0_pic_idx.wrapping_add(1)));
}

#[test]
fn an_empty_frame_is_a_bad_item_and_the_next_is_not() {
    let mut packetizer = Packetizer::new(Options::default());
    let mut out = Out::at(Timestamp::ZERO);
    let error = packetizer.process(frame(0, Timestamp::ZERO), &mut out).unwrap_err();
    assert_eq!(error.kind(), Kind::BadItem);
    assert!(out.items().is_empty());
    packetize(&mut packetizer, frame(1, Timestamp::ZERO));
}

#[test]
fn options_are_read_and_wrong_ones_are_refused_with_the_range() {
    let mut registry = Registry::new();
    millstream_rtp::register(&mut registry);
    let descriptor = registry.find("vp8-packetizer").unwrap();
    assert_eq!(descriptor.option_keys(), ["max-payload", "seed"]);
    let read = |size: &str| {
        let size = Value::Text(size.to_owned());
        descriptor.read(Table::from([("max-payload".to_owned(), size), ("seed".to_owned(), Value::Integer(3))]))
    };
    assert!(read("1.1 kB").is_ok());
    for wrong in ["99 B", "66 kB"] {
        let Err(problems) = read(wrong) else { panic!("{wrong} is refused") };
        let [Problem::BadValue { key, message }] = &problems[..] else { panic!("{problems:?}") };
        assert!(key == "max-payload" && message.contains("100 B to 65000 B"), "{message}");
    }
}
