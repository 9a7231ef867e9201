//! How soon somebody who joins has a picture: by a Pion viewer, and in Chromium.
//!
//! `script/bench join` runs it. A pipeline with a test picture of 640x360 and a beep runs as people run
//! it; one viewer at a time joins at a random moment, gets its first whole key frame, and leaves. Time
//! counts from the begin of the HTTP POST.

#![allow(clippy::disallowed_methods, reason = "a bench lives in real time")]

#[path = "../record/mod.rs"]
mod record;
#[path = "../rivals/mod.rs"]
mod rivals;

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::process::{Command, ExitCode};

use clap::Parser;
use serde_json::Value;

use crate::record::Record;
use crate::record::statistics::percentile;
use crate::rivals::chromium::Chromium;
use crate::rivals::process::Process;
use crate::rivals::{Result, at, programs};

/// How soon a joiner has its picture: a Pion viewer, and Chromium.
#[derive(Parser)]
#[command(name = "script/bench join")]
struct Options {
    /// Joins of the Pion viewer
    #[arg(long, default_value_t = 30)]
    joins: u32,
    /// Joins of Chromium
    #[arg(long, default_value_t = 20)]
    browser_joins: u32,
    /// Of the pauses before each join, which are random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Is the sender (what this starts itself)
    #[arg(long, hide = true)]
    sender: bool,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// The steps of a join that the Pion viewer tells, and their names as metrics; for a viewer that does not
/// decode, a whole key frame is a picture.
const STEPS: [(&str, &str); 5] = [
    ("answer", "answer_ms"),
    ("ice_connected", "ice_connected_ms"),
    ("dtls_done", "dtls_done_ms"),
    ("first_packet", "first_packet_ms"),
    ("key_frame", "picture_ms"),
];

fn main() -> ExitCode {
    let options = Options::parse();
    rivals::exit(if options.sender { send() } else { measure(&options) })
}

/// The demo at 640x360, as `millstream run` runs it, until standard input ends.
fn send() -> Result<()> {
    use millstream::pipeline::declare::Override;
    let text = include_str!("../../pipelines/demo.toml");
    let sets = ["video.width=640", "video.height=360", "page.bind=127.0.0.1:0"];
    let sets: Vec<Override> = sets.iter().map(|set| Override::parse(set).expect("a good override")).collect();
    let pipeline = millstream::load(text, "pipelines/demo.toml", &sets).map_err(|error| error.to_string())?;
    let address = pipeline.notices().iter().find(|(_, notice)| notice.starts_with("http"));
    let address = address.ok_or("the page does not say where it is")?.1.clone();
    let running = pipeline.spawn().map_err(at("the pipeline"))?;
    println!("{{\"url\":\"{address}whep\"}}");
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    running.stop();
    running.wait().map_err(at("the pipeline"))
}

fn measure(options: &Options) -> Result<()> {
    rivals::ended::on_interrupt();
    let pion = programs::pion()?;
    let chromium = Chromium::find()?;
    let mut record = Record::create("join").map_err(at("docs/measurements/join.csv"))?;
    let mut version = |what: &str, version: &str| record.version(what, version).map_err(at("the file"));
    version("pion", programs::pion_version())?;
    version("chromium", &chromium.version())?;
    version("seed", &options.seed.to_string())?;

    let mut myself = Command::new(std::env::current_exe().map_err(at("this program"))?);
    let mut sender = Process::start("the sender", myself.arg("--sender"))?;
    let url = sender.hear()?["url"].as_str().ok_or("the sender does not say where it is")?.to_owned();

    let mut command = Command::new(pion);
    command.args(["join", "-url", &url, "-count", &options.joins.to_string()]);
    command.args(["-seed", &options.seed.to_string()]);
    let mut viewer = Process::start("the Pion viewer", &mut command)?;
    let mut whole = Vec::new();
    for join in 1..=options.joins {
        let said = viewer.hear()?;
        for (step, metric) in STEPS {
            let value = millis(&said, step)?;
            record.row(join, "640x360", "pion_viewer", metric, value).map_err(at("the file"))?;
        }
        let value = millis(&said, "key_frame")?;
        eprintln!("Pion {join}/{}: whole key frame after {value:.1} ms", options.joins);
        whole.push(value);
    }
    drop(viewer);
    tell("Pion, POST to the last packet of the first whole key frame", &mut whole);

    let page = url.replace("/whep", "/status");
    let mut decoded = chromium.run(async |browser| {
        let mut decoded = Vec::new();
        for join in 1..=options.browser_joins {
            let tab = browser.open(&page).await?;
            let pause = pause((options.seed, join));
            let said: Value = tab.value(&format!("viewer.join('/whep', {pause})")).await?;
            let value = millis(&said, "decoded")?;
            for (step, metric) in [("answer", "answer_ms"), ("connected", "connected_ms"), ("decoded", "picture_ms")] {
                let value = millis(&said, step)?;
                record.row(join, "640x360", "chromium", metric, value).map_err(at("the file"))?;
            }
            eprintln!("Chromium {join}/{}: first decoded frame after {value:.1} ms", options.browser_joins);
            decoded.push(value);
            tab.close().await?;
        }
        Ok(decoded)
    })?;
    tell("Chromium, POST to the first decoded frame", &mut decoded);
    eprintln!("written to {}; script/bench tables makes the tables anew", record.path().display());
    Ok(())
}

/// From 500 to 1500 ms, at random but the same for the same `seed`.
fn pause(seed: (u64, u32)) -> u64 {
    500 + BuildHasherDefault::<DefaultHasher>::default().hash_one(seed) % 1000
}

fn millis(said: &Value, step: &str) -> Result<f64> {
    said[step].as_f64().ok_or_else(|| format!("no `{step}` in {said}"))
}

fn tell(what: &str, values: &mut [f64]) {
    values.sort_by(f64::total_cmp);
    if let (Some(_), Some(worst)) = (values.first(), values.last()) {
        let (half, most) = (percentile(values, 50.0), percentile(values, 95.0));
        println!("{what}: p50 {half:.1} ms, p95 {most:.1} ms, worst {worst:.1} ms of {}", values.len());
    }
}
