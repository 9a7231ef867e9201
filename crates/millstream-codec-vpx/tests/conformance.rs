//! `vp8-encoder` does what an encoder of pictures must.

use millstream_codec_vpx::{Encoder, Options, descriptor, version};
use millstream_core::VP8;
use millstream_core::options::{Table, Value};
use millstream_testkit::{conformance, skipped};

#[test]
fn the_encoder_conforms() {
    if let Err(missing) = version() {
        return skipped(&missing.to_string());
    }
    conformance::video_encoder(VP8, || Encoder::new(Options::default()).expect("libvpx is there"));
}

#[test]
fn its_options_conform() {
    let text = |text: &str| Value::Text(text.to_owned());
    let entry = |key: &str, value| Table::from([(key.to_owned(), value)]);
    let good = [
        Table::new(),
        entry("bitrate", text("1 kbit/s")),
        entry("threads", Value::Integer(64)),
        entry("cpu-used", Value::Integer(-16)),
        entry("key-frame-interval", text("2 s")),
        entry("min-quantizer", Value::Integer(0)),
        entry("max-quantizer", Value::Integer(63)),
    ];
    let bad = [
        ("bitrate", Value::Integer(1000)),
        ("threads", Value::Integer(65)),
        ("cpu-used", Value::Integer(17)),
        ("key-frame-interval", text("2")),
        // Above `max-quantizer` as it is if not given.
        ("min-quantizer", Value::Integer(60)),
        ("max-quantizer", Value::Integer(64)),
    ];
    conformance::options(&descriptor(), &good, &bad);
    conformance::documentation(&descriptor());
}
