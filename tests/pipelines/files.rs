//! Files, pipes and sound as people have them, through the command.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use millstream::core::Clock;

/// A folder of its own for one test, which cargo keeps.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        // One of a run before.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("cargo's folder can be written");
        Folder(path)
    }

    fn millstream(&self, verb: &str, pipeline: &str) -> Command {
        std::fs::write(self.0.join("pipeline.toml"), pipeline).expect("the folder can be written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
        command.args([verb, "pipeline.toml"]).current_dir(&self.0).stdin(Stdio::null());
        command
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.join(name), bytes).expect("the folder can be written");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).expect("it is there")
    }
}

/// What came out, after `Ctrl-C` where it should not end by itself, with its exit code.
fn ended(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Sound of one second at `rate`: each channel its own number, 16 bits.
fn wav(rate: u32, channels: u16) -> Vec<u8> {
    let samples = (0..rate).flat_map(|_| (0..channels).flat_map(|channel| (channel * 1000).to_le_bytes()));
    let data: Vec<u8> = samples.collect();
    let mut file = b"RIFF".to_vec();
    file.extend((data.len() as u32 + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(channels) * 2).to_le_bytes());
    file.extend((channels * 2).to_le_bytes());
    file.extend(b"\x10\0data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

const COPY: &str = "[stage.in]\ntype = \"wav-file\"\npath = \"IN\"\n\n[stage.out]\ntype = \"wav-writer\"\npath = \"OUT\"\n\
                    input = { from = \"in\", policy = \"block\" }\n";

fn copy(from: &str, to: &str) -> String {
    COPY.replace("IN", from).replace("OUT", to)
}

#[cfg(unix)]
#[test]
fn an_input_is_not_overwritten_by_any_name() {
    let folder = Folder::new("overwritten");
    let sound = wav(8000, 1);
    folder.write("in.wav", &sound);
    std::os::unix::fs::symlink("in.wav", folder.0.join("link.wav")).expect("a link");
    std::fs::hard_link(folder.0.join("in.wav"), folder.0.join("hard.wav")).expect("a link");
    for name in ["in.wav", "link.wav", "hard.wav", "./in.wav"] {
        for verb in ["check", "run"] {
            let output = folder.millstream(verb, &copy("in.wav", name)).output().expect("it starts");
            let (code, words) = ended(&output);
            assert_eq!(code, Some(78), "{words}");
            assert!(words.contains("`out` writes the file that `in` reads"), "{words}");
            assert!(words.contains("pipeline.toml:7:8") && words.contains("`in` reads it here"), "{words}");
        }
    }
    assert!(folder.read("in.wav") == sound);
}

#[test]
fn standard_input_plays_and_standard_output_gets_nothing_else() {
    let folder = Folder::new("standard");
    let sound = wav(8000, 1);
    for (from, to) in [("-", "-"), ("/dev/stdin", "/dev/stdout")] {
        let mut command = folder.millstream("run", &copy(from, to));
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        child.stdin.take().expect("piped").write_all(&sound).expect("it reads");
        let output = child.wait_with_output().expect("it ends with its input");
        let (code, words) = ended(&output);
        assert_eq!(code, Some(0), "{words}");
        assert!(words.contains("reads standard input, and starts when something comes there"), "{words}");
        // The lengths of a pipe say that nobody knows.
        assert!(output.stdout.len() == sound.len() && output.stdout[44..] == sound[44..], "{words}");
        assert_eq!(&output.stdout[40..44], [0xFF; 4]);
    }
    // And where a shell has put a file in its place.
    folder.write("in.wav", &sound);
    for from in ["-", "/dev/stdin"] {
        let file = std::fs::File::open(folder.0.join("in.wav")).expect("it was written");
        let output = folder.millstream("run", &copy(from, "out.wav")).stdin(file).output().expect("it starts");
        assert_eq!(ended(&output).0, Some(0), "{from}: {}", ended(&output).1);
        assert!(folder.read("out.wav") == sound, "{from}");
    }
    let output = folder.millstream("run", &copy("-", "-")).arg("--statistics").output().expect("it starts");
    let (code, words) = ended(&output);
    assert!(code == Some(78) && words.contains("both write to standard output"), "{words}");
}

/// Ends the program as `Ctrl-C` does; how long that took, and its exit code.
#[cfg(unix)]
fn interrupted(child: &mut Child) -> (Duration, Option<i32>) {
    let clock = Clock::system();
    let before = clock.now();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(killed.success());
    let code = child.wait().expect("it ends").code();
    (clock.now().since(before), code)
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nobody_writes_holds_nothing_up() {
    let folder = Folder::new("pipe");
    let made = Command::new("mkfifo").arg(folder.0.join("in.wav")).status().expect("mkfifo");
    assert!(made.success());
    let pipeline = copy("in.wav", "out.wav")
        + "[stage.tone]\ntype = \"test-audio\"\n\n[stage.note]\ntype = \"tap\"\ninput = \"tone\"\nto = \"-\"\n\n\
           [stage.nowhere]\ntype = \"null\"\ninput = \"note\"\n";
    for writes in [false, true] {
        let mut child = folder.millstream("run", &pipeline).stdout(Stdio::piped()).spawn().expect("it starts");
        // What does not need the pipe runs.
        let mut line = [0; 20];
        child.stdout.as_mut().expect("piped").read_exact(&mut line).expect("the tap says something");
        assert!(line.starts_with(b"0 "), "{}", String::from_utf8_lossy(&line));
        let writer = writes.then(|| {
            let mut writer = std::fs::OpenOptions::new().write(true).open(folder.0.join("in.wav")).expect("it reads");
            writer.write_all(&wav(8000, 1)[..1001]).expect("it reads");
            writer
        });
        let (took, code) = interrupted(&mut child);
        assert_eq!(code, Some(0));
        // 100 ms for the source; the rest is the machine's.
        assert!(took < Duration::from_secs(1), "{took:?}");
        drop(writer);
    }
}

#[test]
fn sound_that_does_not_fit_is_made_to_fit_and_told_of() {
    let folder = Folder::new("fit");
    for (rate, channels) in [(44_100, 2), (22_050, 1), (32_000, 2), (96_000, 2), (48_000, 6), (44_100, 8)] {
        folder.write("in.wav", &wav(rate, channels));
        let pipeline = "[stage.in]\ntype = \"wav-file\"\npath = \"in.wav\"\n\n\
                        [stage.opus]\ntype = \"opus-encoder\"\ninput = { from = \"in\", policy = \"block\" }\n\n\
                        [stage.mixed]\ntype = \"mix\"\ninput = [{ from = \"in\", policy = \"block\" }]\n\n\
                        [stage.out]\ntype = \"ogg-opus-writer\"\npath = \"out.ogg\"\n\
                        input = { from = \"opus\", policy = \"block\" }\n\n\
                        [stage.all]\ntype = \"wav-writer\"\npath = \"out.wav\"\n\
                        input = { from = \"mixed\", policy = \"block\" }\n";
        for verb in ["check", "run"] {
            let output = folder.millstream(verb, pipeline).output().expect("it starts");
            let (code, words) = ended(&output);
            assert_eq!(code, Some(0), "{rate} Hz, {channels} channels: {words}");
            for (wrong, kind) in [(rate != 48_000, "resample"), (channels > 2, "remix")] {
                assert_eq!(words.contains(&format!("type = \"{kind}\"")), wrong, "{rate} Hz, {channels}: {words}");
            }
            assert!(words.contains("`in` gives sound of") && words.contains("`opus` gets"), "{words}");
        }
        // 48 kHz, 16 bits, two channels: a second, in whole blocks of 10 ms.
        let mixed = folder.read("out.wav").len() - 44;
        assert!((192_000..=192_000 + 2 * 1920).contains(&mixed), "{rate} Hz, {channels} channels: {mixed}");
    }
}

const MIX: &str = "[stage.in]\ntype = \"wav-file\"\npath = \"-\"\n\n\
                   [stage.mixed]\ntype = \"mix\"\ninput = [{ from = \"in\", policy = \"block\" }]\n\n\
                   [stage.all]\ntype = \"wav-writer\"\npath = \"out.wav\"\n\
                   input = { from = \"mixed\", policy = \"block\" }\n";

#[test]
fn sound_out_of_a_pipe_is_made_to_fit_whatever_it_is() {
    let folder = Folder::new("fit-pipe");
    for (rate, channels) in [(44_100, 2), (8_000, 1), (48_000, 6)] {
        let mut command = folder.millstream("run", MIX);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        child.stdin.take().expect("piped").write_all(&wav(rate, channels)).expect("it reads");
        let (code, words) = ended(&child.wait_with_output().expect("it ends with its input"));
        assert_eq!(code, Some(0), "{rate} Hz, {channels} channels: {words}");
        assert!(
            words.contains("the sound format of `in` is unknown until it arrives, and `mixed` gets 48000 Hz"),
            "{words}"
        );
        let mixed = folder.read("out.wav").len() - 44;
        assert!((192_000..=192_000 + 2 * 1920).contains(&mixed), "{rate} Hz, {channels} channels: {mixed}");
    }
}

#[test]
fn sound_that_nothing_makes_fit_and_a_folder_are_refused_by_check() {
    let folder = Folder::new("misfit");
    folder.write("in.wav", &wav(500, 1));
    let opus = "[stage.in]\ntype = \"wav-file\"\npath = \"in.wav\"\n\n\
                [stage.opus]\ntype = \"opus-encoder\"\ninput = \"in\"\n\n\
                [stage.out]\ntype = \"null\"\ninput = \"opus\"\n";
    for (pipeline, words) in [
        (opus.to_owned(), "`in` gives sound of 500 Hz, and `opus` needs 48000 Hz"),
        (copy("..", "out.wav"), "`..` is a folder"),
    ] {
        for verb in ["check", "run"] {
            let (code, said) = ended(&folder.millstream(verb, &pipeline).output().expect("it starts"));
            assert!(code == Some(78) && said.contains(words), "{code:?} {said}");
        }
    }
}
