//! From the capture of a picture to when it is shown in Chromium, for us and for rivals; and how much of
//! it is ours beyond the encoder's time.
//!
//! `script/bench latency` runs it. Every sender reads the same clip, 1280x720, and gives one 29.9
//! times a second with the moment of its capture burned in; the same viewer plays all of them in one Chromium on
//! the same machine, reads the strip of what is shown, and compares it with the clock. They take turns.

#![allow(clippy::disallowed_methods, reason = "a bench lives in real time")]

#[path = "../record/mod.rs"]
mod record;
#[path = "../rivals/mod.rs"]
mod rivals;

mod added;
mod clip;
mod ours;

use std::path::Path;
use std::process::{Command, ExitCode};

use clap::{Parser, ValueEnum};
use serde::Deserialize;
use serde_json::Value;

use crate::record::Record;
use crate::record::statistics::{median, percentile};
use crate::rivals::chromium::{Chromium, Tabs};
use crate::rivals::process::Process;
use crate::rivals::{Result, at, programs, rotated};

/// The bit rate of all encoders, in kbit/s: the most that aiortc goes to by itself.
const KBPS: u32 = 1500;
/// Chromium's buffer finds its size within this time.
const WARM_UP: u32 = 4;
const CASE: &str = "1280x720_30fps";

/// Capture to shown in Chromium, for Millstream and for rivals.
#[derive(Parser)]
#[command(name = "script/bench latency")]
struct Options {
    /// One round of 5 s, to see that it works
    #[arg(long)]
    quick: bool,
    /// Rounds in which each sender has its turn
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Seconds of a turn, after a warm-up
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Which senders
    #[arg(long, value_delimiter = ',', default_values = ["millstream", "gstreamer", "aiortc", "pion"])]
    subjects: Vec<Subject>,
    /// Leaves out what we add to the encoder's time
    #[arg(long)]
    no_added: bool,
    /// Is a sender of this clip (what this starts itself)
    #[arg(long, hide = true)]
    sender: Option<std::path::PathBuf>,
    /// As that sender, says of each frame what it took
    #[arg(long, hide = true)]
    notes: bool,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Subject {
    Millstream,
    Gstreamer,
    Aiortc,
    Pion,
}

fn main() -> ExitCode {
    let options = Options::parse();
    rivals::exit(match &options.sender {
        Some(clip) => ours::send(clip, options.notes),
        None => measure(&options),
    })
}

fn measure(options: &Options) -> Result<()> {
    rivals::ended::on_interrupt();
    let chromium = Chromium::find()?;
    let clip = clip::rendered()?;
    let mut record = Record::create("latency").map_err(at("docs/measurements/latency.csv"))?;
    let mut version = |what: &str, version: &str| record.version(what, version).map_err(at("the file"));
    version("chromium", &chromium.version())?;
    version("encoder", &format!("libvpx VP8, real time, cpu-used -6, 1 thread, CBR {KBPS} kbit/s"))?;
    let mut subjects = Vec::new();
    for subject in &options.subjects {
        let (name, command, known) = sender(*subject, &clip)?;
        version(name, &known)?;
        subjects.push((name, command));
    }

    let (rounds, seconds) = if options.quick { (1, 5) } else { (options.rounds, options.seconds) };
    let mut all = Vec::new();
    chromium.run(async |browser| {
        for round in 1..=rounds {
            for (name, command) in rotated(&mut subjects, round) {
                let turn = turn(&browser, name, command, seconds).await?;
                turn.write(&mut record, round, name).map_err(at("the file"))?;
                eprintln!(
                    "{round}/{rounds} {name}: p50 {:.1} ms, p95 {:.1} ms, {} pictures, sender {:.0} % of a core",
                    turn.shown(50.0),
                    turn.shown(95.0),
                    turn.told.shown.len(),
                    turn.core * 100.0
                );
                all.push((*name, turn));
            }
        }
        Ok(())
    })?;
    compare(&all);
    if !options.no_added {
        let (samples, pion) = (if options.quick { 150 } else { 900 }, programs::pion()?);
        added::measure(&mut record, ours::command(&clip)?.arg("--notes"), &pion, samples)?;
    }
    eprintln!("written to {}; script/bench tables makes the tables anew", record.path().display());
    Ok(())
}

/// How a subject is called, started, and which version it has.
fn sender(subject: Subject, clip: &Path) -> Result<(&'static str, Command, String)> {
    let rate = KBPS.to_string();
    Ok(match subject {
        Subject::Millstream => ("millstream", ours::command(clip)?, env!("CARGO_PKG_VERSION").to_owned()),
        Subject::Gstreamer => {
            let mut command = programs::gstreamer()?;
            command.arg(clip).arg(rate);
            ("gstreamer", command, programs::gstreamer_version())
        }
        Subject::Aiortc => {
            let mut command = programs::aiortc()?;
            command.arg(clip).arg(rate);
            ("aiortc", command, programs::AIORTC.to_owned())
        }
        Subject::Pion => {
            let mut command = Command::new(programs::pion_with_libvpx()?);
            command.args(["picture", "-kbps", &rate, "-clip"]).arg(clip);
            ("pion", command, format!("{}, playout-delay 0/0 written", programs::pion_version()))
        }
    })
}

/// What the viewer tells of a turn: of each picture, milliseconds from its capture (`viewer.js` says until
/// when), and Chromium's statistics.
#[derive(Deserialize)]
struct Told {
    shown: Vec<f64>,
    told: Vec<f64>,
    presented: Vec<f64>,
    stats: Value,
}

/// A subject's turn; all sorted.
struct Turn {
    told: Told,
    /// What the sender took of a core.
    core: f64,
    /// What was received, in kbit/s.
    kbps: f64,
}

fn stat(stats: &Value, key: &str) -> f64 {
    stats[key].as_f64().unwrap_or(0.0)
}

async fn turn(browser: &Tabs, name: &str, command: &mut Command, seconds: u32) -> Result<Turn> {
    let mut sender = Process::start(name, command)?;
    let said = sender.hear()?;
    let url = said["url"].as_str().ok_or(format!("{name} said {said} instead of where it is"))?;
    let tab = browser.open(&url.replace("/whep", "/status")).await?;
    let size: [u32; 2] = tab.value("viewer.play('/whep')").await?;
    let warm: Told = tab.value(&format!("viewer.latencies({WARM_UP})")).await?;
    let before = sender.used()?;
    let mut told: Told = tab.value(&format!("viewer.latencies({seconds})")).await?;
    let used = sender.used()?.since(&before, "");
    tab.close().await?;
    if size != [clip::WIDTH, clip::HEIGHT] {
        return Err(format!("{name} sends {}x{}", size[0], size[1]));
    }
    // A viewer that sees every second picture only, or cannot read them, has measured something else.
    let least = (seconds * clip::FPS * 3 / 4) as usize;
    if told.shown.len() < least {
        return Err(format!("{name}: {} pictures in {seconds} s are too few: {}", told.shown.len(), told.stats));
    }
    for values in [&mut told.shown, &mut told.told, &mut told.presented] {
        values.sort_by(f64::total_cmp);
    }
    let bytes = stat(&told.stats, "bytesReceived") - stat(&warm.stats, "bytesReceived");
    Ok(Turn { told, core: used / f64::from(seconds), kbps: bytes * 8e-3 / f64::from(seconds) })
}

impl Turn {
    /// Milliseconds from capture to shown, for this percent of the pictures.
    fn shown(&self, percent: f64) -> f64 {
        percentile(&self.told.shown, percent)
    }

