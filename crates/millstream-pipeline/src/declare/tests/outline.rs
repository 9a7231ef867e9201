use millstream_core::options::Value;

use super::good::WEBCAM;
use super::*;
use crate::declare::Outline;

fn outline(text: &str, changes: &[&str]) -> Outline {
    read_with(text, changes).unwrap_or_else(|refused| panic!("{refused}")).outline()
}

#[test]
fn a_plan_keeps_its_options_as_they_were_written() {
    let kept = outline(WEBCAM, &["vp8.bitrate=800kbit/s"]);
    let bitrate = kept.options("vp8").and_then(|options| options.get("bitrate"));
    assert_eq!(bitrate, Some(&Value::Text("800kbit/s".to_owned())));
    assert_eq!(kept.options("opus").map(|options| options.len()), Some(0));
    assert_eq!(kept.options("vp9"), None);
    let page = kept.stages().iter().find(|stage| stage.name == "page").unwrap();
    let joins: Vec<_> = page.inputs.iter().map(|input| (input.key, input.from.as_str())).collect();
    assert_eq!(joins, [("video", "vp8-rtp"), ("audio", "opus-rtp")]);
}

#[test]
fn two_plans_are_compared_stage_by_stage() {
    let before = outline(WEBCAM, &[]);
    assert!(before.changes(&outline(WEBCAM, &[])).is_empty());

    let changes = before.changes(&outline(WEBCAM, &["vp8.bitrate=800kbit/s", "camera.width=640"]));
    let changed: Vec<_> = changes.changed.iter().map(|change| (&*change.stage, change.options.join(" "))).collect();
    assert_eq!(changed, [("camera", "width".to_owned()), ("vp8", "bitrate".to_owned())]);
    assert!(changes.added.is_empty() && changes.removed.is_empty());

    // A stage is put between, another goes, one is joined elsewhere, and one is of another type.
    let text = WEBCAM
        .replace("[stage.drop]\ntype = \"null\"", "[stage.other]\ntype = \"null\"")
        .replace("[stage.look]\ntype = \"tap\"", "[stage.look]\ntype = \"scale\"\non-failure = \"retry\"")
        .replace("{ from = \"small\", policy = \"latest\" }", "{ from = \"camera\", policy = \"latest\" }")
        + "[stage.see]\ntype = \"null\"\ninput = \"small\"\n";
    let changes = before.changes(&outline(&text, &[]));
    assert_eq!((changes.added, changes.removed), (vec!["other".to_owned(), "see".to_owned()], vec!["drop".to_owned()]));
    let changed = changes
        .changed
        .iter()
        .map(|change| (&*change.stage, change.is_of_another_type, change.on_failure, change.inputs.join(" ")));
    let expected = [("vp8", false, false, "input".to_owned()), ("look", true, true, String::new())];
    assert_eq!(changed.collect::<Vec<_>>(), expected);
}
