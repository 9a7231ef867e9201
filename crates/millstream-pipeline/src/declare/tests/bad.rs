use super::*;

const FILES: [(&str, &str); 13] = [
    ("cycle", include_str!("bad/cycle.toml")),
    ("key-of-another-type", include_str!("bad/key-of-another-type.toml")),
    ("missing-input", include_str!("bad/missing-input.toml")),
    ("out-of-range", include_str!("bad/out-of-range.toml")),
    ("raw-into-page", include_str!("bad/raw-into-page.toml")),
    ("two-inputs-where-one-fits", include_str!("bad/two-inputs-where-one-fits.toml")),
    ("unknown-input", include_str!("bad/unknown-input.toml")),
    ("unknown-key", include_str!("bad/unknown-key.toml")),
    ("unknown-on-failure", include_str!("bad/unknown-on-failure.toml")),
    ("unknown-policy", include_str!("bad/unknown-policy.toml")),
    ("unknown-type", include_str!("bad/unknown-type.toml")),
    ("wrong-kind", include_str!("bad/wrong-kind.toml")),
    ("wrong-unit", include_str!("bad/wrong-unit.toml")),
];

pub(super) fn files() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(_, text)| *text)
}

/// The first line of each file says where its one mistake is and which words must be said.
#[test]
fn each_bad_file_is_refused_at_its_place_with_its_words() {
    for (name, text) in FILES {
        let expected = text.lines().next().unwrap().trim_start_matches("# ");
        let (place, words) = expected.split_once(' ').unwrap();
        let refused = read_with(text, &[]).err().unwrap_or_else(|| panic!("{name} was read"));
        let shown = refused.to_string();
        assert_eq!(refused.len(), 1, "{name}:\n{shown}");
        let one = refused.iter().next().unwrap();
        assert_eq!(format!("{}:{}", one.line, one.column), place, "{name}:\n{shown}");
        assert!(shown.contains(&format!("test.toml:{place}\n")), "{name}:\n{shown}");
        assert_eq!(shown.lines().filter(|line| line.starts_with("error")).count(), 1, "{name}:\n{shown}");
        // Not only in the line of the file that is shown.
        let said = format!("{} {} {}", one.message, one.label, one.help.join(" "));
        for word in words.split(' ') {
            assert!(said.contains(word), "{name}: no {word} in\n{shown}");
        }
    }
}

#[test]
fn an_error_looks_like_one_of_rustc() {
    let refused = read_with(include_str!("bad/raw-into-page.toml"), &[]).unwrap_err();
    let expected = "\
error: `video` gives raw video, but `page` takes RTP packets of video
 --> test.toml:7:9
  |
7 | video = \"video\"
  |         ^^^^^^^ expected RTP packets of video
  |
  = help: put `vp8-encoder`, then `vp8-packetizer` between them";
    assert_eq!(refused.to_string(), expected);
    assert!(refused.render(true).contains('\u{1b}'));
}

#[test]
fn nine_mistakes_give_nine_errors_in_the_order_of_the_text() {
    let text = include_str!("nine.toml");
    assert_eq!(
        faults(text, &[]),
        [
            "1:1 unknown key `nmae`",
            "6:7 `fps` of stage `video` cannot be this",
            "11:9 no stage is called `vidoe`",
            "12:1 `vp8-encoder` has no option `bitrat`",
            "20:1 stage `opus` needs `input`",
            "26:8 no stage type `opus-packetiser`",
            "33:38 `policy` of the input `video` cannot be this",
            "36:9 `a` feeds itself: a → b → a",
            "45:1 nobody takes what `lonely` gives",
        ],
        "{}",
        read_with(text, &[]).unwrap_err()
    );
}

#[test]
fn an_empty_file_is_shown_what_a_pipeline_looks_like() {
    for text in ["", "# nothing\n", "name = \"x\"\n"] {
        let refused = read_with(text, &[]).unwrap_err();
        assert_eq!(refused.len(), 1);
        assert!(refused.to_string().contains("test.toml:1:1"), "{refused}");
        assert!(refused.to_string().contains("[stage.video]"), "{refused}");
    }
}

#[test]
fn several_places_that_are_no_toml_are_found_and_nothing_that_follows_from_them() {
    let text = "\
        [stage.a]\ntype = \"test-video\nwidth = 640\n\n\
        [stage.b]\ntype = \"null\"\ninput = [\"a\"\n\n\
        [stage.c]\ntype = nul\n";
    let found = faults(text, &[]);
    assert_eq!(found.iter().map(|line| &line[..2]).collect::<Vec<_>>(), ["2:", "9:"], "{found:#?}");
    let twice = "\
        [stage.a]\ntype = \"test-video\"\n\
        [stage.b]\ntype = \"null\"\ninput = \"a\"\n\
        [stage.a]\ntype = \"test-video\"\n";
    assert_eq!(faults(twice, &[]), ["6:8 `a` is here twice"]);
    // What stands elsewhere and does not follow is found in the same pass.
    let beside = "[stage.a]\ntype = \"test-video\"\nfps = 0\n\n[stage.b]\ntype = \"null\ninput = \"a\"\n";
    assert_eq!(faults(beside, &[]).len(), 2);
}

