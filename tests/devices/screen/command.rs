//! `millstream devices`, and `millstream run` where there is no screen.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use millstream_testkit::Xvfb;

/// The command with `display` for DISPLAY, or none.
fn millstream(display: Option<&str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
    command.stdin(Stdio::null()).env_remove("RUST_LOG").env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).envs(display.map(|display| ("DISPLAY", display)));
    command
}

fn run(display: Option<&str>, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = millstream(display).args(arguments).output().expect("the command starts");
    let words = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code().unwrap_or(-1), words(stdout), words(stderr))
}

#[test]
fn screens_are_listed_with_what_a_stage_would_choose() {
    let Some(server) = Xvfb::start((800, 600), &[]) else { return };
    let display = Some(server.display());
    let (code, out, err) = run(display, &["devices", "screen"]);
    assert_eq!(code, 0, "{out}{err}");
    let id = format!("device = {:?}", server.display());
    for words in ["screen (type = \"screen\")", &id, "800x600 at ", "takes ", "at 800x600 at 30, BGRX", "because "] {
        assert!(out.contains(words), "{words} in\n{out}");
    }

    let sets = ["--set", "region=320x200+10+20", "--set", "fps=60", "--json"];
    let (code, out, err) = run(display, &[&["devices", "screen"], &sets[..]].concat());
    assert_eq!(code, 0, "{out}{err}");
    let json: serde_json::Value = serde_json::from_str(&out).expect("it is JSON, and nothing else");
    assert_eq!(json["devices"].as_array().unwrap().iter().filter(|device| device["default"] == true).count(), 1);
    assert_eq!((&json["devices"][0]["id"], &json["devices"][0]["kind"]), (&server.display().into(), &"screen".into()));
    assert_eq!(
        (&json["choices"][0]["mode"]["width"], &json["choices"][0]["mode"]["height"]),
        (&320.into(), &200.into())
    );
}

#[test]
fn what_cannot_be_chosen_is_said_with_an_exit_code() {
    let Some(server) = Xvfb::start((800, 600), &[]) else { return };
    let display = Some(server.display());
    for (set, expected, words) in [
        ("region=800x600+1+0", 1, "is not within the device, which is 800x600"),
        ("device=HDMI-7", 1, "no monitor `HDMI-7`"),
        ("regoin=1x1", 78, "did you mean `region`?"),
        ("region=1x", 78, "expected a region such as"),
        ("region", 78, "is not KEY=VALUE"),
    ] {
        let (code, _, err) = run(display, &["devices", "screen", "--set", set]);
        assert_eq!(code, expected, "{set}: {err}");
        assert!(err.contains(words), "{words} in\n{err}");
    }
    assert_eq!(run(display, &["devices", "--set", "fps=1"]).0, 2, "options of which stage?");
}

#[test]
fn without_a_screen_it_is_said_how_to_get_one() {
    for arguments in [&["devices", "screen"][..], &["run", "pipelines/screen.toml", "--set", "page.bind=127.0.0.1:0"]] {
        let (code, _, err) = run(None, arguments);
        assert_eq!(code, 1, "{err}");
        assert!(err.contains("DISPLAY is not set") && err.contains("Xvfb :77"), "{err}");
    }
    // Asked for everything, it is no error that one kind is not there.
    let (code, out, err) = run(None, &["devices"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("screen: there is no screen: DISPLAY is not set"), "{out}");
}

#[test]
fn a_screen_that_comes_and_goes_is_shown_live() {
    let Some(mut server) = Xvfb::start((800, 600), &[]) else { return };
    let mut child = millstream(Some(server.display()))
        .args(["devices", "screen", "--watch", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut until = |event: &str| {
        let line = lines.find(|line| {
            let json: serde_json::Value = serde_json::from_str(line).expect("one object in a line");
            json["event"] == event && json["kind"] == "screen"
        });
        assert!(line.is_some(), "{event}");
    };
    until("there");
    server.kill();
    until("failed");
    server.start_again();
    until("works again");
    until("came");
    let told = Command::new("kill").arg("-INT").arg(child.id().to_string()).status();
    assert!(told.is_ok_and(|status| status.success()));
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
