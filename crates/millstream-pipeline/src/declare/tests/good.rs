use std::time::Duration;

use millstream_core::descriptor::{Place, Weight};

use super::*;
use crate::declare::{LinkChoice, PlannedInput, PlannedOutput};
use crate::faults::OnFailure;
use crate::policy::Policy;

/// Consumers first, a fan-out, both forms of an input, and an output that gives what it gets.
pub(super) const WEBCAM: &str = r#"
name = "webcam"

[stage.page]
type = "page"
port = 8_080
video = { from = "vp8-rtp", policy = "drop-oldest", items = 0x20, max-age = "200 ms" }
audio = ["opus-rtp"]

[stage.vp8-rtp]
type = "vp8-packetizer"
input = "vp8"

[stage.camera]
type = "test-video"
fps = 29.97

[stage.small]
type = "scale"
input = "camera"
width = 320

[stage.vp8]
type = "vp8-encoder"
input = { from = "small", policy = "latest" }
bitrate = "1.5 Mbit/s"

[stage.look]
type = "tap"
input = "camera"
[stage.drop]
type = "null"
input = "look"

[stage]
opus-rtp = { type = "opus-packetizer", input = "opus" }
opus.type = "opus-encoder"
opus.input = "tone"
tone.type = "test-audio"
tone.frequency = "440 Hz"
"#;

#[test]
fn a_plan_puts_producers_first_and_keeps_the_order_of_the_text_otherwise() {
    let plan = read_with(WEBCAM, &[]).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(plan.name.as_deref(), Some("webcam"));
    let names: Vec<&str> = plan.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["camera", "small", "vp8", "vp8-rtp", "look", "drop", "tone", "opus", "opus-rtp", "page"]);
    let page = &plan.stages[9];
    assert_eq!((page.type_name, page.place, page.outputs.len()), ("page", Place::Bundle, 0));
    let link = LinkChoice {
        policy: Some(Policy::DropOldest),
        items: std::num::NonZeroUsize::new(32),
        max_age: Some(Duration::from_millis(200)),
    };
    assert_eq!(
        page.inputs,
        [
            PlannedInput { key: "video", from: 3, output: 0, format: Format::Packets(VP8), link: Some(link) },
            PlannedInput { key: "audio", from: 8, output: 0, format: Format::Packets(OPUS), link: None },
        ]
    );
    // A scaled picture is a picture, and so is what a tap has seen.
    assert_eq!(plan.stages[2].inputs[0].format, Format::Video);
    assert_eq!(plan.stages[5].inputs[0].format, Format::Video);
    assert_eq!(plan.stages[4].weight, Weight::Light);
    // Two take from the camera.
    let from_camera = plan.stages.iter().flat_map(|stage| &stage.inputs).filter(|input| input.from == 0).count();
    assert_eq!(from_camera, 2);
    assert_eq!(plan.stages[0].outputs, [PlannedOutput { name: "", format: Format::Video, used: true }]);
}

#[test]
fn outputs_are_named_behind_a_dot() {
    let text = "[stage.peer]\ntype = \"call\"\n[stage.out]\ntype = \"null\"\ninput = { from = \"peer.audio\" }\n";
    let plan = read_with(text, &[]).unwrap_or_else(|refused| panic!("{refused}"));
    let used: Vec<_> = plan.stages[0].outputs.iter().map(|output| (output.name, output.used)).collect();
    assert_eq!(used, [("video", false), ("audio", true)]);
    let input = PlannedInput {
        key: "input",
        from: 0,
        output: 1,
        format: Format::Packets(OPUS),
        link: Some(LinkChoice::default()),
    };
    assert_eq!(plan.stages[1].inputs, [input]);
    assert_eq!(
        faults(&text.replace("peer.audio", "peer"), &[]),
        ["5:18 `peer` has several outputs: say `peer.video` or `peer.audio`"]
    );
    let shown = read_with(&text.replace("peer.audio", "peer.adio"), &[]).unwrap_err().to_string();
    assert!(shown.contains("did you mean `peer.audio`?"), "{shown}");
}

#[test]
fn what_blocks_says_so() {
    let text = "[stage.file]\ntype = \"reader\"\npath = \"a.ivf\"\n[stage.out]\ntype = \"null\"\ninput = \"file\"\n";
    let plan = read_with(text, &[]).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(plan.stages.iter().map(|stage| stage.blocking).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_long_chain_is_no_trouble() {
    let mut text = "[stage.s0]\ntype = \"test-video\"\n".to_owned();
    for at in 1..2000 {
        text += &format!("[stage.s{at}]\ntype = \"tap\"\ninput = \"s{}\"\n", at - 1);
    }
    text += "[stage.out]\ntype = \"null\"\ninput = \"s1999\"\n";
    let plan = read_with(&text, &[]).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(plan.stages[2000].inputs[0].format, Format::Video);
}

#[test]
fn a_bundle_fed_from_what_it_gives_is_no_cycle_and_comes_first() {
    let text = "[stage.tap]\ntype = \"tap\"\ninput = \"call.video\"\n[stage.call]\ntype = \"call\"\nvideo = \"tap\"\n";
    let plan = read_with(text, &[]).unwrap_or_else(|refused| panic!("{refused}"));
    let joins: Vec<_> = plan.stages.iter().map(|stage| (stage.name.as_str(), stage.inputs[0].from)).collect();
    assert_eq!(joins, [("call", 1), ("tap", 0)]);
}

#[test]
fn every_stage_says_what_ends_when_it_fails() {
    let text = WEBCAM.replace("opus.input = \"tone\"", "opus.input = \"tone\"\nopus.on-failure = \"stop\"");
    let plan = read_with(&text, &[]).unwrap_or_else(|refused| panic!("{refused}"));
    let stops = plan.stages.iter().filter(|stage| stage.on_failure == OnFailure::Stop);
    assert_eq!(stops.map(|stage| stage.name.as_str()).collect::<Vec<_>>(), ["opus"]);
    for name in OnFailure::NAMES {
        let plan = read_with(&text.replace("\"stop\"", &format!("\"{name}\"")), &[]).unwrap();
        let opus = plan.stages.iter().find(|stage| stage.name == "opus").unwrap();
        assert_eq!(Some(opus.on_failure), OnFailure::from_name(name));
    }
}
