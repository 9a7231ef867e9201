//! The options of `camera` are read, refused and described as those of every stage type.

use millstream_core::options::{Table, Value};
use millstream_device_nokhwa::descriptor;
use millstream_testkit::conformance;

#[test]
fn its_options_conform() {
    let text = |text: &str| Value::Text(text.to_owned());
    let entry = |key: &str, value| Table::from([(key.to_owned(), value)]);
    let between = Value::Table(Table::from([
        ("min".to_owned(), Value::Integer(640)),
        ("ideal".to_owned(), Value::Integer(1280)),
        ("max".to_owned(), Value::Integer(1920)),
    ]));
    let good = [
        Table::new(),
        entry("device", text("/dev/video0")),
        entry("width", Value::Integer(640)),
        entry("height", between),
        entry("fps", text("30000/1001")),
        entry("format", text("mjpeg")),
        entry("rotate", Value::Integer(270)),
        entry("mirror", Value::Bool(true)),
        entry("through", text("nokhwa")),
    ];
    let bad = [
        ("device", Value::Integer(0)),
        ("width", Value::Integer(0)),
        ("height", text("tall")),
        ("fps", Value::Integer(1001)),
        ("format", text("h264")),
        ("rotate", Value::Integer(45)),
        ("mirror", text("yes")),
        ("through", text("gstreamer")),
    ];
    conformance::options(&descriptor(), &good, &bad);
    conformance::documentation(&descriptor());
}
