//! The ends of an audience are sinks like any other.

use millstream_core::{Clock, OPUS, VP8};
use millstream_testkit::{conformance, examples};
use millstream_webrtc::Audience;

#[test]
fn the_ends_of_an_audience_conform() {
    let audience = || Audience::new(Clock::manual().0);
    conformance::sink(|| audience().video_sink(VP8).expect("it is the first"), |number| examples::packets(VP8, number));
    conformance::sink(
        || audience().audio_sink(OPUS).expect("it is the first"),
        |number| examples::packets(OPUS, number),
    );
}
