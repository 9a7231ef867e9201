//! What a sent packet and a viewer cost: beside a bare loop over the `webrtc` crate, and beside Pion.
//!
//! `script/bench fanout` runs it. All senders run throughout, each with its viewers connected, and take
//! turns: one sends for a while, the others wait. So a drift of the machine hits all of them alike.
//! Every sender gives each of its viewers the same packets: five of 1170 bytes of payload per frame, 30
//! frames a second. The receivers, in a process of their own, count what arrives.

#![allow(clippy::disallowed_methods, reason = "a bench lives in real time")]

#[path = "../record/mod.rs"]
mod record;
#[path = "../rivals/mod.rs"]
mod rivals;

mod bare;
mod encoder;
mod ours;

use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::record::Record;
use crate::rivals::process::Process;
use crate::rivals::{Result, at, programs, rotated};

/// Packets in a frame, and the bytes of payload in each.
const PACKETS: u64 = 5;
const PAYLOAD: usize = 1170;
const FRAMES_PER_SECOND: u32 = 30;
/// What was sent last arrives, and is counted, within this time.
const DRAIN: Duration = Duration::from_millis(150);
/// Fewer than this share received, and the receiver was the bottleneck: then nothing is worth reading.
const ENOUGH: f64 = 0.995;

/// What a sent packet and a viewer cost, beside a bare loop over the `webrtc` crate and beside Pion.
#[derive(Parser)]
#[command(name = "script/bench fanout")]
struct Options {
    /// Three pairs of one second, to see that it works
    #[arg(long)]
    quick: bool,
    /// Rounds for each number of viewers
    #[arg(long, default_value_t = 15)]
    pairs: u32,
    /// Seconds that a sender sends in a round
    #[arg(long, default_value_t = 2.0)]
    window: f64,
    /// Numbers of viewers, in growing order
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 50, 100])]
    viewers: Vec<u64>,
    /// Which senders
    #[arg(long, value_delimiter = ',', default_values = ["millstream", "webrtc-bare", "pion"])]
    subjects: Vec<Subject>,
    /// Leaves out what the encoder costs
    #[arg(long)]
    no_encoder: bool,
    /// Is one of the senders (what this starts itself)
    #[arg(long, hide = true)]
    sender: Option<Sender>,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Subject {
    Millstream,
    WebrtcBare,
    Pion,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Sender {
    Millstream,
    Encoding,
    WebrtcBare,
}

fn main() -> ExitCode {
    let options = Options::parse();
    rivals::exit(match options.sender {
        Some(Sender::Millstream) => ours::send(),
        Some(Sender::Encoding) => encoder::send(),
        Some(Sender::WebrtcBare) => bare::send(),
        None => measure(&options),
    })
}

/// A sender that runs, and what it has.
struct Running {
    name: &'static str,
    process: Process,
    url: String,
    /// Its memory before anybody joined, in KiB.
    empty: u64,
}

impl Running {
    fn start(name: &'static str, command: &mut Command) -> Result<Running> {
        let mut process = Process::start(name, command)?;
        let url = process.hear()?["url"].as_str().ok_or(format!("{name} does not say where it is"))?.to_owned();
        // What it allocates on its way to the first frame is not a viewer's.
        process.tell("go")?;
        sleep(Duration::from_millis(500));
        process.tell("stop")?;
        sleep(DRAIN);
        let empty = process.memory()?;
        Ok(Running { name, process, url, empty })
    }
}

/// This program as one of its senders.
fn myself(sender: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().map_err(at("this program"))?);
    command.args(["--sender", sender]);
    Ok(command)
}

