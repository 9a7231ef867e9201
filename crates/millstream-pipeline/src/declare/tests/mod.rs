//! Pipelines that must be read, and those that must be refused, against made-up stage types with the
//! names and ends of the real ones.

use millstream_core::descriptor::{Gives, Unbuilt};
use millstream_core::units::{Bitrate, FrameRate, Frequency, Pixels};
use millstream_core::{Accepts, Codec, Descriptor, Error, Format, Media, OPUS, Registry, VP8};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Diagnostics, Override, Plan, read};

mod adapt;
mod bad;
mod files;
mod from_options;
mod good;
mod mutations;
mod outline;
mod set;

macro_rules! options {
    ($name:ident { $($key:ident: $kind:ty),* }) => {
        #[derive(Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        struct $name { $(#[serde(default)] #[expect(dead_code)] $key: Option<$kind>),* }
    };
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Application {
    Voip,
    Audio,
}

/// Lets unknown keys pass, as a plug-in's author may forget to forbid.
#[derive(Deserialize, JsonSchema)]
struct Careless {
    #[serde(default)]
    #[expect(dead_code)]
    level: Option<i64>,
}

/// Has a key that must be there.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(dead_code)]
    path: String,
}

options!(None {});
options!(TestVideo { width: Pixels, height: Pixels, fps: FrameRate });
options!(TestAudio { frequency: Frequency });
options!(Scale { width: Pixels, height: Pixels });
options!(Vp8 { bitrate: Bitrate });
options!(Opus { bitrate: Bitrate, application: Application });
options!(Page { port: u16 });

fn registry() -> Registry {
    fn built<O: DeserializeOwned + JsonSchema + 'static>(unbuilt: Unbuilt) -> Descriptor {
        unbuilt.build(|_: O, _| Err(Error::config("nothing is built here")))
    }
    let encoder = |name, takes: Format, codec| Descriptor::stage(name, "", takes, Format::Encoded(codec));
    let packetizer =
        |name, codec: Codec| Descriptor::stage(name, "", Format::Encoded(codec.clone()), Format::Packets(codec));
    let two = |name| {
        let packets = Accepts::Packets;
        Descriptor::bundle(name, "")
            .optional_input("video", packets(Media::Video))
            .optional_input("audio", packets(Media::Audio))
    };
    let call = two("call").output("video", Format::Packets(VP8)).output("audio", Format::Packets(OPUS));
    let mut registry = Registry::new();
    for descriptor in [
        built::<TestVideo>(Descriptor::source("test-video", "", Format::Video)),
        built::<TestAudio>(Descriptor::source("test-audio", "", Format::Audio)),
        built::<File>(Descriptor::source("reader", "", Format::Encoded(VP8)).blocking()),
        built::<Scale>(Descriptor::stage("scale", "", Format::Video, Gives::AsInput)),
        built::<Careless>(Descriptor::stage("tap", "", Accepts::Anything, Gives::AsInput).light()),
        built::<Vp8>(encoder("vp8-encoder", Format::Video, VP8)),
        built::<Opus>(encoder("opus-encoder", Format::Audio, OPUS)),
        built::<None>(packetizer("vp8-packetizer", VP8)),
        built::<None>(packetizer("opus-packetizer", OPUS)),
        built::<Page>(two("page")),
        built::<None>(call),
        built::<None>(Descriptor::sink("null", "", Accepts::Anything)),
    ] {
        registry.add(descriptor);
    }
    registry.add_missing("av1-encoder", "av1");
    registry
}

/// Reads `text` with `changes` from the command line.
fn read_with(text: &str, changes: &[&str]) -> Result<Plan, Diagnostics> {
    let changes: Vec<_> = changes.iter().map(|change| Override::parse(change).unwrap()).collect();
    read(text, "test.toml", &changes, &registry())
}

/// Everything wrong with `text`, as `LINE:COLUMN message` lines.
fn faults(text: &str, changes: &[&str]) -> Vec<String> {
    let lines =
        |all: &Diagnostics| all.iter().map(|one| format!("{}:{} {}", one.line, one.column, one.message)).collect();
    read_with(text, changes).err().as_ref().map(lines).unwrap_or_default()
}
