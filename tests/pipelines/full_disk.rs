//! Disks that are really full: file systems of a few kilobytes, each under one recording. What is written
//! there ends and stays readable, and everything else goes on.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Each recording, with the size of its disk; the last has one that is large enough.
const PIPELINE: &str = r#"
[stage.picture]
type = "test-video"
width = 160
height = 120

[stage.tone]
type = "test-audio"

[stage.opus]
type = "opus-encoder"
input = "tone"

[stage.y4m]
type = "y4m-writer"
input = { from = "picture", policy = "block" }
path = "FOLDER/y4m/full.y4m"

[stage.wav]
type = "wav-writer"
input = { from = "tone", policy = "block" }
path = "FOLDER/wav/full.wav"

[stage.ogg]
type = "ogg-opus-writer"
input = { from = "opus", policy = "block" }
path = "FOLDER/ogg/full.opus"

[stage.whole]
type = "wav-writer"
input = { from = "tone", policy = "block" }
path = "FOLDER/whole.wav"
"#;

/// Mounts the small disks where nobody else sees them, runs, and copies what is on them.
const SCRIPT: &str = r#"
cd "$1" || exit 77
for disk in y4m:300k wav:200k ogg:16k; do
    mkdir -p "${disk%:*}" && mount -t tmpfs -o "size=${disk#*:}" tmpfs "${disk%:*}" || exit 77
done
shift
"$@"
code=$?
mkdir -p copies && cp y4m/* wav/* ogg/* copies/ || exit 78
exit $code
"#;

/// What says that no disk could be mounted.
const CANNOT: i32 = 77;

fn millstream() -> &'static str {
    env!("CARGO_BIN_EXE_millstream")
}

/// A folder that is gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("millstream-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `pipeline` in `folder` on small disks; nothing where none can be mounted.
fn on_small_disks(folder: &Path, pipeline: &str, limit: &str) -> Option<Output> {
    let file = folder.join("pipeline.toml");
    std::fs::write(&file, pipeline.replace("FOLDER", &folder.display().to_string())).expect("it can be written");
    for namespace in [&["--mount"][..], &["--mount", "--user", "--map-root-user"]] {
        let mut command = Command::new("unshare");
        command.args(namespace).args(["sh", "-c", SCRIPT, "sh"]).arg(folder);
        command.arg(millstream()).arg("run").arg(&file).args(["--for", limit, "--statistics"]);
        let ended = command.stdin(Stdio::null()).env_remove("RUST_LOG").output().ok();
        // `unshare` itself gives 1 and says so where it may not.
        let refused = |output: &Output| {
            output.status.code() == Some(CANNOT) || String::from_utf8_lossy(&output.stderr).starts_with("unshare:")
        };
        if let Some(output) = ended.filter(|output| !refused(output)) {
            return Some(output);
        }
    }
    None
}

/// How many items a source of `kind` reads from `path`, to its end and without a fault.
fn read(kind: &str, path: &Path) -> u64 {
    let text = format!(
        "[stage.file]\ntype = {kind:?}\npath = {:?}\n[stage.end]\ntype = \"null\"\ninput = {{ from = \"file\", policy = \"block\" }}\n",
        path.display().to_string()
    );
    let file = path.with_extension("toml");
    std::fs::write(&file, text).expect("it can be written");
    let output = Command::new(millstream()).arg("run").arg(&file).arg("--statistics").output().expect("it starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {words}", path.display());
    stage(&output, "end")["items_in"].as_u64().expect("a count")
}

fn stage(output: &Output, name: &str) -> serde_json::Value {
    let statistics: serde_json::Value = serde_json::from_slice(&output.stdout).expect("statistics");
    let stages = statistics["stages"].as_array().expect("a list");
    stages.iter().find(|stage| stage["name"] == name).expect("the stage").clone()
}

#[test]
fn a_full_disk_ends_its_recording_readable_and_nothing_else() {
    let folder = Folder::new("full-disks");
    let Some(output) = on_small_disks(&folder.0, PIPELINE, "4 s") else {
        return millstream_testkit::skipped("no file system can be mounted in a namespace of its own");
    };
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words}");
    let files =
        [("y4m", "full.y4m", "y4m-file"), ("wav", "full.wav", "wav-file"), ("ogg", "full.opus", "ogg-opus-file")];
    for (name, file, reader) in files {
        let failure = stage(&output, name)["failure"].clone();
        let failure = failure.as_str().unwrap_or_else(|| panic!("{name} did not fail: {words}"));
        assert!(failure.contains(file) && failure.contains("No space left"), "{failure}");
        assert!(words.contains(&format!("{failure}; its part ends")), "it is said at once: {words}");
        assert!(words.contains(&format!("error: {failure}\n")), "and at the end: {words}");
        assert!(read(reader, &folder.0.join("copies").join(file)) > 0, "{name}: {words}");
    }
    let size = |path: &str| std::fs::metadata(folder.0.join(path)).expect("it was written").len();
    // Whole pictures only, as many as there was room for.
    let picture = 6 + 160 * 120 * 3 / 2;
    let y4m = std::fs::read(folder.0.join("copies/full.y4m")).expect("it was written");
    let header = y4m.iter().position(|byte| *byte == b'\n').expect("a header") + 1;
    assert_eq!((y4m.len() - header) / picture, (300 * 1024 - header) / picture);
    assert_eq!((y4m.len() - header) % picture, 0);
    // The header tells how much there is, and blocks are whole.
    let wav = std::fs::read(folder.0.join("copies/full.wav")).expect("it was written");
    assert_eq!(u32::from_le_bytes(wav[40..44].try_into().unwrap()) as usize, wav.len() - 44);
    assert!(wav.len() > 190 * 1024, "{}", wav.len());
    // The one beside them has all of the four seconds.
    assert!(stage(&output, "whole")["failure"].is_null(), "{words}");
    assert!(size("whole.wav") > 44 + 2 * 48_000 * 39 / 10, "{}", size("whole.wav"));
}

#[test]
fn a_recording_that_takes_all_with_it_stops_the_pipeline() {
    let folder = Folder::new("full-disk-stops");
    let pipeline = PIPELINE.replace("/full.y4m\"", "/full.y4m\"\non-failure = \"stop\"");
    // An hour: it ends because the disk is full.
    let Some(output) = on_small_disks(&folder.0, &pipeline, "3600 s") else {
        return millstream_testkit::skipped("no file system can be mounted in a namespace of its own");
    };
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("full.y4m") && words.contains("the pipeline stops"), "{words}");
    assert!(read("wav-file", &folder.0.join("whole.wav")) > 0);
}
