//! What `vp8-encoder` gives, with the system's libvpx.
//!
//! Where there is none, each test says so, on stderr and as a line in the file that
//! `MILLSTREAM_SKIPS` names, and checks nothing.

mod pictures;

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use millstream_codec_vpx::{Encoder, Options, Quantizer, Threads};
use millstream_core::error::Kind;
use millstream_core::options::{self, Problem, Table, Value};
use millstream_core::units::{Bitrate, FrameRate, Span};
use millstream_core::{Control, Cx, EncodedFrame, Layers, Out, PixelFormat, Pool, Role, Stage, Timestamp, VideoFrame};
use pictures::moving;

/// An encoder, or nothing where there is no libvpx.
fn encoder(options: Options) -> Option<Encoder> {
    match millstream_codec_vpx::version() {
        Ok(_) => Some(Encoder::new(options).expect("the options of this test are right")),
        Err(missing) => {
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            eprintln!("skipped {test}: {missing}");
            if let Some(path) = std::env::var_os("MILLSTREAM_SKIPS") {
                let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
                writeln!(file.unwrap(), "millstream-codec-vpx {test}: {missing}").unwrap();
            }
            None
        }
    }
}

fn encode(encoder: &mut Encoder, pictures: impl Iterator<Item = VideoFrame>) -> Vec<EncodedFrame> {
    let mut out = Out::at(Timestamp::ZERO);
    let mut all = Vec::new();
    for picture in pictures {
        let (time, size) = (picture.time, (picture.width(), picture.height()));
        encoder.process(picture, &mut out).unwrap();
        assert_eq!(out.items().len(), 1, "one picture gives one frame");
        let frame = out.items().pop_front().unwrap();
        assert_eq!((frame.time, frame.size), (time, Some(size)));
        assert_eq!(frame.role == Role::Start, key_frame_size(&frame.data).is_some(), "the role is what the bits say");
        all.push(frame);
    }
    all
}

/// Width and height in a key frame's header, and nothing of another frame (RFC 6386, section 9.1).
fn key_frame_size(data: &Bytes) -> Option<(u32, u32)> {
    let is_key = data[0] & 1 == 0;
    is_key.then(|| {
        assert_eq!(data[3..6], [0x9D, 0x01, 0x2A], "start code");
        let side = |at: usize| u32::from(u16::from_le_bytes([data[at], data[at + 1]]) & 0x3FFF);
        (side(6), side(8))
    })
}

/// The numbers of the key frames.
fn keys(frames: &[EncodedFrame]) -> Vec<usize> {
    frames.iter().enumerate().filter(|(_, frame)| frame.role == Role::Start).map(|(number, _)| number).collect()
}

fn kbps(frames: &[EncodedFrame], seconds: usize) -> usize {
    frames.iter().map(|frame| frame.data.len()).sum::<usize>() * 8 / 1000 / seconds
}

fn ask(encoder: &mut Encoder, request: Control) -> Option<Control> {
    encoder.control(request, &mut Cx::at(Timestamp::ZERO))
}

#[test]
fn a_key_frame_comes_first_and_then_exactly_when_asked_for() {
    let Some(mut encoder) = encoder(Options::default()) else { return };
    let mut frames = encode(&mut encoder, moving((320, 180), 30, 0, 150));
    assert_eq!(ask(&mut encoder, Control::KeyFrame(Layers::ALL)), None);
    assert_eq!(ask(&mut encoder, Control::KeyFrame(Layers::spatial(0))), None);
    frames.extend(encode(&mut encoder, moving((320, 180), 30, 150, 150)));
    assert_eq!(keys(&frames), [0, 150]);
    println!("{}: key frames of 300, one asked for at 150: {:?}", version(), keys(&frames));
}

#[test]
fn key_frames_come_at_an_interval_if_wanted() {
    let key_frame_interval = Some(Span::from_millis(500));
    let Some(mut encoder) = encoder(Options { key_frame_interval, ..Options::default() }) else { return };
    assert_eq!(keys(&encode(&mut encoder, moving((160, 90), 30, 0, 50))), [0, 15, 30, 45]);
}

