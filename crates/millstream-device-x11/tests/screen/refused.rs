//! What cannot be captured is refused in words that say what to do.

use millstream_core::device::Kind;
use millstream_core::options::{Table, Value};
use millstream_core::{Error, Registry};
use millstream_device_x11::{Options, register};
use millstream_testkit::{Xvfb, conformance};

use crate::watcher::{Watcher, plain};

fn refusal(options: Options) -> String {
    match Watcher::open(options) {
        Err(error) => error.to_string(),
        Ok(watcher) => panic!("{} is opened", watcher.screen.opened()),
    }
}

#[test]
fn its_options_conform() {
    let text = |text: &str| Value::Text(text.to_owned());
    let entry = |key: &str, value| Table::from([(key.to_owned(), value)]);
    let Some(server) = Xvfb::start((640, 480), &[]) else { return };
    let device = ("device".to_owned(), text(server.display()));
    let with_device = |mut table: Table| {
        table.extend([device.clone()]);
        table
    };
    let good = [
        Table::new(),
        entry("region", text("64x48+1+1")),
        entry("cursor", Value::Bool(false)),
        entry("fps", Value::Float(12.5)),
    ]
    .map(with_device);
    let bad = [
        ("device", Value::Integer(0)),
        ("region", text("64x48-1-1")),
        ("cursor", text("yes")),
        ("fps", Value::Integer(0)),
    ];
    conformance::options(&millstream_device_x11::descriptor(), &good, &bad);
    conformance::documentation(&millstream_device_x11::descriptor());
}

#[test]
fn no_server_no_such_monitor_and_no_such_region() {
    let words = refusal(plain(":4242"));
    assert!(words.contains("no X server answers at `:4242`") && words.contains("Xvfb :4242"), "{words}");
    let words = refusal(plain("somewhere:x"));
    assert!(words.contains("`somewhere:x` is no X display"), "{words}");

    let Some(server) = Xvfb::start((640, 480), &[]) else { return };
    let words = refusal(plain(&format!("{}.7", server.display())));
    assert!(words.contains("names a screen that the X server does not have"), "{words}");
    let region = Some("640x480+1+0".parse().unwrap());
    let words = refusal(Options { region, ..plain(server.display()) });
    assert!(words.contains("640x480+1+0 is not within the device, which is 640x480"), "{words}");
}

#[test]
fn a_server_that_does_not_know_us_says_how_to_be_let_in() {
    let cookies = std::env::temp_dir().join(format!("millstream-cookies-{}", std::process::id()));
    std::fs::write(&cookies, authority_of_somebody_else()).unwrap();
    let server = Xvfb::start((640, 480), &["-auth", cookies.to_str().expect("a path of letters")]);
    let Some(server) = server else { return };
    let words = refusal(plain(server.display()));
    std::fs::remove_file(cookies).unwrap();
    assert!(words.contains("refuses") && words.contains("XAUTHORITY") && words.contains("xhost"), "{words}");
}

/// An Xauthority file with one cookie, as its manual describes it: family, address, number, name, data,
/// each but the family behind its length.
fn authority_of_somebody_else() -> Vec<u8> {
    const WILD: u16 = 0xFFFF;
    let mut file = WILD.to_be_bytes().to_vec();
    for field in [&b""[..], b"", b"MIT-MAGIC-COOKIE-1", &[7; 16]] {
        file.extend((field.len() as u16).to_be_bytes());
        file.extend(field);
    }
    file
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let Some(server) = Xvfb::start((640, 480), &[]) else { return };
    server.signal("STOP");
    let words = refusal(plain(server.display()));
    assert!(words.contains("does not answer") || words.contains("has not answered"), "{words}");
}

#[test]
fn what_options_would_choose_is_what_they_open() {
    let Some(server) = Xvfb::start((640, 480), &[]) else { return };
    let mut registry = Registry::new();
    register(&mut registry);
    let devices = registry.devices().next().expect("there are screens");
    assert_eq!((devices.kind(), devices.stage()), (Kind::Screen, "screen"));
    let table = Table::from([
        ("device".to_owned(), Value::Text(server.display().to_owned())),
        ("region".to_owned(), Value::Text("320x240+1+2".to_owned())),
    ]);
    let choice = devices.choose(table).expect("good options").expect("a screen");
    assert_eq!(choice.device, server.display());
    assert_eq!(choice.mode.to_string(), "320x240 at 30, BGRX");
    assert!(choice.why.contains("320x240+1+2"), "{}", choice.why);
    let nowhere = Table::from([("device".to_owned(), Value::Text(":4242".to_owned()))]);
    let refused: Result<_, Error> = devices.choose(nowhere).expect("good options");
    assert!(refused.is_err());
}
