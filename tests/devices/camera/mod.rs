//! The source `camera` under the camera of `millstream-testkit`.

mod faults;
mod formats;
mod refused;

use millstream_testkit::camera::FakeCamera;

use crate::program::{Folder, Program};

/// A camera into a sink, and a sound beside it that must not care.
const PIPELINE: &str = r#"
[stage.camera]
type = "camera"
width = 352

[stage.pictures]
type = "null"
input = "camera"

[stage.sound]
type = "test-audio"

[stage.sounds]
type = "null"
input = "sound"
"#;

/// Runs `text` with a camera, which is told `words` before; nothing where there is no camera to run it with.
pub(crate) fn with_camera(name: &str, words: &str, text: &str, args: &[&str]) -> Option<(Folder, FakeCamera, Program)> {
    let folder = Folder::new(name);
    let camera = FakeCamera::new(folder.path())?;
    camera.tell(words);
    let program = Program::start(&folder, text, args, |command| {
        camera.show(command);
    });
    Some((folder, camera, program))
}
