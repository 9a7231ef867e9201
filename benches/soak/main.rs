//! What lasts longer than a test: the demo with viewers that come and go, for as long as one likes.
//!
//! `script/soak` runs it. The program under test is a process of its own, so that its memory is.

mod args;
mod crowd;
mod decoder;
#[path = "../../tests/viewers/native/mod.rs"]
mod native;
mod report;
mod rogue;
mod sample;
mod server;
mod steady;
mod tally;
mod verdict;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use args::Args;
use native::Viewer;
use report::Report;
use sample::{EVERY, Sampler};
use server::Server;
use tally::Tally;

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(soak(&args)) {
        Ok(report) => {
            let good = report.write(&args);
            println!("{}\nThe report is {}.", report.conclusion(), args.report().display());
            if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn soak(args: &Args) -> Result<Report, String> {
    let stop = Arc::new(Notify::new());
    let told = Arc::clone(&stop);
    // `notify_one` is kept until somebody asks.
    ctrlc::set_handler(move || told.notify_one()).map_err(|error| error.to_string())?;

    let server = Server::start()?;
    println!("soak: {} for {}, seed {}", server.address, args.length(), args.seed);
    let (tally, page) = (Tally::default(), server.address);
    let mut sampler = Sampler::new(&server, tally.clone());
    prime(page).await?;
    sampler.until_empty().await.ok_or("the first viewers do not leave")?;
    let empty = sampler.last();

    let mut audience = JoinSet::new();
    audience.spawn(steady::watch(page, tally.clone(), true));
    audience.spawn(steady::watch(page, tally.clone(), false));
    audience.spawn(crowd::come_and_go(page, tally.clone(), args.seed));
    audience.spawn(rogue::stall(page, tally.clone(), args.seed));
    audience.spawn(rogue::flood(page, tally.clone(), args.seed));

    let end = Instant::now() + args.duration();
    let mut next = Instant::now() + EVERY;
    let mut broken = None;
    loop {
        tokio::select! {
            () = sleep_until(next.min(end)) => {}
            () = stop.notified() => break,
        }
        // Even then there is something to report.
        if let Err(error) = sampler.take().await {
            broken = Some(error);
            break;
        }
        println!("{}", sampler.last().line());
        if Instant::now() >= end {
            break;
        }
        next += EVERY;
    }
    // Everybody vanishes at once; the server has to find out by itself.
    audience.shutdown().await;
    tally.let_go();
    let emptied = sampler.until_empty().await;
    println!("{}", sampler.last().line());
    let decoder_errors = tally.decoder_errors();
    let statistics = server.stop().unwrap_or_else(|error| {
        broken.get_or_insert(error);
        serde_json::Value::Null
    });
    Ok(Report::new(empty, sampler.rows, emptied, tally.counts(), decoder_errors, statistics, broken))
}

/// Has two viewers come and go: the engine starts its threads with the first peers, and keeps them.
async fn prime(page: SocketAddr) -> Result<(), String> {
    for _ in 0..2 {
        let viewer = Viewer::join(page).await?;
        if !viewer.sees(|log| log.frames > 0).await {
            return Err("the first viewer sees nothing".to_owned());
        }
        viewer.leave().await?;
    }
    Ok(())
}
