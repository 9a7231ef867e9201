//! An offer through our own reading, and through the engine's.

#![no_main]

use libfuzzer_sys::fuzz_target;
use millstream_core::{Clock, OPUS, VP8};
use millstream_signaling::fuzz;
use millstream_webrtc::{Description, PeerOptions, TrackOptions};
use millstream_webrtc_rs::WebRtcRs;

thread_local! {
    static BACKEND: WebRtcRs = WebRtcRs::new();
}

fuzz_target!(
    init: millstream_fuzz::contain_the_crates_panics(),
    |data: &[u8]| {
        let Some(sdp) = fuzz::offer(data) else { return };
        BACKEND.with(|backend| {
            let engine = millstream_webrtc::Engine::new(backend.clone());
            let peer = engine.peer(PeerOptions::new(Clock::system())).expect("a peer opens");
            let add = |codec: millstream_core::Codec| {
                let id = codec.media.to_string();
                peer.add_track(TrackOptions { codec, stream: "fuzz".into(), id }).expect("a track is added")
            };
            let _tracks = [VP8, OPUS].map(add);
            if peer.set_remote_description(Description::offer(sdp)).wait().is_ok() {
                let _ = peer.set_local_description(None).wait();
            }
            let _ = peer.close().wait();
            // Whatever it was, nothing of it is left.
            while backend.tasks() > 0 {
                std::thread::yield_now();
            }
        });
    }
);
