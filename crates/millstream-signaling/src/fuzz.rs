//! What only the fuzz targets may call: built with `--cfg fuzzing` alone.

use axum::Router;
use millstream_core::{Clock, OPUS, VP8};
use millstream_webrtc::{Audience, AudienceSink, Engine};

use crate::http::access::{Access, Origins};
use crate::page::routes;
use crate::whep::{Endpoint, Fragment, Offer, Stream};

/// A page's routes without a port.
pub struct Site {
    /// What a connection would be served with.
    pub routes: Router,
    /// Without ends there would be nothing to see.
    _ends: [AudienceSink; 2],
}

impl Site {
    /// Shows VP8 and Opus to peers of `engine`, at `/`.
    ///
    /// # Panics
    /// Never: the audience is new.
    pub fn new(engine: &Engine) -> Site {
        let clock = Clock::system();
        let audience = Audience::new(clock.clone());
        let ends = [audience.video_sink(VP8), audience.audio_sink(OPUS)].map(|end| end.expect("nobody took it"));
        let endpoint = Endpoint::new(Stream {
            engine: engine.clone(),
            audience,
            clock,
            addresses: vec![std::net::Ipv4Addr::LOCALHOST.into()],
            ice_servers: Vec::new(),
            base: String::new(),
            max_viewers: 100,
        });
        // All requests are let in, so that they are read.
        let access = Access { token: None, origins: Origins::default(), local: false };
        Site { routes: routes::routes(endpoint, access), _ends: ends }
    }
}

/// Reads an offer as a session does; its text, if it is one.
pub fn offer(body: &[u8]) -> Option<String> {
    let offer = Offer::parse(body).ok()?;
    let _ = (offer.line_of("0"), offer.has_ufrag("abcd"));
    Some(offer.sdp)
}

/// Reads a fragment as a session does.
///
/// # Panics
/// If it holds more than a fragment may.
pub fn fragment(body: &[u8]) {
    if let Ok(fragment) = Fragment::parse(body) {
        assert!(fragment.candidates.len() <= 64, "{} candidates", fragment.candidates.len());
    }
}
