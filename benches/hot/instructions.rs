//! Instructions of the hot functions, counted by valgrind: unlike times they do not drift.
//!
//! Each program runs twice, the second time with more iterations; the difference is what an iteration takes,
//! whatever the start of the process takes.

use std::hint::black_box;
use std::io;
use std::process::Command;

use millstream::core::{AudioFrame, Buffer, Cx, Next, PixelFormat, Result, Role, Timestamp, Utc, VideoFrame};
use millstream::{Link, Pipeline, vpx};
use millstream_pixels::Converter;

use crate::bare::{self, Bare};
use crate::encode::{encoded, vpx_encoder};
use crate::fanout::Hall;
use crate::packetize::{frame, packetizer, packets};
use crate::pictures::pictures;
use crate::pipeline;
use crate::record::Record;
use crate::record::rows::Measurements;

/// Case and subject, and how many iterations the shorter and the longer run have.
const PROGRAMS: [(&str, &str, [u64; 2]); 9] = [
    ("packetize_5_kB", "millstream", [1000, 2000]),
    ("packetize_50_kB", "millstream", [1000, 2000]),
    ("encode_a_720p_picture", "bare_loop_in_C", [4, MOST]),
    ("encode_a_720p_picture", "millstream", [4, MOST]),
    ("encode_a_720p_picture", "whole_pipeline_to_packets", [4, MOST]),
    ("convert_a_720p_picture_to_I420", "millstream", [4, 8]),
    ("a_frame_to_100_viewers_queues", "millstream", [200, 400]),
    ("an_item_over_a_link", "millstream", [1000, 2000]),
    ("an_item_into_an_inline_stage", "millstream", [1000, 2000]),
];

/// The most pictures that are encoded: under valgrind one takes a third of a second.
const MOST: u64 = 12;

/// The metric of all rows.
const METRIC: &str = "instructions";

/// Counts, and says what has changed since the baseline; with `accept` the counts become the baseline.
pub(crate) fn compare(accept: bool) -> io::Result<()> {
    let path = crate::record::repository().join("docs/measurements/instructions.csv");
    let baseline = Measurements::read(&path).unwrap_or_default();
    let mut counts = Vec::new();
    println!("{:48} {:>14} {:>14} {:>9}", "instructions of", "baseline", "now", "change");
    for (case, subject, [few, many]) in PROGRAMS {
        let [few, many] = [(few, count(case, subject, few)?), (many, count(case, subject, many)?)];
        let now = (many.1 - few.1) / (many.0 - few.0) as f64;
        let before = baseline.values(case, subject, METRIC).first().map(|(_, value)| *value);
        let (shown, change) = match before {
            Some(before) => (format!("{before:.0}"), format!("{:+.2} %", (now / before - 1.0) * 100.0)),
            None => ("none".into(), String::new()),
        };
        println!("{:48} {shown:>14} {now:>14.0} {change:>9}", format!("{case}: {subject}").replace('_', " "));
        counts.push((case, subject, now));
    }
    if !accept {
        println!("script/bench instructions --accept makes this the baseline");
        return Ok(());
    }
    let mut record = Record::create("instructions")?;
    record.version("valgrind", &said("valgrind", &["--version"])?)?;
    record.version("libvpx", &vpx::version().map_err(io::Error::other)?)?;
    for (case, subject, now) in counts {
        record.row(1, case, subject, METRIC, now)?;
    }
    println!("{} is the baseline", record.path().display());
    Ok(())
}

/// All instructions of a process that runs a program.
fn count(case: &str, subject: &str, iterations: u64) -> io::Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["count", &format!("{case}/{subject}"), &iterations.to_string()])
        .output()?;
    let words = String::from_utf8_lossy(&output.stderr);
    let sum = words.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    sum.filter(|_| output.status.success()).ok_or_else(|| io::Error::other(format!("{case}: valgrind says:\n{words}")))
}

fn said(command: &str, args: &[&str]) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&Command::new(command).args(args).output()?.stdout).trim().to_string())
}

/// The program that valgrind counts.
pub(crate) fn run(program: &str, iterations: u64) {
    let times = 0..iterations;
    // All of them are rendered in each run, so that rendering is in no difference.
    let some = |count: u64| pictures(MOST as usize)[..count as usize].to_vec();
    match program {
        "packetize_5_kB/millstream" | "packetize_50_kB/millstream" => {
            let (frame, mut ours) = (frame(Role::Reference, bytes(program)), packetizer());
            times.for_each(|_| drop(black_box(packets(&mut ours, &frame))));
        }
        "encode_a_720p_picture/bare_loop_in_C" => {
            let (library, pictures) = (bare::library(), some(iterations));
            black_box(Bare::new(&library, (1280, 720), 2500).encode(&pictures));
        }
        "encode_a_720p_picture/millstream" => {
            black_box(encoded(&mut vpx_encoder(), &some(iterations)));
        }
        "encode_a_720p_picture/whole_pipeline_to_packets" => {
            pipeline::whole(&some(iterations)).step().expect("a good pipeline").run_to_end().expect("it ends");
        }
        "convert_a_720p_picture_to_I420/millstream" => {
            let yuyv: Buffer<u8> = vec![100; 1280 * 720 * 2].into();
            let picture = VideoFrame::tight(yuyv, PixelFormat::Yuyv, (1280, 720), Timestamp::ZERO);
            let mut converter = Converter::new();
            times.for_each(|_| drop(black_box(converter.to_i420(&picture).expect("a good picture"))));
        }
        "a_frame_to_100_viewers_queues/millstream" => {
            let mut hall = Hall::new(100);
            times.for_each(|_| hall.show());
        }
        "an_item_over_a_link/millstream" => hops(iterations, true),
        "an_item_into_an_inline_stage/millstream" => hops(iterations, false),
        _ => panic!("no program `{program}`"),
    }
}

fn bytes(program: &str) -> usize {
    if program.contains("_50_") { 50_000 } else { 5000 }
}

/// Items that cost nothing through a source and a sink, over a link or without one, in virtual time.
fn hops(items: u64, link: bool) {
    let samples = Buffer::from(vec![0.0; 480]);
    let mut left = items;
    let mut pipeline = Pipeline::in_virtual_time("hops", Utc::default());
    let source = pipeline.source("source", move |cx: &mut Cx| -> Result<Next<AudioFrame>> {
        let Some(rest) = left.checked_sub(1) else { return Ok(Next::End) };
        left = rest;
        let samples = samples.clone();
        Ok(Next::Item(AudioFrame::new(48_000, 1, cx.now(), samples)))
    });
    let nowhere = |_: AudioFrame, _: &mut Cx| -> Result<()> { Ok(()) };
    if link {
        pipeline.sink("sink", source.through(Link::block(16.try_into().expect("not zero"))), nowhere);
    } else {
        pipeline.inline_sink("sink", &source, nowhere);
    }
    pipeline.step().expect("a good pipeline").run_to_end().expect("it ends");
}
