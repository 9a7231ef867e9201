//! The flash and the beep in Chromium: how far apart they are seen and heard.
//!
//! Told by playout-delay 0/0 to show a picture at once, Chromium does not hold it back for the sound, which its
//! buffer holds for 33 ms on a calm machine and 70 ms on a busy one: the flash is then 44 or 75 to 97 ms ahead. With a
//! maximum of 100 ms it holds pictures for 35 ms, and the flash is 29 ms ahead (measured, Chromium 156, loopback).

use serde::Deserialize;

use crate::chromium::{Viewer, with_chromium};
use crate::show::{Show, turn};

/// So many pairs are enough for a median.
const PAIRS: usize = 12;
/// A busy machine may tear them apart for a while.
const ATTEMPTS: u32 = 5;

/// A flash and the beep that belongs to it.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Pair {
    /// When the flash was shown and the beep heard, in milliseconds of the page.
    seen: f64,
    heard: f64,
    /// How much later than the beep the picture with the flash was made.
    phase: f64,
}

/// What the browser says of itself, in milliseconds.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Buffers {
    /// How long its buffers hold each, on average.
    sound: f64,
    picture: f64,
    /// How much further behind the sound plays, where it knows.
    behind: Option<f64>,
}

impl Pair {
    /// How much later than the beep the flash is, in milliseconds.
    fn skew(self) -> f64 {
        self.seen - self.phase - self.heard
    }
}

#[test]
fn the_flash_and_the_beep_are_together() {
    let _turn = turn();
    with_chromium(async |chromium| {
        let show = Show::start();
        let page = chromium.open(show.page.address()).await;
        page.playing().await;
        page.value::<bool>(include_str!("skew.js")).await;
        for attempt in 1..=ATTEMPTS {
            // Made in the page itself, with neither network nor codec: what the measuring is wrong by.
            let own = median(&page, "own").await;
            let stream = median(&page, "stream").await;
            let skew = stream - own;
            eprintln!(
                "the flash is {skew:.0} ms behind the beep: {stream:.0} ms as measured, {own:.0} ms where they are in step"
            );
            let Buffers { sound, picture, behind } = page.value("skew.buffers()").await;
            eprintln!("its buffers hold sound for {sound:.0} ms, pictures for {picture:.0} ms");
            eprintln!("by its own account the sound plays {behind:?} ms behind the picture");
            if skew.abs() <= 60.0 {
                return;
            }
            assert!(attempt < ATTEMPTS, "the flash is {skew:.0} ms behind the beep");
        }
    });
}

/// The median skew of `what`, in milliseconds.
async fn median(page: &Viewer, what: &str) -> f64 {
    let pairs: Vec<Pair> = page.value(&format!("skew.{what}({PAIRS})")).await;
    assert!(pairs.len() >= PAIRS / 2, "{} pairs in {what}", pairs.len());
    let mut skews: Vec<f64> = pairs.iter().map(|pair| pair.skew()).collect();
    skews.sort_by(f64::total_cmp);
    eprintln!("{what}: {}", skews.iter().map(|skew| format!("{skew:.0}")).collect::<Vec<_>>().join(" "));
    skews[skews.len() / 2]
}
