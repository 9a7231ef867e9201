//! The options of `microphone` and `speaker` do what options must. What they open is tested with a sound server.

use millstream_core::options::{Table, Value};
use millstream_device_cpal::{microphone, speaker};
use millstream_testkit::conformance;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn table(entries: &[(&str, Value)]) -> Table {
    entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

#[test]
fn the_options_of_a_microphone_conform() {
    let all = table(&[
        ("device", text("yeti")),
        ("channels", Value::Integer(2)),
        ("block", text("20 ms")),
        ("gain", text("-6 dB")),
        ("mute", Value::Bool(true)),
    ]);
    let bad = [
        ("device", Value::Integer(1)),
        ("channels", Value::Integer(0)),
        ("channels", Value::Integer(3)),
        ("block", text("15 ms")),
        ("gain", text("loud")),
        ("mute", text("yes")),
    ];
    conformance::options(&microphone::descriptor(), &[Table::new(), all], &bad);
    conformance::documentation(&microphone::descriptor());
}

#[test]
fn the_options_of_a_speaker_conform() {
    let all = table(&[
        ("device", text("headphones")),
        ("latency", text("100 ms")),
        ("gain", Value::Integer(-6)),
        ("mute", Value::Bool(false)),
    ]);
    let bad =
        [("latency", text("1 ms")), ("latency", text("3 s")), ("gain", text("loud")), ("mute", Value::Integer(2))];
    conformance::options(&speaker::descriptor(), &[Table::new(), all], &bad);
    conformance::documentation(&speaker::descriptor());
}
