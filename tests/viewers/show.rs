//! The demo at 640x360, built so that a test may look behind it.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use millstream::core::{Clock, OPUS, VP8};
use millstream::signaling::page::{self, MaxViewers, Page};
use millstream::stages::{test_audio, test_audio::TestAudio, test_video, test_video::TestVideo};
use millstream::webrtc::Engine;
use millstream::webrtc_rs::WebRtcRs;
use millstream::{Pipeline, Running, opus, rtp, vpx};

/// A picture and a sound that are shown. Dropping it ends them.
pub(crate) struct Show {
    pub(crate) page: Page,
    pub(crate) backend: WebRtcRs,
    pub(crate) clock: Clock,
    /// Where the page is.
    pub(crate) address: SocketAddr,
    running: Option<Running>,
}

impl Show {
    /// Opens a page on a free port and plays.
    pub(crate) fn start() -> Show {
        let mut p = Pipeline::new("show");
        let backend = WebRtcRs::new();
        let bind = "127.0.0.1:0".to_owned().try_into().expect("an address");
        let max_viewers = MaxViewers::new(300).expect("in range");
        let options = page::Options { bind, max_viewers, ..Default::default() };
        let page = Page::open("page", options, &Engine::new(backend.clone()), p.clock(), &[VP8, OPUS]).expect("a page");

        let picture = test_video::Options {
            width: "640".parse().expect("pixels"),
            height: "360".parse().expect("pixels"),
            pattern: test_video::Pattern::Flash,
            ..Default::default()
        };
        let video = p.source("video", TestVideo::new(picture).expect("options"));
        let vp8 = p.stage("vp8", &video, vpx::Encoder::new(Default::default()).expect("libvpx"));
        let packets = p.inline("vp8-rtp", &vp8, rtp::vp8::Packetizer::new(Default::default()));
        p.inline_sink("page.video", &packets, page.video().expect("VP8 was asked for"));

        let sound = test_audio::Options { pattern: test_audio::Pattern::Beep, ..Default::default() };
        let audio = p.source("audio", TestAudio::new(sound).expect("options"));
        let opus = p.stage("opus", &audio, opus::Encoder::new(Default::default()));
        let packets = p.inline("opus-rtp", &opus, rtp::opus::Packetizer::new(Default::default()));
        p.inline_sink("page.audio", &packets, page.audio().expect("Opus was asked for"));

        let clock = p.clock().clone();
        let authority = page.address().trim_start_matches("http://").trim_end_matches('/').to_owned();
        let running = Some(p.spawn().expect("a good pipeline"));
        Show { page, backend, clock, address: authority.parse().expect("an address"), running }
    }

    /// Seconds since the Unix epoch.
    pub(crate) fn utc(&self) -> f64 {
        self.clock.utc(self.clock.now()).unix_nanos() as f64 / 1e9
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
            let ended = running.wait();
            if !std::thread::panicking() {
                ended.expect("it stops");
            }
        }
    }
}

/// One test at a time: they count threads and sockets, and measure gaps.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `test` on a small runtime, when it is its turn.
pub(crate) fn alone<F: Future<Output = ()>>(test: F) {
    let _turn = turn();
    runtime().block_on(test);
}

/// One thread for all viewers of a test.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
