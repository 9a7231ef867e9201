//! A browser that is stopped among other viewers: it hurts nobody, is given up in time, and comes back.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, sleep_until, timeout};

use crate::chromium::{Viewer as Page, with_chromium};
use crate::native::{DEADLINE, Viewer, http};
use crate::processes;
use crate::show::{Show, turn};

/// A busy machine may take longer once.
const ATTEMPTS: u32 = 3;
/// Of a queue, in frames (`millstream-webrtc`, `queue.rs`).
const BOUND: usize = 64;

/// A picture that was shown in the browser.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Shown {
    /// When, in milliseconds since the Unix epoch.
    at: f64,
    /// How long after it was captured, in milliseconds.
    age: f64,
}

#[test]
fn a_browser_that_stops_hurts_nobody_and_comes_back() {
    let _turn = turn();
    with_chromium(async |chromium| {
        let show = Show::start();
        let browser = chromium.open(show.page.address()).await;
        browser.playing().await;
        browser.value::<bool>(include_str!("shown.js")).await;
        let processes = processes::family(&format!("millstream-chromium-{}", std::process::id()));
        assert!(processes.len() > 3, "all processes of Chromium: {processes:?}");
        let mut viewers = Vec::new();
        for _ in 0..4 {
            let viewer = Viewer::join(show.address).await.expect("a place");
            assert!(viewer.sees(|log| log.frames > 30).await, "it has a picture");
            viewers.push(viewer);
        }
        for attempt in 1..=ATTEMPTS {
            let (ratio, queued) = six_seconds(&show, &viewers, &processes).await;
            let back = picture(&browser, show.utc() * 1e3).await;
            eprintln!(
                "p99 of gaps {ratio:.2} times that of before, {queued} frames queued at most; a picture after {back:.0} ms"
            );
            assert!(queued <= BOUND, "{queued} frames in a queue");
            assert!(viewers.iter().all(|viewer| viewer.log(|log| (log.undecodable, &log.ended) == (0, &None))));
            if ratio <= 1.2 && back <= 1000.0 {
                break;
            }
            assert!(
                attempt < ATTEMPTS,
                "the p99 of gaps {ratio:.2} times that of before, a picture after {back:.0} ms"
            );
        }
        for attempt in 1..=ATTEMPTS {
            let gone = twenty_seconds(&show, &viewers, &processes).await;
            let back = picture(&browser, show.utc() * 1e3).await;
            eprintln!("given up after {gone:.1} s; it came back by itself {back:.0} ms after it went on");
            let all = async { while http::viewers(show.address).await != Ok(viewers.len() + 1) {} };
            timeout(DEADLINE, all).await.expect("the browser is one viewer, and there is no other");
            if gone <= 10.0 && back <= 10_000.0 {
                return;
            }
            assert!(attempt < ATTEMPTS, "given up after {gone:.1} s, back after {back:.0} ms");
        }
    });
}

/// Stops the browser for 6 s: by how much the others' 99th percentile of gaps grew, and how many frames waited
/// for any viewer at most. The browser has just been told to go on.
async fn six_seconds(show: &Show, viewers: &[Viewer], browser: &BTreeSet<u32>) -> (f64, usize) {
    let span = Duration::from_secs(6);
    let before = gaps(viewers, sleep_until(Instant::now() + span)).await;
    let mut queued = 0;
    processes::signal(browser, "STOP");
    let stopped = gaps(viewers, async {
        let end = Instant::now() + span;
        while Instant::now() < end {
            queued = queued.max(show.page.audience().longest_queue());
            sleep_until(Instant::now() + Duration::from_millis(5)).await;
        }
    });
    let stopped = stopped.await;
    processes::signal(browser, "CONT");
    eprintln!("gaps between frames, p99: {:.1} ms, then {:.1} ms with a browser stopped", before * 1e3, stopped * 1e3);
    (stopped / before, queued)
}

/// The 99th percentile of the times between two frames of each of `viewers` while `meanwhile` runs, in seconds.
async fn gaps(viewers: &[Viewer], meanwhile: impl Future<Output = ()>) -> f64 {
    viewers.iter().for_each(Viewer::keep);
    meanwhile.await;
    let mut gaps: Vec<f64> = Vec::new();
    for viewer in viewers {
        viewer.log(|log| gaps.extend(log.seen.windows(2).map(|pair| (pair[1].at - pair[0].at).as_secs_f64())));
    }
    gaps.sort_by(f64::total_cmp);
    gaps[gaps.len() * 99 / 100]
}

/// Stops the browser for 20 s: after how many of them the page counts it no more.
async fn twenty_seconds(show: &Show, viewers: &[Viewer], browser: &BTreeSet<u32>) -> f64 {
    let start = Instant::now();
    processes::signal(browser, "STOP");
    let gone = async {
        while http::viewers(show.address).await != Ok(viewers.len()) {
            sleep_until(Instant::now() + Duration::from_millis(50)).await;
        }
    };
    let gone = timeout(Duration::from_secs(20), gone).await.map(|()| start.elapsed());
    sleep_until(start + Duration::from_secs(20)).await;
    processes::signal(browser, "CONT");
    gone.expect("it is given up").as_secs_f64()
}

/// Milliseconds from `since` until the browser shows a picture that was captured after that.
async fn picture(browser: &Page, since: f64) -> f64 {
    let shown: Option<Shown> = browser.value(&format!("shown.after({since}, 20000)")).await;
    let shown = shown.unwrap_or_else(|| panic!("no picture comes back"));
    eprintln!("it is {:.0} ms old", shown.age);
    shown.at - since
}
