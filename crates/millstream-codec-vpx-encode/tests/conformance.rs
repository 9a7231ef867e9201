//! `vp8-vpx-encode` does what an encoder of pictures must, and says what it cannot.

use millstream_codec_vpx_encode::{Encoder, Options, descriptor};
use millstream_core::options::{Table, Value};
use millstream_core::units::Bitrate;
use millstream_core::{Control, Cx, Timestamp, VP8};
use millstream_testkit::conformance;

#[test]
fn the_encoder_conforms() {
    conformance::video_encoder(VP8, || Encoder::new(Options { bitrate: Some(Bitrate::from_kbps(500)) }));
}

#[test]
fn a_bit_rate_it_cannot_follow_goes_on_upstream() {
    use millstream_core::Stage;
    let wish = Control::Bitrate(Some(Bitrate::from_kbps(100)));
    assert_eq!(Encoder::new(Options::default()).control(wish, &mut Cx::at(Timestamp::ZERO)), Some(wish));
}

#[test]
fn its_options_conform() {
    let entry = |value| Table::from([("bitrate".to_owned(), value)]);
    let good = [Table::new(), entry(Value::Text("1 kbit/s".to_owned()))];
    conformance::options(&descriptor(), &good, &[("bitrate", Value::Integer(1000))]);
    conformance::documentation(&descriptor());
}
