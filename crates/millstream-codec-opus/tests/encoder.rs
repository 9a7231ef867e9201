//! What `opus-encoder` gives, heard by libopus's own decoder.

use std::f32::consts::TAU;
use std::time::Duration;

use millstream_codec_opus::{Encoder, FrameLength, Options};
use millstream_core::error::Kind;
use millstream_core::options::{self, Problem, Table, Value};
use millstream_core::units::Bitrate;
use millstream_core::{AudioFrame, Control, Cx, EncodedFrame, Layers, Out, Role, Stage, Timestamp, samples_to_time};

/// A second of 440 Hz in blocks of `block` samples, all channels alike.
fn tone(rate: u32, channels: u16, block: usize) -> Vec<AudioFrame> {
    let samples: Vec<f32> = (0..rate).map(|n| 0.5 * (TAU * 440.0 * n as f32 / rate as f32).sin()).collect();
    let mut start = 0;
    let blocks = samples.chunks(block).map(|chunk| {
        let time = Timestamp::from_millis(300) + samples_to_time(start, rate);
        start += chunk.len() as u64;
        let samples: Vec<f32> = chunk.iter().flat_map(|&s| std::iter::repeat_n(s, channels.into())).collect();
        AudioFrame::new(rate, channels, time, samples)
    });
    blocks.collect()
}

fn encode(encoder: &mut Encoder, blocks: Vec<AudioFrame>) -> Vec<EncodedFrame> {
    let mut out = Out::at(Timestamp::ZERO);
    for block in blocks {
        encoder.process(block, &mut out).unwrap();
    }
    encoder.finish(&mut out).unwrap();
    out.items().drain(..).collect()
}

fn decode(packets: &[EncodedFrame]) -> Vec<f32> {
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).unwrap();
    let mut samples = vec![0.0; 5760];
    let mut all = Vec::new();
    for packet in packets {
        let count = decoder.decode_float(&packet.data, &mut samples, false).unwrap();
        all.extend_from_slice(&samples[..count]);
    }
    all
}

/// The share of the energy of `samples` at 48 kHz that is at `frequency`: Goertzel's filter.
fn share_at(frequency: f32, samples: &[f32]) -> f32 {
    let coefficient = 2.0 * (TAU * frequency / 48_000.0).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for &sample in samples {
        (last, before) = (sample + coefficient * last - before, last);
    }
    let power = last * last + before * before - coefficient * last * before;
    let energy: f32 = samples.iter().map(|sample| sample * sample).sum();
    power * 2.0 / (energy * samples.len() as f32)
}

#[test]
fn a_second_of_440_hz_is_fifty_packets_that_sound_like_it() {
    // 441 and 1 are no divisors of a frame; 48 000 is the whole second at once.
    for (channels, block) in [(1, 480), (2, 480), (1, 441), (2, 1), (1, 48_000)] {
        let packets = encode(&mut Encoder::new(Options::default()), tone(48_000, channels, block));
        assert_eq!(packets.len(), 50);
        for (count, packet) in packets.iter().enumerate() {
            assert_eq!(packet.time, Timestamp::from_millis(300 + 20 * count as u64));
            assert_eq!((packet.duration, packet.role), (Duration::from_millis(20), Role::Start));
        }
        let heard = decode(&packets);
        assert_eq!(heard.len(), 48_000);
        // The first 40 ms are the codec warming up.
        let share = share_at(440.0, &heard[1_920..]);
        assert!(share > 0.99, "{share} of the energy at 440 Hz");
    }
}

#[test]
fn the_size_of_the_blocks_does_not_matter() {
    let bytes = |block| -> Vec<_> {
        let packets = encode(&mut Encoder::new(Options::default()), tone(48_000, 1, block));
        packets.into_iter().map(|packet| (packet.time, packet.data)).collect()
    };
    assert_eq!(bytes(441), bytes(960));
    assert_eq!(bytes(7), bytes(48_000));
}

#[test]
fn every_frame_length_and_rate_that_opus_has_is_taken() {
    for micros in [2_500, 5_000, 10_000, 20_000, 40_000, 60_000] {
        for rate in [8_000, 12_000, 16_000, 24_000, 48_000] {
            let frame = FrameLength::new(Duration::from_micros(micros)).unwrap();
            let packets = encode(&mut Encoder::new(Options { frame, ..Options::default() }), tone(rate, 1, 333));
            assert_eq!(packets.len() as u64, 1_000_000_u64.div_ceil(micros));
            for (count, packet) in packets.iter().enumerate() {
                assert_eq!(packet.time, Timestamp::from_millis(300) + frame.duration() * count as u32);
            }
            assert!(share_at(440.0, &decode(&packets)[1_920..47_000]) > 0.9);
        }
    }
}

