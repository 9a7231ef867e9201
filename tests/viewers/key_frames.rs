//! Wishes for key frames, as RTCP on the wire: merged, throttled, and answered.

use std::time::Duration;

use millstream::core::{Clock, VP8};
use millstream::webrtc::{Description, Engine, PeerEvent, PeerOptions, TrackOptions};
use millstream::webrtc_rs::WebRtcRs;
use rtc::rtcp::payload_feedbacks::full_intra_request::{FirEntry, FullIntraRequest};
use rtc::rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use tokio::time::timeout;

use crate::native::{Answered, DEADLINE, Log, Viewer};
use crate::show::{Show, alone};

/// The clock of VP8 in RTP (RFC 7741, section 4.1).
const SECOND: u32 = 90_000;
/// A busy machine may take longer once.
const ATTEMPTS: u32 = 3;

#[test]
fn a_hundred_plis_in_a_second_make_two_key_frames_and_who_joins_in_the_midst_sees_at_once() {
    alone(async {
        let show = Show::start();
        let mut viewers = Vec::new();
        for _ in 0..10 {
            viewers.push(Viewer::join(show.address).await.expect("a place"));
        }
        for viewer in &viewers {
            assert!(viewer.sees(|log| log.frames > 0).await, "every viewer has a picture");
        }
        let watcher = &viewers[0];
        watcher.keep();
        for attempt in 1..=ATTEMPTS {
            let (sent, joined) = tokio::join!(flood(&viewers), join_in_the_midst(&show));
            eprintln!(
                "100 PLIs in {sent:.2} s; the joiner's first picture was captured {:.0} ms after it asked",
                joined * 1e3
            );
            let from = watcher.log(|log| log.frames);
            assert!(watcher.sees(|log| log.frames > from + 45).await, "the stream goes on");
            let most = watcher.log(most_in_a_second);
            assert!(most <= 2, "{most} key frames in a second");
            if sent <= 1.1 && joined <= 0.7 {
                let keys = watcher.log(|log| log.key_frames);
                eprintln!("at most {most} key frames in any second, {keys} in all");
                assert!(keys >= 3, "the wishes were heard");
                assert!(viewers.iter().all(|viewer| viewer.log(|log| log.undecodable) == 0));
                return;
            }
            assert!(attempt < ATTEMPTS, "100 PLIs took {sent:.2} s, the joiner's picture {joined:.3} s");
        }
    });
}

/// Ten PLIs of each of ten, a hundred in a second; how long it took.
async fn flood(viewers: &[Viewer]) -> f64 {
    let start = tokio::time::Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..10 {
        for viewer in viewers {
            tick.tick().await;
            viewer.pli();
        }
    }
    start.elapsed().as_secs_f64()
}

/// Joins after half a second: seconds from the POST to the capture of the first picture it gets.
async fn join_in_the_midst(show: &Show) -> f64 {
    let _ = timeout(Duration::from_millis(500), std::future::pending::<()>()).await;
    let asked = show.utc();
    let viewer = Viewer::join(show.address).await.expect("a place");
    viewer.keep();
    assert!(viewer.sees(|log| !log.seen.is_empty()).await, "it has a picture");
    let first = viewer.log(|log| log.seen[0]);
    assert!(first.key, "the first frame is one that a decoder can start from");
    first.captured.expect("pictures say when they were captured") - asked
}

