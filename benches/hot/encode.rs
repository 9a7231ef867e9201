//! Our VP8 encoder beside a bare loop over the same libvpx, and beside `vpx-encode`; Opus by itself.

use std::io;

use millstream::core::{AudioFrame, Control, Cx, EncodedFrame, Layers, Out, Role, Stage, Timestamp, VideoFrame};
use millstream::{opus, vpx};

use crate::bare::{self, Bare};
use crate::pictures::{blocks, numbered, pictures};
use crate::record::Record;
use crate::rounds::{self, Subject, process_nanos, wall_nanos};

/// Pictures in a turn, the key frame among them.
const PICTURES: usize = 30;

/// What our encoder aims at for 720p, and so the others.
const KBPS: u32 = 2500;

pub(crate) fn measure(rounds: u32) -> io::Result<()> {
    let mut record = Record::create("encode")?;
    record.version("libvpx", &vpx::version().map_err(io::Error::other)?)?;
    if cfg!(feature = "vpx-encode") {
        record.version("vpx-encode", "0.6.2")?;
    }
    let (library, pictures) = (bare::library(), pictures(PICTURES));
    same_bytes(&library, &pictures);

    let mut subjects = vec![
        Subject::new("millstream", || stage(vpx_encoder(), &pictures)),
        Subject::new("bare_loop_in_C", || {
            let mut bare = Bare::new(&library, (1280, 720), KBPS);
            timed(PICTURES, || bare.encode(&pictures))
        }),
    ];
    #[cfg(feature = "vpx-encode")]
    subjects.push(Subject::new("vpx-encode", || stage(poor_encoder(), &pictures)));
    rounds::measure(&mut record, rounds, "a_720p_picture", &mut subjects)?;

    let mut subjects = vec![Subject::new("millstream", || key_frame(vpx_encoder(), &pictures))];
    #[cfg(feature = "vpx-encode")]
    subjects.push(Subject::new("vpx-encode", || key_frame(poor_encoder(), &pictures)));
    rounds::measure(&mut record, rounds, "a_720p_key_frame_on_request", &mut subjects)?;

    let blocks: Vec<AudioFrame> = blocks(300);
    let mut subjects = [Subject::new("millstream", || {
        let mut encoder = opus::Encoder::new(opus::Options::default());
        let mut out = Out::at(Timestamp::ZERO);
        timed(blocks.len(), || {
            let mut bytes = 0;
            for block in &blocks {
                encoder.process(block.clone(), &mut out).expect("a good block");
                bytes += out.items().drain(..).map(|packet: EncodedFrame| packet.data.len() as u64).sum::<u64>();
            }
            bytes
        })
    })];
    rounds::measure(&mut record, rounds, "10_ms_of_stereo_Opus", &mut subjects)
}

pub(crate) fn vpx_encoder() -> vpx::Encoder {
    vpx::Encoder::new(vpx::Options::default()).expect("libvpx is here")
}

#[cfg(feature = "vpx-encode")]
fn poor_encoder() -> millstream::vpx_encode::Encoder {
    millstream::vpx_encode::Encoder::new(Default::default())
}

/// The comparison is one of equals only if both give the same.
fn same_bytes(library: &libloading::Library, pictures: &[VideoFrame]) {
    let ours: Vec<EncodedFrame> = encoded(&mut vpx_encoder(), pictures);
    let ours: u64 = ours.iter().map(|frame| frame.data.len() as u64).sum();
    let bare = Bare::new(library, (1280, 720), KBPS).encode(pictures);
    assert_eq!(ours, bare, "bare.c has other settings than millstream-codec-vpx");
}

/// Encodes `pictures` as 30 in a second.
pub(crate) fn encoded(
    encoder: &mut impl Stage<VideoFrame, EncodedFrame>,
    pictures: &[VideoFrame],
) -> Vec<EncodedFrame> {
    let mut out = Out::at(Timestamp::ZERO);
    for (number, picture) in pictures.iter().enumerate() {
        encoder.process(numbered(picture, number), &mut out).expect("a good picture");
    }
    encoder.finish(&mut out).expect("the end");
    out.items().drain(..).collect()
}

fn stage(mut encoder: impl Stage<VideoFrame, EncodedFrame>, pictures: &[VideoFrame]) -> Vec<(&'static str, f64)> {
    timed(pictures.len(), || encoded(&mut encoder, pictures).iter().map(|frame| frame.data.len() as u64).sum())
}

/// What a key frame that a viewer asks for costs in the middle of a stream.
fn key_frame(mut encoder: impl Stage<VideoFrame, EncodedFrame>, pictures: &[VideoFrame]) -> Vec<(&'static str, f64)> {
    let (before, asked) = pictures.split_at(10);
    let mut frames = encoded(&mut encoder, before);
    let unanswered = encoder.control(Control::KeyFrame(Layers::ALL), &mut Cx::at(Timestamp::ZERO));
    assert_eq!(unanswered, None);
    let mut out = Out::at(Timestamp::ZERO);
    let picture = numbered(&asked[0], before.len());
    let told = timed(1, || {
        encoder.process(picture, &mut out).expect("a good picture");
        frames.extend(out.items().drain(..));
        frames.last().map_or(0, |frame| frame.data.len() as u64)
    });
    assert_eq!(frames.last().map(|frame| frame.role), Some(Role::Start));
    told
}

/// The time of the whole process, since an encoder may have threads; of one of `count`, and its bytes.
fn timed(count: usize, work: impl FnOnce() -> u64) -> Vec<(&'static str, f64)> {
    let (cpu, wall) = (process_nanos(), wall_nanos());
    let bytes = work();
    let (cpu, wall) = (process_nanos() - cpu, wall_nanos() - wall);
    let each = |sum: f64| sum / count as f64;
    vec![("cpu_us", each(cpu / 1e3)), ("wall_us", each(wall / 1e3)), ("bytes", each(bytes as f64))]
}
