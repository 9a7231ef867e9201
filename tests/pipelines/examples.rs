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
fn the_program_feeds_frames_and_takes_frames() {
    for (name, expected) in [("feed_frames", "50"), ("take_frames", "60")] {
        let output = Command::new(example(name)).output().expect("the example is built");
        let words = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {words}{}", String::from_utf8_lossy(&output.stderr));
        assert!(words.contains(expected), "{name}: {words}");
    }
}
