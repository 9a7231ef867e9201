//! Every source, stage and sink of this crate does what one of its kind must.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use millstream_core::options::{Table, Value};
use millstream_core::units::{Pixels, Span};
use millstream_core::{AudioFrame, Cx, EncodedFrame, OPUS, Registry, RtpPackets, Sink, Timestamp, VP8, VideoFrame};
use millstream_stages::{
    gain, ivf_file, ivf_writer, mix, null, ogg_opus_file, ogg_opus_writer, remix, resample, scale, tap, test_audio,
    test_video, wav_file, wav_writer, y4m_file, y4m_writer,
};
use millstream_testkit::{conformance, examples};

/// A new place in a folder that cargo keeps for tests.
fn place(kind: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("conformance-{}.{kind}", COUNT.fetch_add(1, Ordering::Relaxed));
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Takes all `items`, as a pipeline would let it.
fn written<T>(mut sink: impl Sink<T>, items: impl IntoIterator<Item = T>) {
    let mut cx = Cx::at(Timestamp::ZERO);
    items.into_iter().for_each(|item| sink.consume(item, &mut cx).expect("good items are written"));
    sink.finish(&mut cx).expect("the file is completed");
}

fn picture(number: u64) -> VideoFrame {
    examples::picture((96, 54), number)
}

fn block(number: u64) -> AudioFrame {
    examples::block(48_000, 2, number)
}

fn vp8(number: u64) -> EncodedFrame {
    examples::frame(VP8, 500, number)
}

/// A packet that says 20 ms in stereo (RFC 6716, section 3.1), without meaning.
fn opus(number: u64) -> EncodedFrame {
    examples::frame(OPUS, 0, number).with_data(vec![0xFC; 160])
}

#[test]
fn test_sources() {
    for pattern in [test_video::Pattern::Bars, test_video::Pattern::Noise] {
        let size = |side| Pixels::new(side).expect("in range");
        let options =
            || test_video::Options { width: size(320), height: size(180), pattern, ..test_video::Options::default() };
        conformance::source(|| test_video::TestVideo::new(options()).expect("good options"));
    }
    for pattern in [test_audio::Pattern::Tone, test_audio::Pattern::Beep] {
        let options = || test_audio::Options { pattern, ..test_audio::Options::default() };
        conformance::source(|| test_audio::TestAudio::new(options()).expect("good options"));
    }
}

#[test]
fn raw_files() {
    let path = place("y4m");
    let options = y4m_writer::Options { path: path.clone(), fps: "30".parse().expect("a frame rate") };
    written(y4m_writer::Y4mWriter::new(&options).expect("it can be written"), (0..20).map(picture));
    for r#loop in [false, true] {
        let options = || y4m_file::Options { path: path.clone(), r#loop };
        conformance::source(|| y4m_file::Y4mFile::new(options()).expect("it was just written"));
    }

    let path = place("wav");
    let options = wav_writer::Options { path: path.clone(), format: wav_writer::Format::S16 };
    written(wav_writer::WavWriter::new(&options).expect("it can be written"), (0..20).map(block));
    for r#loop in [false, true] {
        let options = || wav_file::Options { path: path.clone(), r#loop };
        conformance::source(|| wav_file::WavFile::new(options()).expect("it was just written"));
    }
}

#[test]
fn encoded_files() {
    let path = place("ivf");
    let options = ivf_writer::Options { path: path.clone() };
    written(ivf_writer::IvfWriter::new(&options).expect("it can be written"), (0..20).map(vp8));
    for r#loop in [false, true] {
        let options = || ivf_file::Options { path: path.clone(), r#loop };
        conformance::source(|| ivf_file::IvfFile::new(options()).expect("it was just written"));
    }

    let path = place("ogg");
    let options = ogg_opus_writer::Options { path: path.clone() };
    written(ogg_opus_writer::OggOpusWriter::new(&options).expect("it can be written"), (0..60).map(opus));
    for r#loop in [false, true] {
        let options = || ogg_opus_file::Options { path: path.clone(), r#loop };
        conformance::source(|| ogg_opus_file::OggOpusFile::new(options()).expect("it was just written"));
    }
}

#[test]
fn stages() {
    for (width, height) in [(64, 0), (0, 35), (200, 200), (96, 54)] {
        let options = scale::Options { width: Pixels::new(width), height: Pixels::new(height) };
        conformance::transform(|| scale::Scale::new(options).expect("good options"), picture);
    }
    for (gain, mute) in [("0 dB", false), ("-6 dB", false), ("60 dB", false), ("0 dB", true)] {
        let options = gain::Options { gain: gain.parse().expect("a gain"), mute };
        conformance::transform(|| gain::Gain::new(options), block);
    }
    for rate in ["44.1 kHz", "48 kHz", "96 kHz"] {
        let options = resample::Options { rate: rate.parse().expect("a rate") };
        conformance::transform(|| resample::Resample::new(options), block);
    }
    for channels in [1, 2] {
        let options = remix::Options { channels };
        conformance::transform(|| remix::Remix::new(options).expect("good options"), block);
    }
    let file = || tap::Options { to: tap::To::File(place("txt")), ..tap::Options::default() };
    let tapped = || tap::Tap::new(&file(), "tap").expect("it can be written");
    conformance::transform::<VideoFrame, VideoFrame, _>(tapped, picture);
    conformance::transform::<AudioFrame, AudioFrame, _>(tapped, block);
    conformance::transform::<EncodedFrame, EncodedFrame, _>(tapped, vp8);
    conformance::transform::<RtpPackets, RtpPackets, _>(tapped, |number| examples::packets(VP8, number));
}

#[test]
fn mixers() {
    for (channels, patience) in [(1, 10), (2, 60), (2, 5000)] {
        let patience = Span::from_millis(patience);
        let options = || mix::Options { channels, patience, ..mix::Options::default() };
        conformance::several_inputs(|| mix::Mix::new(options()).expect("good options"), block);
    }
}

#[test]
fn sinks() {
    conformance::sink::<VideoFrame, _>(|| null::Null, picture);
    conformance::sink::<AudioFrame, _>(|| null::Null, block);
    conformance::sink::<EncodedFrame, _>(|| null::Null, opus);
    conformance::sink::<RtpPackets, _>(|| null::Null, |number| examples::packets(OPUS, number));

    let fps = "30".parse().expect("a frame rate");
    let y4m = || y4m_writer::Options { path: place("y4m"), fps };
    conformance::sink(|| y4m_writer::Y4mWriter::new(&y4m()).expect("it can be written"), picture);
    for format in [wav_writer::Format::S16, wav_writer::Format::F32] {
        let wav = || wav_writer::Options { path: place("wav"), format };
        conformance::sink(|| wav_writer::WavWriter::new(&wav()).expect("it can be written"), block);
    }
    let ivf = || ivf_writer::Options { path: place("ivf") };
    conformance::sink(|| ivf_writer::IvfWriter::new(&ivf()).expect("it can be written"), vp8);
    let ogg = || ogg_opus_writer::Options { path: place("ogg") };
    conformance::sink(|| ogg_opus_writer::OggOpusWriter::new(&ogg()).expect("it can be written"), opus);
}

#[test]
fn options() {
    let text = |text: &str| Value::Text(text.to_owned());
    let table =
        |entries: &[(&str, Value)]| entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let (yes, one) = (Value::Bool(true), Value::Integer(1));

    let video: [Table; 2] = [
        Table::new(),
        table(&[
            ("width", Value::Integer(1)),
            ("height", Value::Integer(16_383)),
            ("fps", Value::Float(29.97)),
            ("pattern", text("flash")),
        ]),
    ];
    let bad = [
        ("width", Value::Integer(0)),
        ("height", Value::Integer(16_384)),
        ("fps", Value::Integer(0)),
        ("pattern", text("bar")),
    ];
    conformance::options(&test_video::descriptor(), &video, &bad);

    let audio: [Table; 2] = [
        Table::new(),
        table(&[
            ("pattern", text("beep")),
            ("frequency", text("1 kHz")),
            ("volume", text("100 %")),
            ("channels", one.clone()),
        ]),
    ];
    let bad = [
        ("pattern", text("noise")),
        ("frequency", text("25 kHz")),
        ("volume", text("101 %")),
        ("channels", Value::Integer(3)),
    ];
    conformance::options(&test_audio::descriptor(), &audio, &bad);

    for file in [y4m_file::descriptor(), wav_file::descriptor(), ivf_file::descriptor(), ogg_opus_file::descriptor()] {
        let good = [table(&[("path", text("a"))]), table(&[("path", text("a")), ("loop", yes.clone())])];
        conformance::options(&file, &good, &[("path", one.clone()), ("loop", text("yes"))]);
    }
    for file in [ivf_writer::descriptor(), ogg_opus_writer::descriptor()] {
        conformance::options(&file, &[table(&[("path", text("a"))])], &[("path", one.clone())]);
    }
    let good = [table(&[("path", text("a"))]), table(&[("path", text("a")), ("fps", text("30000/1001"))])];
    conformance::options(&y4m_writer::descriptor(), &good, &[("path", one.clone()), ("fps", Value::Integer(1001))]);
    let good = [table(&[("path", text("a"))]), table(&[("path", text("a")), ("format", text("f32"))])];
    conformance::options(&wav_writer::descriptor(), &good, &[("path", one.clone()), ("format", text("s24"))]);

    let good = [table(&[("width", one.clone())]), table(&[("height", one.clone())])];
    conformance::options(&scale::descriptor(), &good, &[("width", Value::Integer(0)), ("height", text("tall"))]);
    let good = [Table::new(), table(&[("gain", text("-6 dB")), ("mute", yes)]), table(&[("gain", one.clone())])];
    conformance::options(&gain::descriptor(), &good, &[("gain", text("61 dB")), ("mute", text("yes"))]);
    let good = [Table::new(), table(&[("to", text("log")), ("every", Value::Integer(30))])];
    conformance::options(&tap::descriptor(), &good, &[("to", one), ("every", Value::Integer(0))]);
    conformance::options(&null::descriptor(), &[Table::new()], &[]);
}

#[test]
fn documentation() {
    let mut registry = Registry::new();
    millstream_stages::register(&mut registry);
    registry.iter().for_each(conformance::documentation);
}
