//! What is encoded goes to what takes its codec, or nowhere: refused before it runs where both are known, and
//! frame by frame where not.

use millstream::core::{AudioFrame, Codec, Role};
use millstream::core::{Clock, Cx, EncodedFrame, FromInput, Next, OPUS, Out, Result, RtpPackets, Sink, Utc, VP8};
use millstream::{Pipeline, opus, rtp, stages};

/// A sink with several inputs that takes one codec.
struct Muxer;

impl Sink<FromInput<EncodedFrame>> for Muxer {
    fn consume(&mut self, _: FromInput<EncodedFrame>, _: &mut Cx) -> Result<()> {
        Ok(())
    }
    fn takes(&self) -> Option<Codec> {
        Some(VP8)
    }
}

/// Why the pipeline is refused that has `build` join something to sound in Opus, and to its packets.
fn refusal(build: impl FnOnce(&mut Pipeline)) -> String {
    let mut pipeline = Pipeline::new("wrong");
    build(&mut pipeline);
    let refused = pipeline.spawn().expect_err("Opus is no VP8");
    assert_eq!(refused.kind(), millstream::core::error::Kind::Config);
    refused.to_string()
}

fn sound(p: &mut Pipeline) -> millstream::pipeline::Output<EncodedFrame> {
    let tone = p.source("tone", |_: &mut Cx| -> Result<Next<AudioFrame>> { Ok(Next::End) });
    p.stage("opus", &tone, opus::Encoder::new(Default::default()))
}

#[test]
fn a_join_of_two_codecs_is_refused_before_it_runs_with_both_names() {
    let packetizer = || rtp::vp8::Packetizer::new(Default::default());
    let stage = refusal(|p| {
        let sound = sound(p);
        p.inline("vp8-rtp", &sound, packetizer());
    });
    assert_eq!(stage, "vp8-rtp: it takes vp8, and `opus` gives opus; join it to what gives vp8");
    let many = refusal(|p| {
        let (sound, inputs) = (sound(p), p.many_sink("muxer", Muxer));
        p.join(&inputs, &sound);
    });
    assert_eq!(many, "muxer: it takes vp8, and `opus` gives opus; join it to what gives vp8");
    let audience = millstream::webrtc::Audience::new(Clock::system());
    let sink = refusal(|p| {
        let sound = sound(p);
        let packets = p.inline("opus-rtp", &sound, rtp::opus::Packetizer::new(Default::default()));
        p.sink("page", &packets, audience.video_sink(VP8).expect("the first"));
    });
    assert_eq!(sink, "page: it takes vp8, and `opus-rtp` gives opus; join it to what gives vp8");
    let path = std::env::temp_dir().join(format!("millstream-{}-codecs.ivf", std::process::id()));
    let file = refusal(|p| {
        let sound = sound(p);
        let writer = stages::ivf_writer::IvfWriter::new(&stages::ivf_writer::Options { path: path.clone() });
        p.sink("file", &sound, writer.expect("it can be written"));
    });
    let _ = std::fs::remove_file(&path);
    assert_eq!(file, "file: it takes vp8, and `opus` gives opus; join it to what gives vp8");
}

#[test]
fn what_is_attached_is_refused_too_and_the_rest_runs_on() {
    let mut pipeline = Pipeline::in_virtual_time("right", Utc::default());
    let sound = sound(&mut pipeline);
    pipeline.inline_sink("nowhere", &sound, stages::null::Null);
    let mut run = pipeline.step().expect("a good pipeline");
    let attached = run.attach(|p| {
        p.stage("vp8-rtp", &sound, rtp::vp8::Packetizer::new(Default::default()));
    });
    assert_eq!(attached.expect_err("refused").stage(), Some("vp8-rtp"));
    run.run_to_end().expect("nothing else is wrong");
}

#[test]
fn where_the_codec_is_not_known_before_each_frame_of_another_is_refused() {
    for codec in [OPUS, VP8] {
        let mut pipeline = Pipeline::in_virtual_time("unknown", Utc::default());
        let (mut left, of) = (3, codec.clone());
        let frames = pipeline.source("frames", move |cx: &mut Cx| -> Result<Next<EncodedFrame>> {
            left -= 1;
            let frame = EncodedFrame::new(of.clone(), cx.now(), vec![0xF8; 20]).with_role(Role::Start);
            Ok(if left < 0 { Next::End } else { Next::Item(frame) })
        });
        let passed = pipeline.inline("pass", &frames, |frame: EncodedFrame, out: &mut Out<EncodedFrame>| {
            out.push(frame);
            Ok(())
        });
        let packets = [
            pipeline.inline("vp8-rtp", &passed, rtp::vp8::Packetizer::new(Default::default())),
            pipeline.inline("opus-rtp", &passed, rtp::opus::Packetizer::new(Default::default())),
        ];
        for (name, packets) in ["vp8", "opus"].iter().zip(&packets) {
            pipeline.inline_sink(name, packets, |_: RtpPackets, _: &mut Cx| Ok(()));
        }
        let mut run = pipeline.step().expect("nobody knows yet");
        run.run_to_end().expect("what is bad is skipped");
        let statistics = run.statistics();
        let of = |name| statistics.stage(name).map(|stage| (stage.items_out, stage.bad_items));
        let (good, bad) = (Some((3, 0)), Some((0, 3)));
        let expected = if codec == VP8 { (good, bad) } else { (bad, good) };
        assert_eq!((of("vp8-rtp"), of("opus-rtp")), expected);
    }
}