#[test]
fn one_mistake_is_one_error() {
    let good = "[stage.v]\ntype = \"test-video\"\n[stage.n]\ntype = \"null\"\ninput = \"v\"\n";
    let cases = [
        // A header, a type, an input, or what stands at an input is not what it should be.
        ("[stage.v]", "[stag.v]", "1:2 unknown key `stag`"),
        ("[stage.v]", "[v]", "1:2 unknown key `v`"),
        ("[stage.v]", "[[stage.v]]", "1:9 stage `v` is a table"),
        ("type = \"null\"", "", "3:1 stage `n` has no `type`"),
        ("type = \"null\"", "tpye = \"null\"", "4:1 unknown key `tpye`"),
        ("type = \"null\"", "type = 3", "4:8 a `type` is the name of a stage type, in quotes"),
        (
            "type = \"null\"",
            "type = \"av1-encoder\"",
            "4:8 `av1-encoder` is not in this build; build with `--features av1`",
        ),
        ("input", "inptu", "5:1 `null` has no option `inptu`"),
        ("input", "video", "5:1 `null` has no option `video`"),
        ("\"v\"", "7", "5:9 `input` names a stage, and this is a number"),
        ("\"v\"", "[]", "5:9 `input` names no stage"),
        ("\"v\"", "[\"v\", \"v\"]", "5:9 `input` takes one stage, and here are 2"),
        ("\"v\"", "1979-05-27", "5:9 no option is a date; a text stands in quotes"),
        ("\"v\"", "\"v.video\"", "5:9 `v` has one output, without a name, and none called `video`"),
        ("\"v\"", "\"n\"", "5:9 `n` has no output: `null` only takes"),
        ("\"v\"", "\"camera\"", "5:9 no stage is called `camera`"),
        ("input = \"v\"", "", "3:1 stage `n` needs `input`"),
        ("\"v\"", "{ policy = \"block\" }", "5:9 the input `input` has no `from`"),
        ("\"v\"", "{ form = \"v\" }", "5:11 an input has no key `form`"),
        ("\"v\"", "{ from = 1 }", "5:18 `from` of the input `input` cannot be this"),
        ("\"v\"", "{ from = \"v\", items = 0 }", "5:31 `items` of the input `input` cannot be this"),
        ("\"v\"", "{ from = \"v\", max-age = \"0 s\" }", "5:33 `max-age` of the input `input` cannot be this"),
        ("\"v\"", "{ from = \"v\", max-age = 200 }", "5:33 `max-age` of the input `input` cannot be this"),
        (
            "\"v\"",
            "{ from = \"v\", policy = \"block\", max-age = \"1 s\" }",
            "5:41 a link that blocks loses nothing, and so has no `max-age`",
        ),
        // An option is not what it should be.
        ("\"test-video\"", "\"test-video\"\nwidth = 99999999999999999999", "3:9 this number is too large"),
        ("\"test-video\"", "\"test-video\"\ninput = \"n\"", "3:1 `test-video` has no option `input`"),
        ("\"test-video\"", "\"reader\"", "1:1 stage `v` has no `path`"),
        ("type = \"null\"\ninput", "type = \"page\"\ninput", "5:1 `page` has no option `input`"),
        ("type = \"null\"\ninput = \"v\"", "type = \"page\"", "3:1 stage `n` needs `video` or `audio`"),
        ("type = \"null\"\ninput = \"v\"", "type = \"call\"", "3:1 stage `n` needs `video` or `audio`"),
        ("type = \"null\"", "type = \"tap\"\nlevle = 1", "5:1 `tap` has no option `levle`"),
        ("[stage.v]", "name = 3\n[stage.v]", "1:8 the name of a pipeline is a text"),
    ];
    assert_eq!(faults(good, &[]), [""; 0]);
    for name in ["v w", "v.w", ""] {
        let text = good.replace("[stage.v]", &format!("[stage.\"{name}\"]")).replace("\"v\"", &format!("\"{name}\""));
        assert_eq!(faults(&text, &[]), [format!("1:8 `{name}` is no name for a stage")]);
    }
    for (old, new, expected) in cases {
        let text = good.replace(old, new);
        // A tap has to be taken from as well.
        let text = if new.contains("\"tap\"") { text + "[stage.end]\ntype = \"null\"\ninput = \"n\"\n" } else { text };
        let shown = read_with(&text, &[]).err().map(|refused| refused.to_string()).unwrap_or_default();
        let found = faults(&text, &[]);
        if new.contains("\"call\"") || new == "type = \"page\"" {
            // It gives, or takes, packets: a picture source beside it stays unused.
            assert_eq!(found, ["1:1 nobody takes what `v` gives", expected], "{new}\n{shown}");
        } else {
            assert_eq!(found, [expected], "{new}\n{shown}");
        }
    }
}

#[test]
fn cycles_are_reported_once_each() {
    let text = "\
        [stage.a]\ntype = \"scale\"\ninput = \"a\"\n\
        [stage.b]\ntype = \"tap\"\ninput = \"c\"\n\
        [stage.c]\ntype = \"tap\"\ninput = \"b\"\n";
    assert_eq!(faults(text, &[]), ["3:9 `a` feeds itself: a → a", "6:9 `b` feeds itself: b → c → b"]);
}

#[test]
fn columns_count_characters() {
    let text =
        "[stage.a]\ntype = \"test-video\"\n[stage.n]\ntype = \"null\"\ninput = { from = \"äöü→\", policy = \"x\" }\n";
    let found = faults(text, &[]);
    assert!(found[1].starts_with("5:35 "), "{found:?}");
    assert!(read_with(text, &[]).unwrap_err().to_string().contains("test.toml:5:35\n"));
}

#[test]
fn control_characters_of_a_file_do_not_reach_the_terminal() {
    let text = "[stage.a]\ntype = \"\\u001b[2Jx\"\n";
    let shown = read_with(text, &[]).unwrap_err().to_string();
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}
