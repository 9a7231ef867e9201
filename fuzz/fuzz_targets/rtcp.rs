//! RTCP that comes in: through the `rtc` crate's reading, and our interceptor.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use millstream_core::{Clock, OPUS, VP8};
use millstream_testkit::engine::FakeEngine;
use millstream_webrtc::{Peer, PeerOptions, Sender, TrackOptions};
use millstream_webrtc_rs::fuzz::Rtcp;

/// The interceptor, and the peer whose tracks it reports to.
struct Reported {
    rtcp: Rtcp,
    _peer: (Peer, Vec<Sender>),
}

thread_local! {
    static REPORTED: RefCell<Reported> = RefCell::new(reported());
}

fn reported() -> Reported {
    let fake = FakeEngine::new();
    let peer = fake.engine().peer(PeerOptions::new(Clock::system())).expect("it opens");
    let add = |codec| peer.add_track(TrackOptions { codec, stream: "fuzz".into(), id: "fuzz".into() });
    let senders = [VP8, OPUS].map(|codec| add(codec).expect("it can send").1).into_iter().collect();
    let rtcp = Rtcp::new(fake.feedback(0, 0), fake.feedback(0, 1));
    Reported { rtcp, _peer: (peer, senders) }
}

fuzz_target!(|data: &[u8]| REPORTED.with_borrow_mut(|reported| reported.rtcp.read(data)));