#[test]
fn the_bit_rate_is_kept_at_any_frame_rate() {
    for (asked, size, fps) in [(1000, (640, 360), 30), (1000, (640, 360), 15), (2000, (1280, 720), 30)] {
        let bitrate = Some(Bitrate::from_kbps(asked));
        let Some(mut encoder) = encoder(Options { bitrate, ..Options::default() }) else { return };
        let given = kbps(&encode(&mut encoder, moving(size, fps, 0, 10 * fps)), 10) as u64;
        println!("{}: {asked} kbit/s asked, {given} given, {}x{} at {fps} fps", version(), size.0, size.1);
        assert!(given.abs_diff(asked) * 10 <= asked, "{given} of {asked} kbit/s at {fps} fps");
    }
}

#[test]
fn a_bit_rate_asked_for_takes_effect_without_a_key_frame_and_never_above_the_option() {
    let bitrate = Some(Bitrate::from_kbps(1000));
    let Some(mut encoder) = encoder(Options { bitrate, ..Options::default() }) else { return };
    let size = (640, 360);
    let mut given = Vec::new();
    for (part, asked) in [1000, 500, 5000].into_iter().enumerate() {
        assert_eq!(ask(&mut encoder, Control::Bitrate(Some(Bitrate::from_kbps(asked)))), None);
        let frames = encode(&mut encoder, moving(size, 30, 150 * part as u64, 150));
        assert_eq!(keys(&frames).len(), usize::from(part == 0));
        given.push(kbps(&frames, 5));
    }
    println!("{}: 1000, 500 and 5000 kbit/s asked of at most 1000, {given:?} given", version());
    assert!((900..=1100).contains(&given[0]) && (900..=1100).contains(&given[2]), "{given:?}");
    assert!((400..=600).contains(&given[1]), "{given:?}");
}

#[test]
fn a_frame_rate_asked_for_leaves_pictures_out_until_it_is_withdrawn() {
    let Some(mut encoder) = encoder(Options::default()) else { return };
    let mut given = Vec::new();
    for (part, limit) in [None, FrameRate::new(10, 1), None].into_iter().enumerate() {
        assert_eq!(ask(&mut encoder, Control::MaxFrameRate(limit)), None);
        let mut out = Out::at(Timestamp::ZERO);
        for picture in moving((320, 180), 30, 30 * part as u64, 30) {
            encoder.process(picture, &mut out).unwrap();
        }
        given.push(out.items().len());
    }
    assert_eq!(given, [30, 11, 30], "ten a second, and the first");
}

#[test]
fn a_change_of_size_gives_a_key_frame_of_the_new_size() {
    let Some(mut encoder) = encoder(Options::default()) else { return };
    let sizes = [(320, 180), (640, 360), (160, 90), (321, 181)];
    let pictures = sizes.iter().enumerate().flat_map(|(part, &size)| moving(size, 30, 10 * part as u64, 10));
    let frames = encode(&mut encoder, pictures);
    assert_eq!(keys(&frames), [0, 10, 20, 30]);
    for (part, size) in sizes.into_iter().enumerate() {
        assert_eq!(key_frame_size(&frames[10 * part].data), Some(size));
    }
}

#[test]
fn odd_and_tiny_pictures_are_encoded() {
    for size in [(1, 1), (1, 17), (17, 1), (2, 2), (3, 3), (175, 143), (641, 361)] {
        let Some(mut encoder) = encoder(Options::default()) else { return };
        let frames = encode(&mut encoder, moving(size, 30, 0, 5));
        assert_eq!(keys(&frames), [0]);
        assert_eq!(key_frame_size(&frames[0].data), Some(size));
    }
}

