//! Outputs whose kind or codec follows from the options of their stage.

use millstream_core::known::Known;
use millstream_core::{Joined, Worker};

use super::*;

/// What is in a file, as its user says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Contents {
    #[serde(default)]
    video: Option<String>,
    #[serde(default)]
    audio: Option<String>,
}

fn build(_: Contents, _: &mut Joined<'_>) -> millstream_core::Result<Worker> {
    Err(Error::config("nothing is built here"))
}

fn format(media: Media, name: &str) -> Format {
    match (media, name) {
        (Media::Video, "raw") => Format::Video,
        (Media::Audio, "raw") => Format::Audio,
        _ => Format::Encoded(
            Codec::new(media, name, if name == "opus" { 48_000 } else { 90_000 }, if name == "opus" { 2 } else { 0 })
                .unwrap(),
        ),
    }
}

/// What an output called `name` and one called `audio` give, as far as `contents` say it.
fn known(contents: &Contents, name: &'static str) -> Known {
    let video = contents.video.iter().map(|video| (name, format(Media::Video, video)));
    let audio = contents.audio.iter().map(|audio| ("audio", format(Media::Audio, audio)));
    video.chain(audio).fold(Known::default(), |known, (name, format)| known.output(name, format))
}

fn registry() -> Registry {
    let mut registry = super::registry();
    registry.add(
        Descriptor::source("file", "", Gives::FromOptions).knowing(|contents: &Contents| known(contents, ""), build),
    );
    let demuxer = Descriptor::bundle("demuxer", "").output("video", Gives::FromOptions);
    let demuxer = demuxer.output("audio", Gives::FromOptions);
    registry.add(demuxer.knowing(|contents: &Contents| known(contents, "video"), build));
    registry
}

/// What flows into each input of the stages that `text` declares, or what is wrong, with its place.
fn planned(text: &str) -> Result<Vec<String>, Vec<String>> {
    let plan = read(text, "test.toml", &[], &registry()).map_err(|wrong| {
        wrong.iter().map(|one| format!("{}:{} {}", one.line, one.column, one.message)).collect::<Vec<_>>()
    })?;
    let flows = plan
        .stages
        .iter()
        .flat_map(|stage| stage.inputs.iter().map(|input| format!("{} < {}", stage.name, input.format)));
    Ok(flows.collect())
}

fn file(video: &str, consumer: &str) -> String {
    format!(
        "[stage.clip]\ntype = \"file\"\n{video}\n[stage.tap]\ntype = \"tap\"\ninput = \"clip\"\n\
         [stage.end]\ntype = \"{consumer}\"\ninput = \"tap\"\n[stage.null]\ntype = \"null\"\ninput = \"end\"\n"
    )
}

#[test]
fn the_options_decide_what_flows_and_so_what_may_be_joined() {
    let packets = planned(&file("video = \"vp8\"", "vp8-packetizer")).unwrap();
    assert_eq!(
        packets,
        ["tap < encoded video (vp8)", "end < encoded video (vp8)", "null < RTP packets of video (vp8)"]
    );
    let raw = planned(&file("video = \"raw\"", "vp8-encoder")).unwrap();
    assert_eq!(raw, ["tap < raw video", "end < raw video", "null < encoded video (vp8)"]);

    let refused = planned(&file("video = \"h264\"", "vp8-packetizer")).unwrap_err();
    assert_eq!(refused, ["9:9 `tap` gives encoded video (h264), but `end` takes encoded video (vp8)"]);
    let refused = planned(&file("video = \"raw\"", "vp8-packetizer")).unwrap_err();
    assert_eq!(refused, ["9:9 `tap` gives raw video, but `end` takes encoded video (vp8)"]);
}

#[test]
fn where_the_options_do_not_say_it_that_is_said_once_where_the_stage_is() {
    let text = file("", "vp8-packetizer");
    assert_eq!(planned(&text).unwrap_err(), ["1:1 the options of `clip` do not say what it gives"]);
    let twice = "[stage.clip]\ntype = \"file\"\n[stage.a]\ntype = \"null\"\ninput = \"clip\"\n\
                 [stage.b]\ntype = \"null\"\ninput = \"clip\"\n";
    assert_eq!(planned(twice).unwrap_err(), ["1:1 the options of `clip` do not say what it gives"]);
}

#[test]
fn each_output_of_a_bundle_follows_by_its_name() {
    let text = |options: &str, video: &str| {
        format!(
            "[stage.file]\ntype = \"demuxer\"\n{options}\n[stage.rtp]\ntype = \"{video}\"\ninput = \"file.video\"\n\
             [stage.opus-rtp]\ntype = \"opus-packetizer\"\ninput = \"file.audio\"\n\
             [stage.page]\ntype = \"page\"\nvideo = \"rtp\"\naudio = \"opus-rtp\"\n"
        )
    };
    let flows = planned(&text("video = \"vp8\"\naudio = \"opus\"", "vp8-packetizer")).unwrap();
    assert_eq!(flows[..2], ["rtp < encoded video (vp8)", "opus-rtp < encoded audio (opus)"]);
    let swapped = planned(&text("video = \"vp8\"\naudio = \"raw\"", "vp8-packetizer")).unwrap_err();
    assert_eq!(swapped, ["10:9 `file` gives raw audio, but `opus-rtp` takes encoded audio (opus)"]);
    // Only what is joined has to be known.
    let alone =
        "[stage.file]\ntype = \"demuxer\"\nvideo = \"raw\"\n[stage.null]\ntype = \"null\"\ninput = \"file.video\"\n";
    assert_eq!(planned(alone).unwrap(), ["null < raw video"]);
}
