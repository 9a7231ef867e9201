use super::good::WEBCAM;
use super::*;

#[test]
fn an_override_takes_the_place_of_what_the_file_says() {
    for changes in [
        &["vp8.bitrate=800kbit/s"][..],
        &["vp8.bitrate=\"800 kbit/s\"", "camera.width=640"],
        &["vp8.bitrate = 800 kbit/s ", "look.input={ from = \"small\", policy = \"block\" }"],
        // The later of two wins, and what it replaces need not be right.
        &["vp8.bitrate=fast", "vp8.bitrate=1Mbit/s"],
    ] {
        assert_eq!(faults(WEBCAM, changes), [""; 0], "{changes:?}");
    }
    let text = "[stage.v]\ntype = \"test-video\"\nfps = 0\n[stage.n]\ntype = \"null\"\ninput = \"v\"\n";
    assert_eq!(faults(text, &["v.fps=30"]), [""; 0]);
}

#[test]
fn what_is_wrong_with_an_override_is_underlined_in_it() {
    let refused = read_with(WEBCAM, &["vp8.bitrate=800kB"]).unwrap_err();
    let expected = "\
error: `bitrate` of stage `vp8` cannot be this
 --> --set:1:13
  |
1 | vp8.bitrate=800kB
  |             ^^^^^ expected a bit rate such as \"800 kbit/s\" or \"1.5 Mbit/s\", at most 100 Gbit/s, found \"800kB\"";
    assert_eq!(refused.to_string(), expected);
    assert_eq!(faults(WEBCAM, &["vp8.bitrat=1"]), ["1:5 `vp8-encoder` has no option `bitrat`"]);
    assert_eq!(faults(WEBCAM, &["look.input=camra"]), ["1:12 no stage is called `camra`"]);
    assert_eq!(
        faults(WEBCAM, &["look.input={ from = \"camera\", items = 0 }"]),
        ["1:39 `items` of the input `input` cannot be this"]
    );
    let shown = read_with(WEBCAM, &["vp9.bitrate=1"]).unwrap_err().to_string();
    assert!(shown.contains("--set:1:1\n") && shown.contains("did you mean `vp8`?"), "{shown}");
}

#[test]
fn an_override_has_a_stage_a_key_and_a_value() {
    for (text, word) in [("vp8.bitrate", "`=`"), ("bitrate=3", "dot"), (".a=3", "dot"), ("a.=3", "dot"), ("", "`=`")] {
        let refused = Override::parse(text).unwrap_err();
        assert_eq!(refused.len(), 1);
        let shown = refused.to_string();
        assert!(shown.starts_with("error") && shown.contains(word) && shown.contains("--set:1:1"), "{shown}");
    }
}
