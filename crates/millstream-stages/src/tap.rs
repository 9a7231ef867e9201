//! The stage `tap`: passes everything as it is, and says of each item what it is.

use std::num::NonZeroU64;
use std::path::PathBuf;

use millstream_core::descriptor::Gives;
use millstream_core::known::{Known, SoundGiven};
use millstream_core::{
    Accepts, AudioFrame, Descriptor, EncodedFrame, Error, Format, Item, Joined, Out, Result, Role, RtpPackets, Stage,
    VideoFrame, Worker,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::output::Output;

/// Options of `tap`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// Where to write: `log`, or a file, which gets a line per item. An existing file is replaced.
    pub to: To,
    /// Writes about the first item and then about every n-th. All items are passed on.
    pub every: NonZeroU64,
}

/// Where to say it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(from = "String", into = "String")]
#[schemars(with = "String")]
pub enum To {
    /// To the program's log, at the level `info`.
    #[default]
    Log,
    /// To this file, which may be a pipe. `-` is standard output, and `./log` a file called `log`. A relative path starts
    /// at the working directory.
    File(PathBuf),
}

impl From<String> for To {
    fn from(text: String) -> To {
        if text == "log" { To::Log } else { To::File(text.into()) }
    }
}

impl From<To> for String {
    fn from(to: To) -> String {
        match to {
            To::Log => "log".to_owned(),
            To::File(path) => path.to_string_lossy().into_owned(),
        }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options { to: To::Log, every: NonZeroU64::MIN }
    }
}

/// Passes every item as it is and says what it is: its number, kind, time of capture, size, what hangs
/// on it, and its layer.
///
/// A file gets each line at once, to be followed while it grows. A pipe that nobody reads, or not fast enough, misses
/// lines: nothing that flows waits for it. Wishes pass on upstream.
#[derive(Debug)]
pub struct Tap {
    name: String,
    output: Option<Output>,
    every: u64,
    count: u64,
}

impl Tap {
    /// A tap that has passed nothing yet; `name` is what it is called in the log.
    ///
    /// # Errors
    /// A wrong configuration if its file cannot be written.
    pub fn new(options: &Options, name: &str) -> Result<Tap> {
        let output = match &options.to {
            To::Log => None,
            To::File(path) => Some(Output::create(path)?),
        };
        Ok(Tap { name: name.to_owned(), output, every: options.every.get(), count: 0 })
    }

    fn say<T: Item>(&mut self, item: &T) -> Result<()> {
        let words = words(self.count, item);
        match &mut self.output {
            None => tracing::info!("{}: {words}", self.name),
            Some(output) => {
                if output.is_ready() {
                    output.write(words.as_bytes())?;
                    output.write(b"\n")?;
                    output.flush()?;
                }
            }
        }
        Ok(())
    }
}