fn measure(options: &Options) -> Result<()> {
    rivals::ended::on_interrupt();
    let pion = programs::pion()?;
    let mut record = Record::create("fanout").map_err(at("docs/measurements/fanout.csv"))?;
    let mut version = |what: &str, version: &str| record.version(what, version).map_err(at("the file"));
    version("webrtc", &rivals::crate_version("webrtc"))?;
    version("pion", programs::pion_version())?;
    version("receiver", "Pion, all viewers in one process; SRTP_AES128_CM_HMAC_SHA1_80")?;

    let mut receiver = Process::start("the receiver", Command::new(&pion).arg("receive"))?;
    let mut senders = Vec::new();
    for subject in &options.subjects {
        senders.push(match subject {
            Subject::Millstream => Running::start("millstream", &mut myself("millstream")?)?,
            Subject::WebrtcBare => Running::start("webrtc_bare", &mut myself("webrtc-bare")?)?,
            Subject::Pion => Running::start("pion", Command::new(&pion).arg("send"))?,
        });
    }
    let (pairs, window) = if options.quick { (3, 1.0) } else { (options.pairs, options.window) };
    for viewers in &options.viewers {
        for sender in &senders {
            let joined = receiver.ask(&format!("join {} {viewers}", sender.url), "viewers")?;
            eprintln!("{}: {joined} viewers", sender.name);
        }
        let case = if *viewers == 1 { "1_viewer".to_owned() } else { format!("{viewers}_viewers") };
        // The round 0 warms up.
        for round in 0..=pairs {
            for sender in rotated(&mut senders, round) {
                let cost = turn(sender, &mut receiver, *viewers, Duration::from_secs_f64(window))?;
                if round > 0 {
                    cost.write(&mut record, round, &case, sender.name).map_err(at("the file"))?;
                }
                eprintln!(
                    "{case} {round}/{pairs} {}: {:.1} µs a packet, {:.4} of sent received",
                    sender.name, cost.per_packet, cost.received
                );
                if round > 0 && cost.received < ENOUGH {
                    return Err(format!(
                        "{} of {} was received, so its cost per packet says nothing; run it on a quieter machine",
                        cost.received, sender.name
                    ));
                }
            }
        }
        for sender in &senders {
            let grown = sender.process.memory()?.saturating_sub(sender.empty) as f64 / 1024.0;
            let mut row = |metric, value| record.row(1, &case, sender.name, metric, value).map_err(at("the file"));
            row("memory_grown_MiB", grown)?;
            row("memory_per_viewer_MiB", grown / *viewers as f64)?;
            eprintln!("{case} {}: {:.2} MiB a viewer", sender.name, grown / *viewers as f64);
        }
    }
    drop(senders);
    if !options.no_encoder {
        encoder::measure(&mut record, &mut receiver, pairs, Duration::from_secs_f64(window))?;
    }
    eprintln!("written to {}; script/bench tables makes the tables anew", record.path().display());
    Ok(())
}

/// What a turn of a sender has cost.
struct Cost {
    /// Microseconds of processor time for each packet that arrived.
    per_packet: f64,
    /// Per mille of a core for each viewer.
    per_viewer: f64,
    received: f64,
}

/// `sender` sends for `window`, and what it has sent arrives.
fn turn(sender: &mut Running, receiver: &mut Process, viewers: u64, window: Duration) -> Result<Cost> {
    let counted = format!("count {}", sender.url);
    let (frames, packets) = (sender.process.ask("count", "frames")?, receiver.ask(&counted, "packets")?);
    let before = sender.process.used()?;
    sender.process.tell("go")?;
    sleep(window);
    sender.process.tell("stop")?;
    sleep(DRAIN);
    let used = sender.process.used()?.since(&before, "");
    let frames = sender.process.ask("count", "frames")? - frames;
    let packets = receiver.ask(&counted, "packets")? - packets;
    if packets == 0 {
        return Err(format!("nothing of {} was received", sender.name));
    }
    let seconds = frames as f64 / f64::from(FRAMES_PER_SECOND);
    Ok(Cost {
        per_packet: used * 1e6 / packets as f64,
        per_viewer: used * 1e3 / seconds / viewers as f64,
        received: packets as f64 / (frames * PACKETS * viewers) as f64,
    })
}

impl Cost {
    fn write(&self, record: &mut Record, round: u32, case: &str, subject: &str) -> std::io::Result<()> {
        record.row(round, case, subject, "cpu_us_per_packet", self.per_packet)?;
        record.row(round, case, subject, "core_per_mille_per_viewer", self.per_viewer)?;
        record.row(round, case, subject, "received_share", self.received)
    }
}