#[test]
fn who_joins_right_behind_another_gets_the_frames_since_its_key_frame_and_then_all_others() {
    alone(async {
        let show = Show::start();
        let first = Viewer::join(show.address).await.expect("a place");
        first.keep();
        assert!(first.sees(|log| !log.seen.is_empty()).await, "it has a picture");
        for attempt in 1..=ATTEMPTS {
            // For this one a key frame is made.
            let ahead = Viewer::join(show.address).await.expect("a place");
            assert!(ahead.sees(|log| log.frames > 0).await, "it has a picture");
            let asked = show.utc();
            let joiner = Viewer::join(show.address).await.expect("a place");
            joiner.keep();
            assert!(joiner.sees(|log| log.seen.len() > 30).await, "it has pictures");
            let seen = joiner.log(|log| log.seen[..30].to_vec());
            assert!(seen[0].key, "the first frame is one that a decoder can start from");
            assert_eq!(joiner.log(|log| log.undecodable), 0);
            let captured = seen[0].captured.expect("pictures say when they were captured");
            eprintln!("its first picture was captured {:.0} ms before it asked", (asked - captured) * 1e3);
            if captured < asked {
                // None is missing among them, and none comes twice.
                let all = first.log(|log| log.seen.iter().map(|seen| seen.ticks).collect::<Vec<_>>());
                let ticks: Vec<u32> = seen.iter().map(|seen| seen.ticks).collect();
                let from = all.iter().position(|one| *one == ticks[0]).expect("the first viewer saw it too");
                assert_eq!(ticks, all[from..from + 30]);
                return;
            }
            assert!(attempt < ATTEMPTS, "a key frame was made for it; was it slower than half a second?");
        }
    });
}

/// The most key frames that were captured within any second.
fn most_in_a_second(log: &Log) -> usize {
    let keys: Vec<u32> = log.seen.iter().filter(|seen| seen.key).map(|seen| seen.ticks).collect();
    let within = |from: u32| keys.iter().filter(|ticks| ticks.wrapping_sub(from) < SECOND).count();
    keys.iter().map(|from| within(*from)).max().unwrap_or(0)
}

#[test]
fn a_fir_makes_a_key_frame() {
    alone(async {
        let show = Show::start();
        let viewer = Viewer::join(show.address).await.expect("a place");
        // The size of the first pictures is asked for once more by no one: it is quiet after 20 frames.
        assert!(viewer.sees(|log| log.frames > 20).await, "it has a picture");
        let (keys, frames) = viewer.log(|log| (log.key_frames, log.frames));
        assert!(viewer.sees(|log| log.frames > frames + 40).await, "the stream goes on");
        assert_eq!(viewer.log(|log| log.key_frames), keys, "no key frame comes by itself");
        viewer.rtcp(|ssrc| {
            let fir = vec![FirEntry { ssrc, sequence_number: 1 }];
            Box::new(FullIntraRequest { sender_ssrc: 1, media_ssrc: 0, fir })
        });
        assert!(viewer.sees(|log| log.key_frames > keys).await, "it was answered");
        viewer.leave().await.expect("it leaves");
    });
}

#[test]
fn what_a_viewer_can_take_is_told_to_whoever_listens() {
    alone(async {
        let engine = Engine::new(WebRtcRs::new());
        let peer = engine.peer(PeerOptions::new(Clock::system())).expect("a peer");
        let mut events = peer.take_events().expect("nobody took them");
        let track = TrackOptions { codec: VP8, stream: "show".into(), id: "video".into() };
        let _sender = peer.add_track(track).expect("a track");
        let nowhere = "127.0.0.1:9".parse().expect("an address");
        let viewer = Viewer::by(nowhere, None, async |offer| {
            let described = async {
                peer.set_remote_description(Description::offer(offer)).await?;
                peer.set_local_description(None).await?;
                peer.gathered().await
            };
            let sdp = described.await.map_err(|error| error.to_string())?.sdp;
            Ok(Answered { sdp, resource: String::new() })
        });
        let viewer = viewer.await.expect("they agree");
        assert!(viewer.sees(|log| log.connected).await, "it connects");
        let told = async {
            loop {
                if let PeerEvent::BitrateEstimate(rate) = events.next().await.expect("events go on") {
                    return rate.bps();
                }
            }
        };
        // What comes before the other side has its keys is lost: it is said again, as browsers do.
        let saying = async {
            let mut again = tokio::time::interval(Duration::from_millis(200));
            loop {
                again.tick().await;
                viewer.rtcp(|ssrc| {
                    Box::new(ReceiverEstimatedMaximumBitrate { sender_ssrc: 1, bitrate: 512_000.0, ssrcs: vec![ssrc] })
                });
            }
        };
        let told = async {
            tokio::select! {
                rate = told => rate,
                () = saying => unreachable!("it is said again and again"),
            }
        };
        assert_eq!(timeout(DEADLINE, told).await.expect("told in time"), 512_000);
    });
}