    fn write(&self, record: &mut Record, round: u32, name: &str) -> std::io::Result<()> {
        let mut row = |metric, value| record.row(round, CASE, name, metric, value);
        let Told { told, presented, stats, .. } = &self.told;
        row("p50_ms", self.shown(50.0))?;
        row("p95_ms", self.shown(95.0))?;
        row("told_p50_ms", percentile(told, 50.0))?;
        row("told_p95_ms", percentile(told, 95.0))?;
        row("presented_p50_ms", percentile(presented, 50.0))?;
        row("presented_p95_ms", percentile(presented, 95.0))?;
        row("pictures", self.told.shown.len() as f64)?;
        row("sender_core_percent", self.core * 100.0)?;
        row("received_kbit_s", self.kbps)?;
        let mean_ms = |sum: &str, count: &str| stat(stats, sum) / stat(stats, count).max(1.0) * 1e3;
        row("jitter_buffer_ms", mean_ms("jitterBufferDelay", "jitterBufferEmittedCount"))?;
        row("decode_ms", mean_ms("totalDecodeTime", "framesDecoded"))
    }
}

/// Says how the first subject stands to each of the others, round by round.
fn compare(turns: &[(&str, Turn)]) {
    let Some((first, _)) = turns.first() else { return };
    let of = |name: &str, percent| -> Vec<f64> {
        turns.iter().filter(|(other, _)| *other == name).map(|(_, turn)| turn.shown(percent)).collect()
    };
    let ours = turns.iter().find(|(name, _)| *name == "millstream").map_or(*first, |(name, _)| *name);
    let mut others: Vec<&str> = turns.iter().map(|(name, _)| *name).filter(|name| *name != ours).collect();
    others.sort_unstable();
    others.dedup();
    for other in others {
        for percent in [50.0, 95.0] {
            let pairs: Vec<(f64, f64)> = of(ours, percent).into_iter().zip(of(other, percent)).collect();
            let differences: Vec<f64> = pairs.iter().map(|(one, two)| one - two).collect();
            let ratios: Vec<f64> = pairs.iter().map(|(one, two)| one / two).collect();
            if let (Some(difference), Some(ratio)) = (median(&differences), median(&ratios)) {
                println!(
                    "p{percent}: {ours} - {other} = {:.1} ms ({:.1} to {:.1}); {ours} / {other} = {:.2} ({:.2} to {:.2}), {:.0} % sure",
                    difference.median,
                    difference.low,
                    difference.high,
                    ratio.median,
                    ratio.low,
                    ratio.high,
                    ratio.sure * 100.0
                );
            }
        }
    }
}