#[test]
fn the_last_frame_is_filled_up_with_silence() {
    let mut blocks = tone(48_000, 1, 500);
    blocks.truncate(3);
    assert_eq!(encode(&mut Encoder::new(Options::default()), blocks).len(), 2);
}

#[test]
fn with_dtx_silence_gives_few_packets_and_sound_gives_all() {
    let silence = || -> Vec<_> {
        let silent = |block: AudioFrame| block.clone().with_samples(vec![0.0; block.samples.len()]);
        tone(48_000, 1, 960).into_iter().map(silent).collect()
    };
    let dtx = || Encoder::new(Options { dtx: true, ..Options::default() });
    assert_eq!(encode(&mut Encoder::new(Options::default()), silence()).len(), 50);
    let few = encode(&mut dtx(), silence());
    assert!(few.len() <= 15, "{} of 50", few.len());
    assert!(few.iter().all(|packet| packet.data.len() > 2));
    assert_eq!(encode(&mut dtx(), tone(48_000, 1, 960)).len(), 50);
}

#[test]
fn a_change_of_channels_or_rate_goes_on() {
    let mut encoder = Encoder::new(Options::default());
    for (rate, channels) in [(48_000, 1), (48_000, 2), (16_000, 2)] {
        let packets = encode(&mut encoder, tone(rate, channels, 960));
        assert_eq!(packets.len(), 50, "{rate} Hz, {channels} channels");
    }
}

#[test]
fn consumers_lower_the_rate_and_raise_it_to_the_option_at_most() {
    let mut encoder = Encoder::new(Options::default());
    let mut cx = Cx::at(Timestamp::ZERO);
    let mut bytes = |asked: Option<u64>| -> usize {
        if let Some(kbps) = asked {
            assert_eq!(encoder.control(Control::Bitrate(Some(Bitrate::from_kbps(kbps))), &mut cx), None);
        }
        encode(&mut encoder, tone(48_000, 2, 960)).iter().map(|packet| packet.data.len()).sum()
    };
    let (full, low, capped) = (bytes(None), bytes(Some(16)), bytes(Some(500)));
    assert!(low * 2 < full, "{low} bytes at 16 kbit/s, {full} at 64");
    assert!(capped < full * 11 / 10, "{capped} bytes when 500 kbit/s are allowed, {full} at 64");
}

#[test]
fn loss_is_answered_and_what_it_cannot_answer_goes_upstream() {
    let mut encoder = Encoder::new(Options { fec: true, ..Options::default() });
    let mut cx = Cx::at(Timestamp::ZERO);
    assert_eq!(encoder.control(Control::Loss(Some(0.1)), &mut cx), None);
    assert_eq!(encoder.control(Control::KeyFrame(Layers::ALL), &mut cx), None);
    assert_eq!(encoder.control(Control::Pause(true), &mut cx), Some(Control::Pause(true)));
    assert_eq!(encode(&mut encoder, tone(48_000, 1, 960)).len(), 50);
}

#[test]
fn what_opus_cannot_take_is_refused_with_a_way_out() {
    for (rate, channels, expected) in [(44_100, 2, "put `resample` before it"), (48_000, 6, "put `remix` before it")] {
        let block = tone(rate, channels, 480).remove(0);
        let error = Encoder::new(Options::default()).process(block, &mut Out::at(Timestamp::ZERO)).unwrap_err();
        assert_eq!(error.kind(), Kind::Fatal);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn wrong_options_are_refused_each_with_its_reason() {
    let text = |text: &str| Value::Text(text.to_owned());
    let table = Table::from([
        ("frame".to_owned(), text("30 ms")),
        ("complexity".to_owned(), Value::Integer(11)),
        ("bitrate".to_owned(), text("1 Mbit/s")),
        ("application".to_owned(), text("viop")),
        ("expected-loss".to_owned(), text("101 %")),
    ]);
    let problems = options::read::<Options>(table).unwrap_err();
    let said = |wanted: &str| {
        let message = problems.iter().find_map(|problem| match problem {
            Problem::BadValue { key, message } if key == wanted => Some(message.as_str()),
            _ => None,
        });
        message.unwrap_or_else(|| panic!("{wanted} in {problems:#?}")).to_owned()
    };
    assert!(said("frame").contains("\"20 ms\", \"40 ms\" or \"60 ms\""), "{}", said("frame"));
    assert!(said("complexity").contains("0 (fast) to 10"), "{}", said("complexity"));
    assert!(said("bitrate").contains("510 kbit/s"), "{}", said("bitrate"));
    assert!(said("application").contains("did you mean \"voip\""), "{}", said("application"));
    assert!(said("expected-loss").contains("from 0 to 100"), "{}", said("expected-loss"));
    assert_eq!(problems.len(), 5);
}