/// For instance `0 encoded frames 1.033333333 s 1234 B start S0T0`.
fn words<T: Item>(number: u64, item: &T) -> String {
    let nanos = item.time().as_nanos();
    let (seconds, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let role = match item.role() {
        Role::Start => "start",
        Role::Reference => "reference",
        Role::Discardable => "discardable",
        _ => "unknown",
    };
    let (size, layer) = (item.size(), item.layer());
    format!("{number} {} {seconds}.{fraction:09} s {size} B {role} S{}T{}", T::KIND, layer.spatial, layer.temporal)
}

impl<T: Item> Stage<T, T> for Tap {
    fn process(&mut self, item: T, out: &mut Out<T>) -> Result<()> {
        self.output.iter_mut().for_each(|output| output.heed(out));
        if self.count.is_multiple_of(self.every) {
            self.say(&item)?;
        }
        self.count += 1;
        out.push(item);
        Ok(())
    }

    fn finish(&mut self, _: &mut Out<T>) -> Result<()> {
        self.output.as_mut().filter(|output| output.is_open()).map_or(Ok(()), Output::flush)
    }
}

/// Describes `tap`.
pub fn descriptor() -> Descriptor {
    let doc = "Passes everything as it is, and says of each item what it is";
    Descriptor::stage("tap", doc, Accepts::Anything, Gives::AsInput)
        .light()
        .knowing(known, |options: Options, joined| build(&options, joined))
}

fn known(options: &Options) -> Known {
    let known = match &options.to {
        To::Log => Known::default(),
        To::File(path) => Known::default().writes("to", path),
    };
    known.gives(SoundGiven::AS_INPUT)
}

fn build(options: &Options, joined: &Joined<'_>) -> Result<Worker> {
    let tap = || Tap::new(options, joined.name());
    match joined.input("input") {
        Some(Format::Video) => Ok(Worker::stage::<VideoFrame, VideoFrame>(tap()?)),
        Some(Format::Audio) => Ok(Worker::stage::<AudioFrame, AudioFrame>(tap()?)),
        Some(Format::Encoded(_)) => Ok(Worker::stage::<EncodedFrame, EncodedFrame>(tap()?)),
        Some(Format::Packets(_)) => Ok(Worker::stage::<RtpPackets, RtpPackets>(tap()?)),
        Some(other) => Err(Error::config(format!("`tap` does not know what {other} is"))),
        None => Err(Error::config("nothing is joined to `input`; say which stage it takes from")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::Scratch;
    use millstream_core::worker::{AnyStage, StageFrom};
    use millstream_core::{Clock, Layer, OPUS, Timestamp, VP8};

    fn frame(millis: u64) -> EncodedFrame {
        let role = if millis == 0 { Role::Start } else { Role::Discardable };
        let frame = EncodedFrame::new(VP8, Timestamp::from_millis(millis), vec![7; millis as usize]);
        frame.with_role(role).with_layer(Layer::independent(0, 2))
    }

    #[test]
    fn every_item_is_passed_and_every_so_many_are_said() {
        for (every, lines) in [
            (
                1,
                &[
                    "0 encoded frames 0.000000000 s 0 B start S0T2",
                    "1 encoded frames 1.001000000 s 1001 B discardable S0T2",
                ][..],
            ),
            (2, &["0 encoded frames 0.000000000 s 0 B start S0T2"]),
        ] {
            let file = Scratch::new(b"what was there");
            let options = Options { to: To::File(file.0.clone()), every: NonZeroU64::new(every).unwrap() };
            let mut tap = Tap::new(&options, "tap").unwrap();
            let mut out = Out::at(Timestamp::ZERO);
            for millis in [0, 1001] {
                tap.process(frame(millis), &mut out).unwrap();
            }
            assert_eq!(out.items().len(), 2);
            // Before it is finished: whoever looks sees what has passed.
            let written = std::fs::read_to_string(&file.0).unwrap();
            assert_eq!(written.lines().collect::<Vec<_>>(), lines);
        }
    }

    #[test]
    fn the_log_is_where_it_speaks_unless_told_otherwise() {
        let mut tap = Tap::new(&Options::default(), "tap").unwrap();
        let mut out = Out::at(Timestamp::ZERO);
        tap.process(frame(5), &mut out).unwrap();
        assert!(tap.output.is_none() && out.items().len() == 1);
        for text in ["log", "./log", "a/b.txt"] {
            assert_eq!(String::from(To::from(text.to_owned())), text);
        }
    }

    #[test]
    fn it_becomes_a_stage_of_what_is_joined() {
        let (clock, _) = Clock::manual();
        let built = |inputs: &[(&str, Format)]| build(&Options::default(), &Joined::new("tap", &clock, inputs, &[]));
        let stage = |format| match built(&[("input", format)]) {
            Ok(Worker::Stage(stage)) => stage,
            _ => panic!("a stage"),
        };
        assert!(matches!(stage(Format::Video), AnyStage::Video(StageFrom::Video(_))));
        assert!(matches!(stage(Format::Audio), AnyStage::Audio(StageFrom::Audio(_))));
        assert!(matches!(stage(Format::Encoded(VP8)), AnyStage::Encoded(StageFrom::Encoded(_))));
        assert!(matches!(stage(Format::Packets(OPUS)), AnyStage::Packets(StageFrom::Packets(_))));
        assert!(built(&[]).is_err());
    }
}
