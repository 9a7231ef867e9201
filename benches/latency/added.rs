//! What we add: from capture to the arrival of a frame's last packet, minus the encoder's time.
//!
//! The packets are received on loopback by a Pion viewer, so the arrival is later than the moment the
//! kernel took them: an upper bound.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::record::Record;
use crate::record::statistics::percentile;
use crate::rivals::process::Process;
use crate::rivals::{Result, at};

use super::CASE;

/// The first seconds, in which a viewer joins and memory is touched for the first time, are not counted.
const WARM_UP: usize = 60;

/// Takes `samples` frames, and writes what each took longer than its encoder.
pub(crate) fn measure(record: &mut Record, command: &mut Command, pion: &Path, samples: usize) -> Result<()> {
    let mut sender = Process::start("millstream", command)?;
    let url = sender.hear()?["url"].as_str().ok_or("the sender does not say where it is")?.to_owned();
    let frames = samples + WARM_UP;
    let mut viewer = Command::new(pion);
    viewer.args(["watch", "-url", &url, "-frames", &frames.to_string()]);
    let mut viewer = Process::start("the Pion viewer", &mut viewer)?;
    let mut arrivals = Vec::new();
    for _ in 0..frames {
        let frame = viewer.hear()?;
        arrivals.push((whole(&frame, "rtp")?, whole(&frame, "arrived")?));
    }
    drop(viewer);
    // What was sent is told by now, and much before; the last one ends it.
    let last = arrivals.last().map(|(rtp, _)| *rtp);
    let mut sent = BTreeMap::new();
    loop {
        let frame = sender.hear()?;
        let rtp = whole(&frame, "rtp")?;
        sent.insert(rtp, (whole(&frame, "captured")?, whole(&frame, "encoder")?));
        if Some(rtp) == last {
            break;
        }
    }
    let mut added = Vec::new();
    let mut total = Vec::new();
    for (number, (rtp, arrived)) in arrivals.iter().enumerate().skip(WARM_UP) {
        let Some((captured, encoder)) = sent.get(rtp) else { continue };
        let whole = arrived.saturating_sub(*captured) as f64 / 1e6;
        let beyond = whole - *encoder as f64 / 1e6;
        let round = (number - WARM_UP + 1) as u32;
        let mut row =
            |metric, value| record.row(round, CASE, "millstream_added", metric, value).map_err(at("the file"));
        row("added_ms", beyond)?;
        row("encoder_ms", *encoder as f64 / 1e6)?;
        added.push(beyond);
        total.push(whole);
    }
    if added.len() < samples / 2 {
        return Err(format!("only {} of {samples} frames were found again", added.len()));
    }
    added.sort_by(f64::total_cmp);
    total.sort_by(f64::total_cmp);
    let of = |values: &[f64], percent| percentile(values, percent);
    println!(
        "capture to the last packet received: p50 {:.2} ms, p99 {:.2} ms; beyond the encoder: p50 {:.2} ms, p99 {:.2} ms, of {}",
        of(&total, 50.0),
        of(&total, 99.0),
        of(&added, 50.0),
        of(&added, 99.0),
        added.len()
    );
    Ok(())
}

fn whole(frame: &serde_json::Value, key: &str) -> Result<u64> {
    frame[key].as_u64().ok_or_else(|| format!("no `{key}` in {frame}"))
}
