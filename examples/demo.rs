//! The demo in typed Rust: a test picture with a flash, a beep in step with it, for any browser.
//!
//! Run with `cargo run --example demo` (another port: `-- 127.0.0.1:9000`), open the printed address,
//! and stop it with Ctrl-C.

use millstream::core::{Error, OPUS, Result, VP8};
use millstream::signaling::page::{self, Page};
use millstream::stages::{test_audio, test_audio::TestAudio, test_video, test_video::TestVideo};
use millstream::{Pipeline, opus, rtp, vpx, webrtc_rs};

fn main() -> Result<()> {
    let mut p = Pipeline::new("demo");
    let bind = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".to_owned());
    let options = page::Options { bind: bind.try_into().map_err(Error::config)?, ..Default::default() };
    let page = Page::open("page", options, &webrtc_rs::engine(), p.clock(), &[VP8, OPUS])?;

    let picture = test_video::Options { pattern: test_video::Pattern::Flash, ..Default::default() };
    let video = p.source("video", TestVideo::new(picture)?);
    let vp8 = p.stage("vp8", &video, vpx::Encoder::new(Default::default())?);
    let packets = p.inline("vp8-rtp", &vp8, rtp::vp8::Packetizer::new(Default::default()));
    p.inline_sink("page.video", &packets, page.video().expect("VP8 was asked for"));

    let sound = test_audio::Options { pattern: test_audio::Pattern::Beep, ..Default::default() };
    let audio = p.source("audio", TestAudio::new(sound)?);
    let opus = p.stage("opus", &audio, opus::Encoder::new(Default::default()));
    let packets = p.inline("opus-rtp", &opus, rtp::opus::Packetizer::new(Default::default()));
    p.inline_sink("page.audio", &packets, page.audio().expect("Opus was asked for"));

    println!("{}", page.address());
    p.spawn()?.wait()
}
