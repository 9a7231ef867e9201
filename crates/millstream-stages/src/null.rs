//! The sink `null`: takes anything and drops it. What flows into it is counted by the runner, like
//! everything that flows.

use millstream_core::{
    Accepts, AudioFrame, Cx, Descriptor, EncodedFrame, Error, Format, Item, Joined, Result, RtpPackets, Sink,
    VideoFrame, Worker,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of `null`: there are none.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {}

/// Takes items of any kind and drops them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Null;

impl<T: Item> Sink<T> for Null {
    fn consume(&mut self, _: T, _: &mut Cx) -> Result<()> {
        Ok(())
    }
}

/// Describes `null`.
pub fn descriptor() -> Descriptor {
    Descriptor::sink("null", "Drops everything it gets", Accepts::Anything)
        .light()
        .build(|_: Options, joined| build(joined))
}

fn build(joined: &Joined<'_>) -> Result<Worker> {
    match joined.input("input") {
        Some(Format::Video) => Ok(Worker::sink::<VideoFrame>(Null)),
        Some(Format::Audio) => Ok(Worker::sink::<AudioFrame>(Null)),
        Some(Format::Encoded(_)) => Ok(Worker::sink::<EncodedFrame>(Null)),
        Some(Format::Packets(_)) => Ok(Worker::sink::<RtpPackets>(Null)),
        Some(other) => Err(Error::config(format!("`null` does not know what {other} is"))),
        None => Err(Error::config("nothing is joined to `input`; say which stage it takes from")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_core::worker::AnySink;
    use millstream_core::{Clock, OPUS, VP8};

    #[test]
    fn it_becomes_a_sink_of_what_is_joined() {
        let (clock, _) = Clock::manual();
        let built = |inputs: &[(&str, Format)]| build(&Joined::new("end", &clock, inputs, &[]));
        let sink = |format| match built(&[("input", format)]) {
            Ok(Worker::Sink(sink)) => sink,
            _ => panic!("a sink"),
        };
        assert!(matches!(sink(Format::Video), AnySink::Video(_)));
        assert!(matches!(sink(Format::Audio), AnySink::Audio(_)));
        assert!(matches!(sink(Format::Encoded(VP8)), AnySink::Encoded(_)));
        assert!(matches!(sink(Format::Packets(OPUS)), AnySink::Packets(_)));
        assert!(built(&[]).is_err());
    }
}
