//! What is said of a camera that cannot be opened: why, and what to do.

use super::{PIPELINE, with_camera};
use crate::program::turn;

fn refused(name: &str, told: &str, sets: &[&str]) -> Option<String> {
    let _turn = turn();
    let args: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let (_folder, _camera, program) = with_camera(name, told, PIPELINE, &args)?;
    let (status, _, said) = program.ended();
    assert_eq!(status.code(), Some(1), "{said:#?}");
    let error = said.iter().find(|line| line.text.starts_with("error: camera: "));
    Some(error.unwrap_or_else(|| panic!("no error: {said:#?}")).text.clone())
}

#[track_caller]
fn says(name: &str, told: &str, sets: &[&str], words: &[&str]) {
    let Some(said) = refused(name, told, sets) else { return };
    assert!(words.iter().all(|words| said.contains(words)), "{said}");
}

#[test]
fn none_at_all() {
    says("none", "unplugged", &[], &["there is no camera; plug one in"]);
}

#[test]
fn one_that_may_not_be_read() {
    says("unreadable", "unreadable", &[], &["/dev/video0 is not readable", "usermod -aG video"]);
}

#[test]
fn one_that_is_in_use() {
    for through in ["system", "nokhwa"] {
        let set = format!("camera.through={through}");
        says("busy", "busy", &[&set], &["/dev/video0 is in use by another program", "fuser -v /dev/video0"]);
    }
}

#[test]
fn one_that_another_stage_has() {
    let _turn = turn();
    let twice =
        format!("{PIPELINE}\n[stage.second]\ntype = \"camera\"\n\n[stage.more]\ntype = \"null\"\ninput = \"second\"\n");
    let Some((_folder, _camera, program)) = with_camera("twice", "plugged", &twice, &[]) else { return };
    let (status, _, said) = program.ended();
    assert_eq!(status.code(), Some(1), "{said:#?}");
    let words = "/dev/video0 is in use by this program itself; if another stage has it, let that one give to both";
    assert!(said.iter().any(|line| line.text.contains(words)), "{said:#?}");
}

#[test]
fn one_that_does_not_answer() {
    says("silent", "hanging", &[], &["/dev/video0", "does not answer", "unplug it"]);
}

#[test]
fn one_that_is_named_and_cannot_say_its_id() {
    let named = "camera.device=platform:fake-Millstream_Fake_Camera";
    let words = ["/dev/video0 is not readable", "usermod -aG video"];
    says("unreadable-named", "unreadable", &[named], &words);
    says("silent-named", "hanging", &[named], &["/dev/video0", "does not answer", "unplug it"]);
}

#[test]
fn a_wrong_id() {
    let words = ["no device `C920`", "there are: platform:fake-Millstream_Fake_Camera"];
    says("wrong-id", "plugged", &["camera.device=C920"], &words);
}

#[test]
fn what_none_can_do() {
    let sets = ["camera.width={ exact = 5000 }", "camera.format=mjpeg"];
    let words = ["no camera gives width exactly 5000", "format mjpeg", "1280x720 at 60, MJPEG"];
    says("nothing-fits", "plugged", &sets, &words);
}
