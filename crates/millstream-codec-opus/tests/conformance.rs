//! `opus-encoder` does what an encoder of sound must.

use millstream_codec_opus::{Encoder, Options, descriptor};
use millstream_core::OPUS;
use millstream_core::options::{Table, Value};
use millstream_testkit::conformance;

#[test]
fn the_encoder_conforms() {
    for sound in [(48_000, 1), (48_000, 2), (16_000, 1)] {
        conformance::audio_encoder(OPUS, sound, || Encoder::new(Options::default()));
    }
}

#[test]
fn its_options_conform() {
    let text = |text: &str| Value::Text(text.to_owned());
    let entry = |key: &str, value| Table::from([(key.to_owned(), value)]);
    let good = [
        Table::new(),
        entry("bitrate", text("510 kbit/s")),
        entry("application", text("low-delay")),
        entry("complexity", Value::Integer(0)),
        entry("fec", Value::Bool(true)),
        entry("dtx", Value::Bool(true)),
        entry("frame", text("2.5 ms")),
        entry("expected-loss", text("100 %")),
    ];
    let bad = [
        ("bitrate", text("511 kbit/s")),
        ("application", text("music")),
        ("complexity", Value::Integer(11)),
        ("fec", text("yes")),
        ("dtx", Value::Integer(1)),
        ("frame", text("30 ms")),
        ("expected-loss", text("101 %")),
    ];
    conformance::options(&descriptor(), &good, &bad);
    conformance::documentation(&descriptor());
}