#[test]
fn several_threads_give_frames_too() {
    let Some(mut encoder) = encoder(Options { threads: Threads::new(2), ..Options::default() }) else { return };
    assert_eq!(keys(&encode(&mut encoder, moving((640, 360), 30, 0, 30))), [0]);
}

#[test]
fn pictures_of_other_formats_are_converted() {
    let Some(mut encoder) = encoder(Options::default()) else { return };
    let mut pool = Pool::new(1);
    let picture = |millis, format, pool: &mut Pool<u8>| {
        let time = Timestamp::from_millis(millis);
        VideoFrame::fill(pool, format, (64, 48), time, |planes| planes.iter_mut().for_each(|plane| plane.data.fill(90)))
    };
    let formats = [PixelFormat::Rgba, PixelFormat::Nv12, PixelFormat::Yuyv, PixelFormat::I420];
    let pictures: Vec<_> =
        formats.into_iter().enumerate().map(|(count, format)| picture(40 * count as u64, format, &mut pool)).collect();
    assert_eq!(encode(&mut encoder, pictures.into_iter()).len(), 4);
}

#[test]
fn the_same_pictures_give_the_same_bytes() {
    let run = || Some(encode(&mut encoder(Options::default())?, moving((320, 180), 30, 0, 60)));
    let (Some(one), Some(other)) = (run(), run()) else { return };
    assert!(one.iter().map(|frame| &frame.data).eq(other.iter().map(|frame| &frame.data)));
}

#[test]
fn a_pause_does_not_end_in_a_burst() {
    let bitrate = Some(Bitrate::from_kbps(1000));
    let Some(mut encoder) = encoder(Options { bitrate, ..Options::default() }) else { return };
    // The picture goes on where it was, a minute later.
    let pictures = moving((640, 360), 30, 0, 120).enumerate().map(|(number, mut picture)| {
        picture.time += Duration::from_secs(if number < 90 { 0 } else { 60 });
        picture
    });
    let frames = encode(&mut encoder, pictures);
    let most = frames[90..].iter().map(|frame| frame.data.len()).max().unwrap();
    println!("{}: the largest frame after a pause has {most} bytes", version());
    // Four times a frame's share.
    assert!(most < 16_700, "{most} bytes in one frame");
}

#[test]
fn what_an_encoder_cannot_answer_goes_upstream() {
    let Some(mut encoder) = encoder(Options::default()) else { return };
    for request in [Control::MaxSize(Some((320, 180))), Control::Loss(Some(0.1)), Control::Pause(true)] {
        assert_eq!(ask(&mut encoder, request), Some(request));
    }
}

#[test]
fn wrong_options_are_refused_each_with_its_reason() {
    let text = |text: &str| Value::Text(text.to_owned());
    let table = Table::from([
        ("bitrate".to_owned(), text("1 MB")),
        ("cpu-used".to_owned(), Value::Integer(-17)),
        ("threads".to_owned(), Value::Integer(0)),
        ("max-quantizer".to_owned(), Value::Integer(64)),
        ("deadline".to_owned(), Value::Integer(1)),
    ]);
    let problems = options::read::<Options>(table).unwrap_err();
    assert_eq!(problems.len(), 5);
    for (key, reason) in [
        ("bitrate", "expected a bit rate"),
        ("cpu-used", "from -16 to 16, found -17"),
        ("threads", "from 1 to 64, found 0"),
        ("max-quantizer", "from 0 to 63, found 64"),
    ] {
        let said = |problem: &Problem| matches!(problem, Problem::BadValue { key: at, message } if at == key && message.contains(reason));
        assert!(problems.iter().any(said), "{key}: {reason} in {problems:#?}");
    }

    let options = Options { min_quantizer: Quantizer::new(60).unwrap(), ..Options::default() };
    let Err(error) = Encoder::new(options) else { panic!("60 is above 56") };
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.to_string().contains("`min-quantizer` (60) is above `max-quantizer` (56)"), "{error}");
}

fn version() -> String {
    format!("libvpx {}", millstream_codec_vpx::version().unwrap())
}
