//! Sound through encoder, packetizer and decoder: what is heard, and when.

use std::f64::consts::TAU;
use std::time::Duration;

use millstream_codec_g711::{Decoder, Encoder, Law, Packetizer, PacketizerOptions};
use millstream_core::error::Kind;
use millstream_core::{AudioFrame, EncodedFrame, Out, RtpPackets, Stage, Timestamp, samples_to_time};
use millstream_testkit::strength;

const LAWS: [Law; 2] = [Law::Mu, Law::A];

/// When the sound starts.
const START: Timestamp = Timestamp::from_millis(300);

/// A second of 1004 Hz, the test tone of telephony, at half of full scale, in blocks of `block` samples.
fn tone(rate: u32, channels: u16, block: usize) -> Vec<AudioFrame> {
    let sample = |n: u32| (0.5 * (TAU * 1_004.0 * f64::from(n) / f64::from(rate)).sin()) as f32;
    let samples: Vec<f32> = (0..rate).map(sample).collect();
    let mut start = 0;
    let blocks = samples.chunks(block).map(|chunk| {
        let time = START + samples_to_time(start, rate);
        start += chunk.len() as u64;
        let samples: Vec<f32> = chunk.iter().flat_map(|&s| std::iter::repeat_n(s, channels.into())).collect();
        AudioFrame::new(rate, channels, time, samples)
    });
    blocks.collect()
}

fn through<I, O>(stage: &mut impl Stage<I, O>, items: impl IntoIterator<Item = I>) -> Vec<O> {
    let mut out = Out::at(Timestamp::ZERO);
    for item in items {
        stage.process(item, &mut out).unwrap();
    }
    stage.finish(&mut out).unwrap();
    out.items().drain(..).collect()
}

/// What depacketizing would give: a frame of each packet.
fn unpacked(groups: &[RtpPackets], law: Law) -> Vec<EncodedFrame> {
    let frames = groups.iter().flat_map(|group| {
        group.iter().map(|(_, data)| EncodedFrame::new(law.codec(), group.time, data).with_layer(group.layer))
    });
    frames.collect()
}

#[test]
fn a_tone_comes_back_35_db_above_what_was_added() {
    for law in LAWS {
        for (rate, channels) in [(8_000, 1), (8_000, 2), (16_000, 1), (48_000, 2)] {
            let frames = through(&mut Encoder::new(law), tone(rate, channels, 333));
            let groups = through(&mut Packetizer::new(law, PacketizerOptions::default()), frames);
            let blocks = through(&mut Decoder::new(law), unpacked(&groups, law));
            assert!(blocks.iter().all(|block| (block.rate, block.channels, block.discontinuity) == (8_000, 1, false)));
            let heard: Vec<f32> = blocks.iter().flat_map(|block| block.samples.to_vec()).collect();
            assert_eq!(heard.len(), 8_000);

            // The filter is late by 2.25 ms and takes 4.5 ms to fill.
            let late = if rate == 8_000 { 0.0 } else { 0.00225 };
            let sent = |n: usize| 0.5 * (TAU * 1_004.0 * (n as f64 / 8_000.0 - late)).sin();
            let (mut signal, mut noise) = (0.0, 0.0);
            for (n, heard) in heard.iter().enumerate().skip(100) {
                signal += sent(n).powi(2);
                noise += (f64::from(*heard) - sent(n)).powi(2);
            }
            let db = 10.0 * (signal / noise).log10();
            println!("{law:?}, {rate} Hz, {channels} channels: {db:.1} dB");
            assert!(db > 35.0, "{law:?}, {rate} Hz, {channels} channels: {db:.1} dB");
        }
    }
}

#[test]
fn what_would_fold_is_not_heard() {
    let ultrasound: Vec<f32> =
        (0..48_000).map(|n| (0.5 * (TAU * 7_000.0 * f64::from(n) / 48_000.0).sin()) as f32).collect();
    let block = AudioFrame::new(48_000, 1, START, ultrasound);
    let frames = through(&mut Encoder::new(Law::Mu), [block]);
    let heard: Vec<f32> =
        through(&mut Decoder::new(Law::Mu), frames).iter().flat_map(|block| block.samples.to_vec()).collect();
    // 7 kHz would be heard at 1 kHz.
    let folded = strength(&heard[160..], 8_000, 1_000.0);
    assert!(folded < 0.001, "{folded}");
}

#[test]
fn a_second_is_fifty_packets_of_160_bytes_that_touch() {
    for law in LAWS {
        for (rate, block) in [(8_000, 80), (8_000, 1), (48_000, 480), (48_000, 48_000)] {
            let frames = through(&mut Encoder::new(law), tone(rate, 1, block));
            let groups = through(&mut Packetizer::new(law, PacketizerOptions { seed: Some(1) }), frames);
            assert_eq!(groups.len(), 50);
            let first = groups[0].headers[0];
            for (count, group) in groups.iter().enumerate() {
                assert_eq!(group.time, START + Duration::from_millis(20) * count as u32);
                let packets: Vec<_> = group.iter().collect();
                let [(header, payload)] = &packets[..] else { panic!("{} packets", packets.len()) };
                assert_eq!(payload.len(), 160);
                assert_eq!(header.sequence, first.sequence.wrapping_add(count as u16));
                assert_eq!(header.timestamp, first.timestamp.wrapping_add(160 * count as u32));
                assert_eq!(header.marker, count == 0);
            }
        }
    }
}

#[test]
fn a_lost_packet_is_a_discontinuity_and_silence_a_marker() {
    let mut frames = through(&mut Encoder::new(Law::A), tone(8_000, 1, 160));
    frames.remove(20);
    let marked: Vec<usize> = through(&mut Packetizer::new(Law::A, PacketizerOptions::default()), frames.clone())
        .iter()
        .enumerate()
        .filter_map(|(index, group)| group.headers[0].marker.then_some(index))
        .collect();
    assert_eq!(marked, [0, 20]);
    let blocks = through(&mut Decoder::new(Law::A), frames);
    let torn: Vec<usize> =
        blocks.iter().enumerate().filter_map(|(index, block)| block.discontinuity.then_some(index)).collect();
    assert_eq!(torn, [20]);
}

#[test]
fn what_g711_cannot_take_is_refused_with_a_way_out() {
    for (rate, channels, expected) in [(44_100, 1, "put `resample` before it"), (48_000, 6, "put `remix` before it")] {
        let block = tone(rate, channels, 480).remove(0);
        let error = Encoder::new(Law::Mu).process(block, &mut Out::at(Timestamp::ZERO)).unwrap_err();
        assert_eq!(error.kind(), Kind::Fatal);
        assert!(error.to_string().contains(expected), "{error}");
    }
    let frame = through(&mut Encoder::new(Law::Mu), tone(8_000, 1, 160)).remove(0);
    let long = frame.with_data(vec![0xFF; 1_201]);
    let mut packetizer = Packetizer::new(Law::Mu, PacketizerOptions::default());
    let error = packetizer.process(long, &mut Out::at(Timestamp::ZERO)).unwrap_err();
    assert_eq!(error.kind(), Kind::BadItem);
}
