//! What goes wrong outside: each a clear error and an exit code, and nothing else harmed.

use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines/demo.toml");
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines/file.toml");

fn millstream() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
    command.stdin(Stdio::null()).env_remove("RUST_LOG");
    command
}

fn run(arguments: &[&str]) -> (i32, String) {
    ended(&millstream().args(arguments).output().expect("the command starts"))
}

fn ended(output: &Output) -> (i32, String) {
    let words = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    (output.status.code().unwrap_or(-1), words)
}

/// A file of `content` that is gone with the test.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, content: &[u8]) -> Temporary {
        let path = std::env::temp_dir().join(format!("millstream-{}-{name}", std::process::id()));
        std::fs::File::create(&path).and_then(|mut file| file.write_all(content)).expect("a temporary file");
        Temporary(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_port_in_use_is_named_and_a_way_out_offered() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, words) = run(&["run", DEMO, "--set", &format!("page.bind={address}")]);
    assert_eq!(code, 1, "{words}");
    assert!(words.contains("page: ") && words.contains(&address) && words.contains("in use"), "{words}");
}

#[test]
fn a_missing_clip_is_named() {
    let (code, words) = run(&["run", FILE, "--set", "video.path=/no/such/clip.y4m", "--set", "page.bind=127.0.0.1:0"]);
    assert_eq!(code, 1, "{words}");
    assert!(words.contains("video: ") && words.contains("/no/such/clip.y4m"), "{words}");
}

#[test]
fn a_clip_that_is_cut_off_says_where() {
    let mut content = b"YUV4MPEG2 W16 H16 F25:1 C420jpeg\n".to_vec();
    for _ in 0..3 {
        content.extend_from_slice(b"FRAME\n");
        content.extend_from_slice(&[128; 16 * 16 * 3 / 2]);
    }
    content.truncate(content.len() - 100);
    let clip = Temporary::new("cut.y4m", &content);
    let pipeline = format!(
        "[stage.clip]\ntype = \"y4m-file\"\npath = {:?}\n[stage.end]\ntype = \"null\"\ninput = \"clip\"\n",
        clip.0.display().to_string()
    );
    let file = Temporary::new("cut.toml", pipeline.as_bytes());
    let (code, words) = run(&["run", file.0.to_str().unwrap()]);
    assert_eq!(code, 1, "{words}");
    assert!(words.contains("clip: ") && words.contains("cut off") && words.contains("284 of 384"), "{words}");
}

#[test]
fn a_missing_library_says_what_to_install() {
    let output = millstream()
        .args(["run", DEMO, "--set", "page.bind=127.0.0.1:0"])
        .env("MILLSTREAM_LIBVPX", "/no/such/libvpx.so")
        .output()
        .expect("the command starts");
    let (code, words) = ended(&output);
    assert_eq!(code, 1, "{words}");
    assert!(words.contains("vp8: ") && words.contains("/no/such/libvpx.so"), "{words}");
}

#[test]
fn a_missing_file_a_wrong_one_and_a_wrong_command_line_have_their_own_codes() {
    let (code, words) = run(&["check", "/no/such/pipeline.toml"]);
    assert_eq!(code, 66, "{words}");
    assert!(words.contains("/no/such/pipeline.toml"), "{words}");

    let bad = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pipelines/bad/unknown-key.toml");
    let (code, words) = run(&["check", bad]);
    assert_eq!(code, 78, "{words}");
    assert!(words.contains("unknown-key.toml:10:1"), "{words}");

    let (code, words) = run(&["check", DEMO, "--set", "vp8.bitrate=fast"]);
    assert_eq!(code, 78, "{words}");
    assert!(words.contains("kbit/s"), "{words}");

    let (code, words) = run(&["dance"]);
    assert_eq!(code, 2, "{words}");

    let (code, words) = run(&["check", DEMO]);
    assert_eq!(code, 0, "{words}");
}

#[test]
fn run_says_where_to_look_on_a_line_of_its_own_and_stops_by_itself_when_told() {
    let output = millstream()
        .args(["run", DEMO, "--set", "page.bind=127.0.0.1:0", "--set", "video.width=320", "--set", "video.height=180"])
        .args(["--for", "1 s"])
        .output()
        .expect("the command starts");
    let (code, words) = ended(&output);
    assert_eq!(code, 0, "{words}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let address = stdout.lines().next().unwrap_or_default();
    assert!(address.starts_with("http://127.0.0.1:") && !address.ends_with(":0/"), "{stdout}");
}

#[cfg(unix)]
#[test]
fn an_interrupt_stops_cleanly() {
    use std::io::BufRead;
    let mut child = millstream()
        .args(["run", DEMO, "--set", "page.bind=127.0.0.1:0", "--set", "video.width=320", "--set", "video.height=180"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    // It runs once it says where.
    let mut address = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    assert!(address.starts_with("http://"), "{address}");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is everywhere");
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    let (code, words) = ended(&output);
    assert_eq!(code, 0, "{words}");
    assert!(words.contains("ended."), "{words}");
}
