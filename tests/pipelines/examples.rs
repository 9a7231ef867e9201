//! The examples do what they say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An example, which cargo builds beside the command.
fn example(name: &str) -> PathBuf {
    let command = Path::new(env!("CARGO_BIN_EXE_millstream"));
    command.parent().expect("the command lies in a folder").join("examples").join(name)
}

#[test]
fn custom_stage_halves_what_its_source_gives() {
    let output = Command::new(example("custom_stage")).output().expect("the example is built");
    let words = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{words}");
    let halved = words.lines().find(|line| line.starts_with("half")).expect("a line for the stage");
    assert!(halved.contains(" 251 in  126 out"), "{words}");
}

#[test]
fn the_demo_in_rust_serves_its_page() {
    let mut child =
        Command::new(example("demo")).arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().expect("it is built");
    let mut address = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut address).expect("it says where it is");
    let host = address.trim().trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).expect("it listens");
    write!(stream, "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut page = String::new();
    stream.read_to_string(&mut page).expect("it answers");
    child.kill().expect("it runs until it is killed");
    child.wait().expect("it ends");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("<video"), "{}", &page[..page.len().min(300)]);
}

#[test]
fn an_async_main_reacts_to_events() {
    let output = Command::new(example("react_to_events")).output().expect("the example is built");
    let words = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{words}{}", String::from_utf8_lossy(&output.stderr));
    let expected = [
        "Started",
        "failed: recording-1: the disk is full",
        "failed: recording-2: the disk is full",
        "failed: recording-3: the disk is full",
        "Stopping",
        "Ended",
        "3 recordings, and the live picture went on",
    ];
    assert_eq!(words.lines().collect::<Vec<_>>(), expected);
}

/// A file with the stage type of the example.
const EVERY_SECOND: &str = "\
[stage.picture]
type = \"test-video\"
[stage.half]
type = \"every-nth\"
input = \"picture\"
n = 2
[stage.out]
type = \"null\"
input = { from = \"half\", policy = \"block\" }
";

#[test]
fn the_whole_command_knows_a_stage_type_of_a_program() {
    let folder = std::env::temp_dir().join(format!("millstream-own-stage-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let run = |arguments: &[&str], text: &str| {
        let file = folder.join("own.toml");
        std::fs::write(&file, text).unwrap();
        let arguments = arguments.iter().map(|part| if *part == "FILE" { file.to_str().unwrap() } else { part });
        let output = Command::new(example("own_stage")).args(arguments).output().expect("the example is built");
        let words = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), words)
    };
    let (code, words) = run(&["stages", "every-nth"], "");
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("Passes on one picture in so many") && words.contains("    n\n"), "{words}");
    let (code, words) = run(&["stages"], "");
    assert!(code == Some(0) && words.contains("every-nth") && words.contains("vp8-packetizer"), "{words}");
    let (code, words) = run(&["check", "FILE"], EVERY_SECOND);
    assert!(code == Some(0) && words.contains("3 stages, nothing wrong"), "{words}");
    let (code, words) = run(&["check", "FILE"], &EVERY_SECOND.replace("n = 2", "n = 0"));
    assert!(code == Some(78) && words.contains("`n` of stage `half` cannot be this"), "{words}");
    let (code, words) = run(&["run", "FILE", "--for", "1 s", "--statistics"], EVERY_SECOND);
    assert_eq!(code, Some(0), "{words}");
    std::fs::remove_dir_all(&folder).unwrap();
    let json = &words[words.find('{').unwrap()..=words.rfind('}').unwrap()];
    let statistics: serde_json::Value = serde_json::from_str(json).unwrap();
    let half = statistics["stages"].as_array().unwrap().iter().find(|stage| stage["name"] == "half").unwrap();
    let (came, went) = (half["items_in"].as_u64().unwrap(), half["items_out"].as_u64().unwrap());
    assert!(came > 0 && went == came.div_ceil(2), "{came} in, {went} out");
}

#[test]
fn the_program_feeds_frames_and_takes_frames() {
    for (name, expected) in [("feed_frames", "50"), ("take_frames", "60")] {
        let output = Command::new(example(name)).output().expect("the example is built");
        let words = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {words}{}", String::from_utf8_lossy(&output.stderr));
        assert!(words.contains(expected), "{name}: {words}");
    }
}
