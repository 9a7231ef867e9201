//! GStreamer's `whepsrc` as a player: `whepsrc URL OFFER WANT`, kinds by comma. It decodes and counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use gst::prelude::*;

const ENOUGH: u32 = 50;
const PATIENCE: Duration = Duration::from_secs(15);
const VIDEO: &str = "application/x-rtp,media=video,encoding-name=VP8,payload=101,clock-rate=90000";
const AUDIO: &str = "application/x-rtp,media=audio,encoding-name=OPUS,payload=96,clock-rate=48000,encoding-params=(string)2";

#[derive(Default)]
struct Got {
    video: AtomicU32,
    audio: AtomicU32,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("whepsrc URL OFFER WANT");
    let (url, offer, want) = (next()?, next()?, next()?);
    gst::init()?;
    gstwebrtchttp::plugin_register_static()?;
    let got = Arc::new(Got::default());
    let source = gst::ElementFactory::make("whepsrc").property("whep-endpoint", &url).build()?;
    for (kind, property, caps) in [("video", "video-caps", VIDEO), ("audio", "audio-caps", AUDIO)] {
        let caps = if offer.contains(kind) { caps.parse()? } else { gst::Caps::new_empty() };
        source.set_property(property, caps);
    }
    let bin = source.downcast_ref::<gst::Bin>().ok_or("whepsrc is a bin")?;
    let inside = bin.iterate_recurse().into_iter().flatten();
    let mut agents = Vec::new();
    for peer in inside.filter(|element| element.has_property("ice-agent")) {
        // By itself libnice leaves loopback out, where the pages of this are.
        let agent: gst::glib::Object = peer.property("ice-agent");
        agent.emit_by_name::<bool>("add-local-ip-address", &[&"127.0.0.1"]);
        agents.push(agent);
    }
    let pipeline = gst::Pipeline::new();
    pipeline.add(&source)?;
    let (to, counts) = (pipeline.downgrade(), Arc::clone(&got));
    source.connect_pad_added(move |_, pad| {
        if let Some(pipeline) = to.upgrade()
            && let Err(error) = decode(&pipeline, pad, &counts)
        {
            eprintln!("a pad is left alone: {error}");
        }
    });
    pipeline.set_state(gst::State::Playing)?;
    let bus = pipeline.bus().ok_or("a pipeline has a bus")?;
    let count = |kind: &str| if kind == "video" { &got.video } else { &got.audio }.load(Ordering::Relaxed);
    let start = Instant::now();
    let mut over = PATIENCE;
    while start.elapsed() < over {
        let step = gst::ClockTime::from_mseconds(100);
        if let Some(message) = bus.timed_pop_filtered(step, &[gst::MessageType::Error])
            && let gst::MessageView::Error(error) = message.view()
        {
            let words = format!("{}: {}", error.error(), error.debug().unwrap_or_default());
            let status = words.split("response: ").nth(1).and_then(|rest| rest.get(..3));
            match status {
                Some(status) => println!("{{\"refused\": {status}, \"words\": {words:?}}}"),
                None => println!("{{\"error\": {words:?}}}"),
            }
            return Ok(());
        }
        let enough = want.split(',').filter(|kind| !kind.is_empty()).all(|kind| count(kind) >= ENOUGH);
        if over == PATIENCE && !want.is_empty() && enough {
            // For what comes though nobody asked for it.
            over = start.elapsed() + Duration::from_secs(1);
        }
    }
    println!("{{\"video\": {}, \"audio\": {}}}", count("video"), count("audio"));
    pipeline.set_state(gst::State::Null)?;
    Ok(())
}

/// Decodes what comes out of `pad`, and counts it.
fn decode(pipeline: &gst::Pipeline, pad: &gst::Pad, got: &Arc<Got>) -> Result<(), Box<dyn std::error::Error>> {
    // It stands for a pad of webrtcbin, which knows already what comes.
    let inner = || pad.downcast_ref::<gst::GhostPad>()?.target()?.current_caps();
    let caps = pad.current_caps().or_else(inner).unwrap_or_else(|| pad.query_caps(None));
    let video = format!("{caps}").contains("media=(string)video");
    let chain = if video { "rtpvp8depay ! vp8dec" } else { "rtpopusdepay ! opusdec" };
    let chain = gst::parse::bin_from_description(&format!("{chain} ! fakesink name=end sync=false"), true)?;
    let end = chain.by_name("end").and_then(|end| end.static_pad("sink")).ok_or("the chain has an end")?;
    let got = Arc::clone(got);
    end.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        if video { &got.video } else { &got.audio }.fetch_add(1, Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    pipeline.add(&chain)?;
    chain.sync_state_with_parent()?;
    pad.link(&chain.static_pad("sink").ok_or("the chain has a pad")?)?;
    Ok(())
}
