//! Stages that need no device, no codec library and no network: test picture, test tone, files to
//! read and to write, scaling, gain, mixing, a look at what passes, and an end for what nobody wants.
//!
//! | type | kind | does |
//! |---|---|---|
//! | [`test-video`](test_video) | source | a test picture with a clock, a flash in step with the beep, and a machine-readable time |
//! | [`test-audio`](test_audio) | source | a tone, or a beep at the start of each second |
//! | [`y4m-file`](y4m_file) | source | raw video from a YUV4MPEG2 file |
//! | [`wav-file`](wav_file) | source | raw sound from a WAVE file |
//! | [`ivf-file`](ivf_file) | source | encoded video (VP8) from an IVF file |
//! | [`ogg-opus-file`](ogg_opus_file) | source | encoded sound (Opus) from an Ogg file |
//! | [`scale`](mod@scale) | stage | makes pictures larger or smaller |
//! | [`gain`](mod@gain) | stage | makes sound louder, quieter or silent |
//! | [`mix`](mod@mix) | stage | makes one sound of any number |
//! | [`resample`](mod@resample) | stage | gives sound at another rate |
//! | [`remix`](mod@remix) | stage | gives sound in one channel or two, surround too |
//! | [`tap`](mod@tap) | stage | passes everything as it is, and says of each item what it is |
//! | [`y4m-writer`](y4m_writer) | sink | raw video into a YUV4MPEG2 file |
//! | [`wav-writer`](wav_writer) | sink | raw sound into a WAVE file |
//! | [`ivf-writer`](ivf_writer) | sink | encoded video (VP8) into an IVF file |
//! | [`ogg-opus-writer`](ogg_opus_writer) | sink | encoded sound (Opus) into an Ogg file |
//! | [`null`] | sink | takes anything and drops it |
//!
//! Each module holds an options struct, which is what a pipeline declares and what a program fills
//! in, and the worker that it makes:
//! ```
//! use millstream_core::units::{FrameRate, Pixels};
//! use millstream_core::{Cx, Next, Source, Timestamp};
//! use millstream_stages::test_video::{Options, Pattern, TestVideo};
//! use millstream_stages::timecode;
//!
//! let mut video = TestVideo::new(Options { pattern: Pattern::Flash, ..Options::default() })?;
//! let Next::Item(frame) = video.next(&mut Cx::at(Timestamp::ZERO))? else { panic!("due at once") };
//! assert_eq!((frame.width(), frame.height()), (1280, 720));
//! assert_eq!(timecode::read(frame.plane(0)), Some(0));
//! # Ok::<(), millstream_core::Error>(())
//! ```
//!
//! A writer opens its file when the pipeline is built, and replaces what it held once the first item
//! comes. It writes what reaches it: a link before it that drops, drops from the file.
//!
//! What is not here: capture devices, encoders, and containers of several streams.

#![forbid(unsafe_code)]

mod claim;
mod file;
mod from_file;
pub mod gain;
mod ivf;
pub mod ivf_file;
pub mod ivf_writer;
pub mod mix;
pub mod null;
mod ogg;
pub mod ogg_opus_file;
pub mod ogg_opus_writer;
mod output;
mod pace;
mod path;
mod pipe;
pub mod remix;
pub mod resample;
pub mod scale;
pub mod tap;
pub mod test_audio;
pub mod test_video;
pub mod timecode;
mod vp8;
pub mod wav_file;
pub mod wav_writer;
pub mod y4m_file;
pub mod y4m_writer;

use millstream_core::Registry;

/// Adds every stage type of this crate to `registry`.
pub fn register(registry: &mut Registry) {
    for descriptor in [
        test_video::descriptor(),
        test_audio::descriptor(),
        y4m_file::descriptor(),
        wav_file::descriptor(),
        ivf_file::descriptor(),
        ogg_opus_file::descriptor(),
        scale::descriptor(),
        gain::descriptor(),
        mix::descriptor(),
        resample::descriptor(),
        remix::descriptor(),
        tap::descriptor(),
        y4m_writer::descriptor(),
        wav_writer::descriptor(),
        ivf_writer::descriptor(),
        ogg_opus_writer::descriptor(),
        null::descriptor(),
    ] {
        registry.add(descriptor);
    }
}

/// Pictures or blocks of sound that a source keeps to write into again: a short queue, and one in
/// each stage on the way.
const POOLED_ITEMS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_core::options::{Problem, Table, Value};

    #[test]
    fn every_stage_type_is_found_with_documented_options() {
        let mut registry = Registry::new();
        register(&mut registry);
        let names: Vec<_> = registry.iter().map(|descriptor| descriptor.name()).collect();
        let sources = ["ivf-file", "ogg-opus-file", "test-audio", "test-video", "wav-file", "y4m-file"];
        let stages = ["gain", "mix", "remix", "resample", "scale", "tap"];
        let sinks = ["ivf-writer", "null", "ogg-opus-writer", "wav-writer", "y4m-writer"];
        let mut all = [&sources[..], &stages, &sinks].concat();
        all.sort_unstable();
        assert_eq!(names, all);
        for descriptor in registry.iter() {
            let schema = descriptor.schema().to_value();
            for key in descriptor.option_keys() {
                assert!(schema["properties"][&key]["description"].is_string(), "{} {key}", descriptor.name());
            }
        }
    }

    #[test]
    fn options_are_read_as_people_write_them() {
        let read = |name: &str, entries: &[(&str, Value)]| {
            let mut registry = Registry::new();
            register(&mut registry);
            let table: Table = entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
            registry.find(name).unwrap().read(table).map(drop)
        };
        let text = |text: &str| Value::Text(text.to_owned());
        read("test-video", &[]).unwrap();
        read("test-video", &[("pattern", text("flash")), ("fps", Value::Float(29.97))]).unwrap();
        read("test-audio", &[("pattern", text("beep")), ("frequency", text("1 kHz")), ("volume", text("25 %"))])
            .unwrap();
        read("y4m-file", &[("path", text("clip.y4m")), ("loop", Value::Bool(true))]).unwrap();
        read("scale", &[("width", Value::Integer(640))]).unwrap();
        read("null", &[]).unwrap();
        read("gain", &[("gain", text("-6 dB")), ("mute", Value::Bool(true))]).unwrap();
        read("gain", &[("gain", Value::Integer(-6))]).unwrap();
        let gains = Value::List(vec![text("0 dB"), Value::Integer(-6)]);
        read("mix", &[("gain", gains), ("channels", Value::Integer(1)), ("patience", text("80 ms"))]).unwrap();
        read("tap", &[("to", text("log")), ("every", Value::Integer(30))]).unwrap();
        read("tap", &[("every", Value::Integer(0))]).unwrap_err();
        read("ivf-file", &[("path", text("clip.ivf"))]).unwrap();
        read("ogg-opus-file", &[("path", text("clip.ogg")), ("loop", Value::Bool(true))]).unwrap();
        read("y4m-writer", &[("path", text("out.y4m")), ("fps", Value::Float(29.97))]).unwrap();
        read("wav-writer", &[("path", text("out.wav")), ("format", text("f32"))]).unwrap();
        read("ivf-writer", &[("path", text("out.ivf"))]).unwrap();
        read("ogg-opus-writer", &[("path", text("out.ogg"))]).unwrap();
        let problems = read("wav-file", &[("lop", Value::Bool(true))]).unwrap_err();
        assert!(
            matches!(&problems[..], [Problem::UnknownKey { .. }, Problem::MissingKey { key: "path" }]),
            "{problems:?}"
        );
    }
}
