//! Files that two stages use, by any name.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use millstream_core::{Joined, Known, Worker};

use super::*;

/// Names a file to read or to write.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Named {
    path: PathBuf,
}

fn build(_: Named, _: &mut Joined<'_>) -> millstream_core::Result<Worker> {
    Err(Error::config("nothing is built here"))
}

/// One type that reads and two that write, one of which passes on what it gets.
fn registry() -> Registry {
    let writes = |named: &Named| Known::default().writes("path", &named.path);
    let mut registry = Registry::new();
    registry.add(
        Descriptor::source("reader", "", Format::Video)
            .knowing(|named: &Named| Known::default().reads("path", &named.path), build),
    );
    registry.add(Descriptor::sink("writer", "", Accepts::Anything).knowing(writes, build));
    registry.add(Descriptor::stage("noter", "", Accepts::Anything, Gives::AsInput).knowing(writes, build));
    registry
}

/// A folder for one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("millstream-declare-{}-{count}", std::process::id()));
        std::fs::create_dir_all(path.join("sub")).unwrap();
        std::fs::write(path.join("in.y4m"), "what was there").unwrap();
        Folder(path)
    }

    /// Everything wrong with a source of `input`, whose sound passes a stage with `note` on its way to `output`.
    fn faults(&self, input: &str, note: &str, output: &str) -> Vec<String> {
        let place = |path: &str| match path {
            "-" => path.to_owned(),
            path if Path::new(path).is_absolute() => path.to_owned(),
            path => self.0.join(path).display().to_string(),
        };
        let text = format!(
            "[stage.in]\ntype = 'reader'\npath = '{}'\n\n[stage.note]\ntype = 'noter'\ninput = 'in'\npath = '{}'\n\n\
             [stage.out]\ntype = 'writer'\ninput = 'note'\npath = '{}'\n",
            place(input),
            place(note),
            place(output)
        );
        let file = self.0.join("pipeline.toml");
        std::fs::write(&file, &text).unwrap();
        match read(&text, &file.display().to_string(), &[], &registry()) {
            Ok(_) => Vec::new(),
            Err(all) => all.iter().map(|one| format!("{}:{} {}", one.line, one.column, one.message)).collect(),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // One that stays behind does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn files_that_differ_are_fine_and_devices_do_not_mind() {
    let folder = Folder::new();
    assert_eq!(folder.faults("in.y4m", "note.txt", "out.y4m"), [""; 0]);
    assert_eq!(folder.faults("no-such.y4m", "sub/out.y4m", "out.y4m"), [""; 0]);
    #[cfg(unix)]
    assert_eq!(folder.faults("/dev/null", "/dev/null", "/dev/null"), [""; 0]);
}

#[test]
#[cfg(unix)]
fn a_file_that_is_read_and_written_is_refused_by_whatever_name() {
    let folder = Folder::new();
    let place = |name: &str| folder.0.join(name);
    std::os::unix::fs::symlink(place("in.y4m"), place("link.y4m")).unwrap();
    std::os::unix::fs::symlink("../link.y4m", place("sub/link.y4m")).unwrap();
    std::os::unix::fs::symlink("..", place("sub/up")).unwrap();
    std::fs::hard_link(place("in.y4m"), place("hard.y4m")).unwrap();
    for name in ["in.y4m", "./sub/../in.y4m", "link.y4m", "sub/link.y4m", "sub/up/in.y4m", "hard.y4m"] {
        assert_eq!(folder.faults("in.y4m", "note.txt", name), ["13:8 `out` writes the file that `in` reads"], "{name}");
        assert_eq!(folder.faults(name, "in.y4m", "out.y4m"), ["8:8 `note` writes the file that `in` reads"], "{name}");
        assert_eq!(
            folder.faults("/dev/null", "in.y4m", name),
            ["13:8 `out` writes the file that `note` writes too"],
            "{name}"
        );
    }
    assert_eq!(std::fs::read(place("in.y4m")).unwrap(), b"what was there");
}

#[test]
#[cfg(unix)]
fn a_file_that_two_would_make_is_refused_by_whatever_name() {
    let folder = Folder::new();
    std::os::unix::fs::symlink("new.y4m", folder.0.join("link.y4m")).unwrap();
    for name in ["new.y4m", "sub/../new.y4m", "link.y4m"] {
        assert_eq!(
            folder.faults("in.y4m", "new.y4m", name),
            ["13:8 `out` writes the file that `note` writes too"],
            "{name}"
        );
    }
    assert_eq!(folder.faults("in.y4m", "new.y4m", "sub/new.y4m"), [""; 0]);
    assert_eq!(folder.faults("in.y4m", "new.y4m", "New.y4m"), [""; 0], "this disk minds capitals");
    assert_eq!(folder.faults("in.y4m", "no/folder", "no/folder"), [""; 0]);
}

#[test]
#[cfg(unix)]
fn the_pipeline_file_itself_is_not_overwritten() {
    let folder = Folder::new();
    assert_eq!(folder.faults("in.y4m", "note.txt", "pipeline.toml"), ["13:8 `out` would overwrite this pipeline file"]);
}

#[test]
fn a_folder_is_refused_wherever_a_file_is_named() {
    let folder = Folder::new();
    let words = |at: &str| format!("{at} `{}` is a folder", folder.0.join("sub").display());
    assert_eq!(folder.faults("sub", "note.txt", "out.y4m"), [words("3:8")]);
    assert_eq!(folder.faults("sub", "note.txt", "sub"), [words("3:8"), words("13:8")]);
}

#[test]
fn standard_input_is_read_by_one_whatever_it_is() {
    let text = "[stage.a]\ntype = 'reader'\npath = '-'\n[stage.b]\ntype = 'reader'\npath = '/dev/stdin'\n\
                [stage.c]\ntype = 'noter'\ninput = 'a'\npath = '/dev/null'\n\
                [stage.d]\ntype = 'noter'\ninput = 'b'\npath = '/dev/null'\n";
    let shown = read(text, "test.toml", &[], &registry()).unwrap_err().to_string();
    for words in ["`b` reads the standard input that `a` reads too", "test.toml:6:8", "let `b` use a file of its own"] {
        assert!(shown.contains(words), "no `{words}` in\n{shown}");
    }
}

#[test]
#[cfg(unix)]
fn both_places_are_shown() {
    let folder = Folder::new();
    std::os::unix::fs::symlink("in.y4m", folder.0.join("link.y4m")).unwrap();
    let (one, other) = (folder.0.join("in.y4m"), folder.0.join("link.y4m"));
    let text = format!(
        "[stage.in]\ntype = 'reader'\npath = '{}'\n[stage.out]\ntype = 'writer'\ninput = 'in'\npath = 'x'\n",
        one.display()
    );
    let set = Override::parse(&format!("out.path='{}'", other.display())).unwrap();
    let shown = read(&text, "test.toml", &[set], &registry()).unwrap_err().to_string();
    for words in [
        "error: `out` writes the file that `in` reads",
        "test.toml:3:8",
        "`in` reads it here",
        &format!("`{}` and `{}` are the same file", one.display(), other.display()),
        "let `out` use a file of its own",
    ] {
        assert!(shown.contains(words), "no `{words}` in\n{shown}");
    }
}
