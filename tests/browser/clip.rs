//! `pipelines/file.toml` with the real clip in Chromium: how good the picture is, and that the sound is the clip's.

use std::io::Read;
use std::path::PathBuf;

use serde::Deserialize;

use crate::chromium::{Viewer, load, with_chromium};

const SIZE: (usize, usize) = (1280, 720);
/// So many pictures after the first 2 s are enough to judge by.
const PICTURES: usize = 50;
const ATTEMPTS: u32 = 3;

#[derive(Deserialize)]
struct Kept {
    count: usize,
    width: usize,
    height: usize,
}

#[test]
fn the_clip_arrives_as_good_as_its_bit_rate_allows() {
    let clip = |name: &str| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/clips").join(name);
    if !clip("bunny.y4m").exists() || !clip("bunny.wav").exists() {
        return millstream_testkit::skipped("the clip; make it with script/clip");
    }
    let reference = luma_planes(&clip("bunny.y4m"));
    let sound = decimated(&mono(&clip("bunny.wav")));
    with_chromium(async |chromium| {
        let video = format!("video.path={}", clip("bunny.y4m").display());
        let audio = format!("audio.path={}", clip("bunny.wav").display());
        // A busy machine may not keep up with 1280x720 in a browser: pictures are missing, and the encoder
        // has more to say in each of those that are left.
        for attempt in 1..=ATTEMPTS {
            let (pipeline, address) = load("file", &[&video, &audio, "vp8.bitrate=2Mbit/s"]);
            // The page connects before the clip starts, so that its first picture is seen.
            let viewer = chromium.open(&address).await;
            let connected: bool = viewer.value("probe.connected(20000)").await;
            assert!(connected, "{}", viewer.value::<String>("probe.report()").await);
            let running = pipeline.spawn().unwrap();
            let kept: Kept = viewer.value("probe.keep(5.4)").await;
            assert_eq!((kept.width, kept.height), SIZE);
            let psnr = psnr_after_two_seconds(&viewer, kept.count, &reference).await;
            let lowest = psnr.iter().copied().fold(f64::INFINITY, f64::min);
            let mean = psnr.iter().sum::<f64>() / psnr.len() as f64;
            eprintln!("{} pictures after 2 s: lowest {lowest:.1} dB, mean {mean:.1} dB", psnr.len());

            let heard = viewer.sound(1.5).await;
            let likeness = likeness(&decimated(&heard[12_000..60_000]), &sound);
            eprintln!("the sound correlates with the clip's at {likeness:.3}");
            viewer.0.close().await.expect("the page closes");
            running.stop();
            running.wait().unwrap();
            if psnr.len() >= PICTURES && lowest >= 36.0 && mean >= 39.0 && likeness > 0.8 {
                return;
            }
            assert!(attempt < ATTEMPTS, "{} pictures of {}, and see above", psnr.len(), kept.count);
        }
    });
}

/// Luma PSNR of the pictures that were kept, each against the one it is, from the fiftieth on: 2 s of the clip.
async fn psnr_after_two_seconds(viewer: &Viewer, kept: usize, reference: &[Vec<u8>]) -> Vec<f64> {
    let mut matched: Vec<(usize, f64)> = Vec::new();
    for index in 0..kept {
        let picture = viewer.bytes(&format!("probe.kept({index})")).await;
        let from = matched.last().map_or(0, |(last, _)| last + 1);
        // Pictures come in order; a few may be missing between two.
        let candidates = from..reference.len().min(from + if matched.is_empty() { 130 } else { 12 });
        let best = candidates
            .map(|candidate| (candidate, millstream_testkit::psnr(&picture, &reference[candidate])))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        // Behind the end of the clip its start comes again.
        let Some(best) = best.filter(|(_, psnr)| *psnr >= 20.0) else { break };
        matched.push(best);
    }
    matched.into_iter().filter(|(index, _)| *index >= 50).map(|(_, psnr)| psnr).collect()
}

/// The luma of every picture of a y4m file of 4:2:0.
fn luma_planes(path: &PathBuf) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    let line = |from: usize| from + bytes[from..].iter().position(|byte| *byte == b'\n').expect("a line ends") + 1;
    let (luma, whole) = (SIZE.0 * SIZE.1, SIZE.0 * SIZE.1 * 3 / 2);
    let mut planes = Vec::new();
    let mut at = line(0);
    while at < bytes.len() {
        let start = line(at);
        planes.push(bytes[start..start + luma].to_vec());
        at = start + whole;
    }
    planes
}

/// The left channel of a wav file of 16-bit stereo as ffmpeg writes it; the browser gives the left one too.
fn mono(path: &PathBuf) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    let data = bytes.windows(4).position(|four| four == b"data").expect("a chunk of samples") + 8;
    bytes[data..].chunks_exact(4).map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32768.0).collect()
}

/// Every sixth sample of the mean of six: 8 kHz from 48 kHz.
fn decimated(samples: &[f32]) -> Vec<f32> {
    samples.chunks_exact(6).map(|six| six.iter().sum::<f32>() / 6.0).collect()
}

/// The highest normalised correlation of `part` with any stretch of `whole`, which goes round.
fn likeness(part: &[f32], whole: &[f32]) -> f32 {
    let twice: Vec<f32> = whole.iter().chain(whole).copied().collect();
    let norm = |samples: &[f32]| samples.iter().map(|sample| sample * sample).sum::<f32>().sqrt();
    let own = norm(part);
    (0..whole.len())
        .map(|lag| {
            let stretch = &twice[lag..lag + part.len()];
            let dot: f32 = part.iter().zip(stretch).map(|(a, b)| a * b).sum();
            dot / (own * norm(stretch)).max(1e-9)
        })
        .fold(0.0, f32::max)
}
