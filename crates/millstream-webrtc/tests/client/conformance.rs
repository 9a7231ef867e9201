//! The ends of an audience and the sinks of tracks are sinks like any other; the engines for tests are engines like
//! any other.

use millstream_core::{Clock, OPUS, VP8};
use millstream_testkit::conformance::EngineUnderTest;
use millstream_testkit::engine::{FakeEngine, SansIoEngine};
use millstream_testkit::{Conditions, EmulatedNetwork, conformance, examples};
use millstream_webrtc::{Audience, PeerOptions};

use crate::fixture::{peer, track};

#[test]
fn the_ends_of_an_audience_conform() {
    let audience = || Audience::new(Clock::manual().0);
    conformance::sink(|| audience().video_sink(VP8).expect("it is the first"), |number| examples::packets(VP8, number));
    conformance::sink(
        || audience().audio_sink(OPUS).expect("it is the first"),
        |number| examples::packets(OPUS, number),
    );
}

#[test]
fn the_sink_of_a_track_conforms() {
    for codec in [VP8, OPUS] {
        let alive = || {
            let (fake, peer) = peer();
            let (sink, sender) = peer.add_track(track(codec.clone())).expect("one of the codecs");
            fake.connect(0);
            // For as long as the suite needs the sink.
            std::mem::forget((peer, sender));
            sink
        };
        conformance::sink(alive, |number| examples::packets(codec.clone(), number));
    }
}

#[test]
fn the_engines_for_tests_conform() {
    conformance::engine(|| {
        let options = PeerOptions::new(Clock::manual().0);
        EngineUnderTest::new(FakeEngine::new().engine(), options).without_transport()
    });
    conformance::engine(|| {
        let (clock, hand) = Clock::manual();
        let network = EmulatedNetwork::new(clock.clone(), 1, Conditions::default());
        let options = PeerOptions::new(clock).network(network.network());
        EngineUnderTest::new(SansIoEngine::new().engine(), options).in_virtual_time(hand, Box::new(network.driver()))
    });
}
