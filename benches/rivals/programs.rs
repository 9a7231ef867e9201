//! The programs of the rivals: built or installed under `target/rivals`, or it is said what is missing.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Result, at};

/// The folder of what is built and installed.
fn folder() -> Result<PathBuf> {
    let folder = root().join("target/rivals");
    std::fs::create_dir_all(&folder).map_err(at(folder.display()))?;
    Ok(folder)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program of `benches/rivals/pion`, built.
pub(crate) fn pion() -> Result<PathBuf> {
    built("pion", &[])
}

/// The same with an encoder.
pub(crate) fn pion_with_libvpx() -> Result<PathBuf> {
    if !runs(Command::new("pkg-config").args(["--exists", "vpx"])) {
        return Err(
            "the Pion sender is built with libvpx's headers; on Debian: apt-get install libvpx-dev pkg-config".into()
        );
    }
    built("pion-vpx", &["-tags", "vpx"])
}

fn built(name: &str, with: &[&str]) -> Result<PathBuf> {
    let go = ["go", "/usr/local/go/bin/go"].into_iter().find(|go| runs(Command::new(go).arg("version")));
    let go = go.ok_or("Pion is written in Go, and there is no go here (1.24 or later): get it from go.dev/dl")?;
    let program = folder()?.join(name);
    eprintln!("building the Pion programs…");
    let built = Command::new(go)
        .args(["build", "-o"])
        .arg(&program)
        .args(with)
        .arg(".")
        .current_dir(root().join("benches/rivals/pion"))
        .status()
        .map_err(at("go"))?;
    if built.success() { Ok(program) } else { Err("the Pion programs do not build; what Go said stands above".into()) }
}

/// The version of Pion that is built.
pub(crate) fn pion_version() -> &'static str {
    let module = include_str!("pion/go.mod");
    let line = module.lines().find_map(|line| line.trim().strip_prefix("github.com/pion/webrtc/v4 "));
    line.unwrap_or("unknown")
}

/// Runs `benches/rivals/NAME.py` with GStreamer's introspection, if it is here.
pub(crate) fn gstreamer() -> Result<Command> {
    let look = "import gi; gi.require_version('GstWebRTC', '1.0'); gi.require_version('GstSdp', '1.0')";
    // The system's own Python first: it is the one whose packages the system installs.
    let python =
        ["/usr/bin/python3", "python3"].into_iter().find(|python| runs(Command::new(python).args(["-c", look])));
    let element = |name| runs(Command::new("gst-inspect-1.0").arg(name));
    let elements = ["webrtcbin", "vp8enc", "rtpvp8pay", "nicesink", "appsrc"].into_iter().all(element);
    match python.filter(|_| elements) {
        Some(python) => Ok(script(python, "gstreamer.py")),
        None => Err("GStreamer's webrtcbin and its Python are not all here; on Debian: apt-get install python3-gi \
            gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad \
            gstreamer1.0-nice gir1.2-gst-plugins-bad-1.0 gir1.2-gst-plugins-base-1.0"
            .into()),
    }
}

/// The version of GStreamer that is here.
pub(crate) fn gstreamer_version() -> String {
    said(Command::new("gst-inspect-1.0").arg("--version"))
}

/// Runs `benches/rivals/aiortc_send.py` in an environment of its own, which is made if need be.
pub(crate) fn aiortc() -> Result<Command> {
    let environment = folder()?.join("aiortc");
    let python = environment.join("bin/python3");
    let here =
        || runs(Command::new(&python).args(["-c", &format!("import aiortc; assert aiortc.__version__ == '{AIORTC}'")]));
    if !here() {
        eprintln!("installing aiortc {AIORTC} into target/rivals…");
        let missing = "python3 cannot make an environment with aiortc; on Debian: apt-get install python3-venv";
        if !runs(Command::new("python3").args(["-m", "venv"]).arg(&environment)) {
            return Err(missing.into());
        }
        let install = ["-m", "pip", "install", "--quiet", &format!("aiortc=={AIORTC}")];
        let _ = Command::new(&python).args(install).status();
        if !here() {
            return Err(missing.into());
        }
    }
    Ok(script(&python, "aiortc_send.py"))
}

/// The version of aiortc that is installed.
pub(crate) const AIORTC: &str = "1.16.0";

fn script(python: impl AsRef<std::ffi::OsStr>, name: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(root().join("benches/rivals").join(name));
    command
}

fn runs(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The first line that a command says, or that it is not here.
pub(crate) fn said(command: &mut Command) -> String {
    let output = command.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    output.unwrap_or_default().lines().next().unwrap_or("unknown").trim().to_owned()
}
