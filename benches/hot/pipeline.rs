//! From the encoder's input to the packets in a sink, and how much of that is libvpx.

use std::hint::black_box;
use std::io;

use millstream::core::{Cx, EncodedFrame, Next, Out, Result, Stage, Timestamp, Utc, VideoFrame};
use millstream::{Pipeline, stages, vpx};

use crate::bare;
use crate::encode::vpx_encoder;
use crate::packetize::{packetizer, packets};
use crate::pictures::{numbered, pictures};
use crate::record::Record;
use crate::rounds::{self, Subject, thread_nanos};

/// Pictures in a turn, the key frame among them.
const PICTURES: usize = 60;

pub(crate) fn measure(rounds: u32) -> io::Result<()> {
    let mut record = Record::create("pipeline")?;
    record.version("libvpx", &vpx::version().map_err(io::Error::other)?)?;
    let (pictures, inside) = (pictures(PICTURES), bare::inside());
    // What is not inside libvpx is ours: reading the clock before it too, four times in a picture.
    let apart = |all: f64| {
        let inside = inside();
        let each = |nanos: f64| nanos / 1e3 / PICTURES as f64;
        vec![("inside_libvpx_us", each(inside)), ("beside_libvpx_us", each(all - inside))]
    };
    let mut subjects = [
        Subject::new("encoder_and_packetizer", || {
            let (mut encoder, mut ours) = (vpx_encoder(), packetizer());
            let mut out = Out::<EncodedFrame>::at(Timestamp::ZERO);
            let from = thread_nanos();
            for (number, picture) in pictures.iter().enumerate() {
                encoder.process(numbered(picture, number), &mut out).expect("a good picture");
                while let Some(frame) = out.items().pop_front() {
                    black_box(packets(&mut ours, &frame));
                }
            }
            apart(thread_nanos() - from)
        }),
        Subject::new("whole_pipeline", || {
            let mut stepped = whole(&pictures).step().expect("a good pipeline");
            let from = thread_nanos();
            stepped.run_to_end().expect("it ends");
            apart(thread_nanos() - from)
        }),
    ];
    rounds::measure(&mut record, rounds, "a_720p_picture", &mut subjects)
}

/// Pictures → VP8 → packets → nowhere, on one thread and a clock that leaps; the demo's stages, and its links.
pub(crate) fn whole(pictures: &[VideoFrame]) -> Pipeline {
    let mut pipeline = Pipeline::in_virtual_time("bench", Utc::default());
    let mut all = (0..).zip(pictures.to_vec());
    let source = pipeline.source("pictures", move |_: &mut Cx| -> Result<Next<VideoFrame>> {
        let Some((number, picture)) = all.next() else { return Ok(Next::End) };
        Ok(Next::Item(numbered(&picture, number)))
    });
    let vp8 = pipeline.stage("vp8", &source, vpx_encoder());
    let packets = pipeline.inline("packets", &vp8, millstream::rtp::vp8::Packetizer::new(Default::default()));
    pipeline.inline_sink("nowhere", &packets, stages::null::Null);
    pipeline
}
