//! Both packetizers do what a packetizer must.

use millstream_core::options::{Table, Value};
use millstream_core::{OPUS, VP8};
use millstream_rtp::{opus, vp8};
use millstream_testkit::{conformance, examples};

#[test]
fn the_packetizer_of_vp8_conforms() {
    for most in [100, 1200] {
        let options = || vp8::Options { max_payload: vp8::MaxPayload::new(most).expect("in range"), seed: None };
        let make = || vp8::Packetizer::new(options());
        conformance::packetizer(VP8, most.into(), make, |size| examples::frame(VP8, size, 0));
    }
}

#[test]
fn the_packetizer_of_opus_conforms() {
    // The longest packet of one frame: RFC 6716, section 3.2.1.
    const LONGEST: usize = 1275;
    let make = || opus::Packetizer::new(opus::Options::default());
    conformance::packetizer(OPUS, LONGEST, make, |size| examples::frame(OPUS, size.min(LONGEST), 0));
}

#[test]
fn their_options_conform() {
    let text = |text: &str| Value::Text(text.to_owned());
    let entry = |key: &str, value| Table::from([(key.to_owned(), value)]);
    let seed = || entry("seed", Value::Integer(7));
    let no_seed = || ("seed", Value::Integer(-1));
    let sizes = [Table::new(), entry("max-payload", text("100 B")), seed()];
    conformance::options(&vp8::descriptor(), &sizes, &[("max-payload", text("99 B")), no_seed()]);
    conformance::options(&opus::descriptor(), &[Table::new(), seed()], &[no_seed()]);
    conformance::documentation(&vp8::descriptor());
    conformance::documentation(&opus::descriptor());
}
