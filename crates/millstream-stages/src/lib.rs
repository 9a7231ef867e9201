//! Stages that need no device, no codec library and no network: test picture, test tone, files,
//! scaling, and an end for what nobody wants.
//!
//! | type | kind | does |
//! |---|---|---|
//! | [`test-video`](test_video) | source | a test picture with a clock, a flash in step with the beep, and a machine-readable time |
//! | [`test-audio`](test_audio) | source | a tone, or a beep at the start of each second |
//! | [`y4m-file`](y4m_file) | source | raw video from a YUV4MPEG2 file |
//! | [`wav-file`](wav_file) | source | raw sound from a WAVE file |
//! | [`scale`](mod@scale) | stage | makes pictures larger or smaller |
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
//! What is not here: capture devices, encoders, and writers of files.

#![forbid(unsafe_code)]

mod file;
pub mod null;
mod pace;
pub mod scale;
pub mod test_audio;
pub mod test_video;
pub mod timecode;
pub mod wav_file;
pub mod y4m_file;

use millstream_core::Registry;

/// Adds every stage type of this crate to `registry`.
pub fn register(registry: &mut Registry) {
    for descriptor in [
        test_video::descriptor(),
        test_audio::descriptor(),
        y4m_file::descriptor(),
        wav_file::descriptor(),
        scale::descriptor(),
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
        assert_eq!(names, ["null", "scale", "test-audio", "test-video", "wav-file", "y4m-file"]);
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
        let problems = read("wav-file", &[("lop", Value::Bool(true))]).unwrap_err();
        assert!(
            matches!(&problems[..], [Problem::UnknownKey { .. }, Problem::MissingKey { key: "path" }]),
            "{problems:?}"
        );
    }
}
