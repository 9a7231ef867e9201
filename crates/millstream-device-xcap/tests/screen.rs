//! `screen-xcap` with a real X server, Xvfb, by either way.

use std::process::Command;
use std::thread;
use std::time::Duration;

use millstream_core::options::{Table, Value};
use millstream_core::{Clock, Cx, Next, Run, Source, Upstream, VideoFrame};
use millstream_device_xcap::{Options, Screen};
use millstream_testkit::{Xvfb, conformance};

/// The crate `xcap` knows the screen of its process only: each test is run again in one of its own.
fn with_screen(test: &str) {
    let Some(server) = Xvfb::start((640, 480), &[]) else { return };
    let this = std::env::current_exe().expect("a test has a file");
    let done = Command::new(this)
        .args(["--ignored", "--exact", "--nocapture", test])
        .env("DISPLAY", server.display())
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("XDG_SESSION_TYPE")
        .output()
        .expect("it runs again");
    let words = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && words.contains("1 passed"), "{words}");
}

#[test]
fn pictures_are_taken_by_either_way() {
    with_screen("takes_pictures_by_either_way");
}

#[test]
fn its_options_conform() {
    with_screen("options_conform");
}

#[test]
#[ignore = "run by pictures_are_taken_by_either_way"]
fn takes_pictures_by_either_way() {
    for recorder in [false, true] {
        let clock = Clock::system();
        let options = Options { recorder: Some(recorder), ..Options::default() };
        let mut screen = Screen::open(options, clock.clone()).expect("there is a screen");
        assert!(screen.opened().contains("640x480 at 30"), "{}", screen.opened());
        let run = Run::default();
        run.start(clock.now());
        let mut cx = Cx::new(clock, std::task::Waker::noop().clone(), Upstream::default(), run);
        let frames: Vec<VideoFrame> = (0..20).map(|_| next(&mut screen, &mut cx)).collect();
        let sizes = frames.iter().all(|frame| (frame.width(), frame.height()) == (640, 480));
        // Xvfb's screen is black.
        let black = frames.iter().all(|frame| frame.plane(0).iter().flatten().all(|luma| *luma == 16));
        assert!(sizes && black && frames.is_sorted_by(|a, b| a.time < b.time), "recorder: {recorder}");
    }
}

fn next(screen: &mut Screen, cx: &mut Cx) -> VideoFrame {
    let deadline = cx.now() + Duration::from_secs(30);
    loop {
        if let Next::Item(frame) = screen.next(cx).expect("the X server runs") {
            return frame;
        }
        assert!(cx.now() < deadline, "no picture for 30 s");
        thread::park_timeout(Duration::from_millis(2));
    }
}

#[test]
#[ignore = "run by its_options_conform"]
fn options_conform() {
    let entry = |key: &str, value| Table::from([(key.to_owned(), value)]);
    let good = [Table::new(), entry("fps", Value::Float(12.5)), entry("recorder", Value::Bool(false))];
    let bad = [("device", Value::Integer(0)), ("fps", Value::Integer(0)), ("recorder", Value::Text("yes".to_owned()))];
    conformance::options(&millstream_device_xcap::descriptor(), &good, &bad);
    conformance::documentation(&millstream_device_xcap::descriptor());
}
