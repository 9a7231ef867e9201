//! The engine is one like any other.

use millstream_core::Clock;
use millstream_testkit::conformance::{self, EngineUnderTest};
use millstream_webrtc::PeerOptions;

#[test]
fn the_engine_conforms() {
    conformance::engine(|| EngineUnderTest::new(crate::engine(), PeerOptions::new(Clock::system())));
}
