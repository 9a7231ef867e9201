//! The hot path: what a camera sends into I420, encode, packetize.
//!
//! Run with `cargo bench --bench hot_path`.

#[path = "hot/camera.rs"]
mod camera;
#[path = "hot/pictures.rs"]
mod pictures;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use millstream::core::{EncodedFrame, Out, Role, Stage, Timestamp, VP8};
use millstream::nokhwa::decode::Encoding;
use millstream::{opus, rtp, vpx};
use turbojpeg::Subsamp;

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    let rendered = pictures::pictures(60);
    group.bench_function("vp8, 1280x720, one thread", |bench| {
        let mut encoder = vpx::Encoder::new(vpx::Options::default()).expect("libvpx is here");
        let mut out = Out::at(Timestamp::ZERO);
        let mut count = 0;
        bench.iter(|| {
            let picture = pictures::numbered(&rendered[count % rendered.len()], count);
            count += 1;
            encoder.process(picture, &mut out).expect("a good picture");
            black_box(out.items().pop_front())
        });
    });
    let blocks = pictures::blocks(300);
    group.bench_function("opus, 10 ms of stereo", |bench| {
        let mut encoder = opus::Encoder::new(opus::Options::default());
        let mut out = Out::at(Timestamp::ZERO);
        let mut count = 0;
        bench.iter(|| {
            let mut block = blocks[count % blocks.len()].clone();
            block.time = Timestamp::from_millis(10 * count as u64);
            count += 1;
            encoder.process(block, &mut out).expect("a good block");
            black_box(out.items().pop_front())
        });
    });
    group.finish();
}

fn convert(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("convert 1280x720");
    for (name, encoding, data) in [
        ("YUYV", Encoding::Yuyv, camera::yuyv()),
        ("NV12", Encoding::Nv12, camera::nv12()),
        ("MJPEG 4:2:0 of 45 kB", Encoding::Mjpeg, camera::jpeg(Subsamp::Sub2x2)),
        ("MJPEG 4:2:2 of 45 kB", Encoding::Mjpeg, camera::jpeg(Subsamp::Sub2x1)),
    ] {
        group.bench_function(name, |bench| bench.iter(camera::decoding(encoding, data.clone())));
    }
    group.finish();
}

fn packetize(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("packetize vp8");
    for (name, size, role) in
        [("a 50 kB key frame", 50_000, Role::Start), ("a 5 kB delta frame", 5_000, Role::Reference)]
    {
        let frame = EncodedFrame::new(VP8, Timestamp::ZERO, vec![0x55; size])
            .with_duration(Duration::from_millis(33))
            .with_role(role);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(name, |bench| {
            let mut packetizer = rtp::vp8::Packetizer::new(Default::default());
            let mut out = Out::at(Timestamp::ZERO);
            bench.iter(|| {
                packetizer.process(frame.clone(), &mut out).expect("a good frame");
                black_box(out.items().pop_front())
            });
        });
        group.bench_function(format!("{name}, only copied"), |bench| {
            let mut copy = vec![0; size];
            bench.iter(|| copy.copy_from_slice(black_box(&frame.data)));
        });
    }
    group.finish();
}

criterion_group!(benches, convert, encode, packetize);
criterion_main!(benches);
