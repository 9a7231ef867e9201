//! A codec with parameters that are learnt at run time: from a session description through a pipeline to its
//! packetizer, and no further than to what takes its encoding.

use std::sync::{Arc, Mutex};

use millstream::Pipeline;
use millstream::core::rtp::{Seed, Sequencer};
use millstream::core::{
    Codec, Cx, EncodedFrame, Media, Next, Out, Result, Role, RtpHeader, RtpPackets, Stage, Timestamp, Utc, VP8,
};
use millstream::webrtc::sdp;

/// What a browser offers, shortened: two profiles of H.264, one of them in two packetization modes, and VP8.
const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 102 106 112 96 127\r\na=mid:0\r\na=recvonly\r\n\
    a=rtpmap:96 VP8/90000\r\n\
    a=rtpmap:102 H264/90000\r\na=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
    a=rtpmap:106 H264/90000\r\na=fmtp:106 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f\r\n\
    a=rtpmap:112 H264/90000\r\na=fmtp:112 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f\r\n\
    a=rtpmap:127 H264/0\r\n";

/// Puts each access unit into one packet (RFC 6184, section 5.6): enough for a test whose units are small.
struct H264Packetizer {
    codec: Codec,
    sequencer: Sequencer,
}

impl Stage<EncodedFrame, RtpPackets> for H264Packetizer {
    fn process(&mut self, frame: EncodedFrame, out: &mut Out<RtpPackets>) -> Result<()> {
        frame.require(&self.codec)?;
        let payload = 0..frame.data.len() as u32;
        let (sequence, timestamp) = (self.sequencer.sequence(), self.sequencer.timestamp(frame.time));
        let header = RtpHeader::new(sequence, timestamp, payload).with_marker(true);
        out.push(RtpPackets::of(&frame, vec![header], frame.data.clone()));
        Ok(())
    }
    fn takes(&self) -> Option<Codec> {
        Some(self.codec.clone())
    }
}

/// The codecs that the first section of `description` names, the preferred one first, as far as they can be read.
fn codecs(description: &str) -> Vec<(u8, Result<Codec>)> {
    let session = sdp::Session::read(description).expect("a description");
    let section = &session.sections[0];
    let codec = |(payload_type, rtpmap): (u8, &str)| {
        let codec = Codec::from_rtpmap(Media::Video, rtpmap);
        let fmtp = section.about("fmtp", payload_type).next();
        (payload_type, codec.and_then(|codec| codec.with_fmtp(fmtp.unwrap_or_default())))
    };
    section.encodings().map(codec).collect()
}

/// The packets of `count` frames of `codec`, 40 ms apart, behind a stage that does not know what it passes on.
fn packets(codec: &Codec, packetizer_for: &Codec, count: u64) -> Result<(Vec<RtpPackets>, u64)> {
    let mut pipeline = Pipeline::in_virtual_time("learnt", Utc::default());
    let (mut number, of) = (0, codec.clone());
    let frames = pipeline.source("camera", move |cx: &mut Cx| -> Result<Next<EncodedFrame>> {
        let time = cx.start() + std::time::Duration::from_millis(40) * number;
        if cx.now() < time {
            return Ok(Next::Until(time));
        }
        number += 1;
        let frame = EncodedFrame::new(of.clone(), time, vec![0x65; 100]).with_role(Role::Start);
        Ok(if u64::from(number) > count { Next::End } else { Next::Item(frame) })
    });
    let sequencer = Sequencer::new(packetizer_for, &mut Seed::new(Some(1)));
    let stage = H264Packetizer { codec: packetizer_for.clone(), sequencer };
    let packets = pipeline.stage("h264-rtp", &frames, stage);
    let all = Arc::new(Mutex::new(Vec::new()));
    let came = all.clone();
    pipeline.inline_sink("wire", &packets, move |packets: RtpPackets, _: &mut Cx| {
        came.lock().unwrap().push(packets);
        Ok(())
    });
    let mut run = pipeline.step()?;
    run.run_to_end()?;
    let bad = run.statistics().stage("h264-rtp").expect("it is there").bad_items;
    let all = std::mem::take(&mut *all.lock().unwrap());
    Ok((all, bad))
}

#[test]
fn a_codec_learnt_from_a_description_reaches_its_packetizer() {
    let offered = codecs(OFFER);
    let types: Vec<u8> = offered.iter().map(|(payload_type, _)| *payload_type).collect();
    assert_eq!(types, [102, 106, 112, 96, 127]);
    assert!(offered[4].1.as_ref().unwrap_err().to_string().contains("clock rate of 0"));

    // What an encoder here can write decides which of them is meant.
    let ours = Codec::new(Media::Video, "H264", 90_000, 0).unwrap();
    let ours = ours.with_fmtp("profile-level-id=42e01f;packetization-mode=1").unwrap();
    let readable = || offered.iter().filter_map(|(of, codec)| Some((*of, codec.as_ref().ok()?)));
    let meant: Vec<u8> = readable().filter(|(_, codec)| **codec == ours).map(|(of, _)| of).collect();
    assert_eq!(meant, [102]);
    assert_eq!(readable().filter(|(_, codec)| codec.same_encoding(&ours)).count(), 3);
    assert_eq!(readable().find(|(_, codec)| **codec == VP8).map(|(of, _)| of), Some(96));

    let (_, learnt) = readable().find(|(of, _)| *of == 102).unwrap();
    let (all, bad) = packets(learnt, &ours, 5).unwrap();
    assert_eq!((all.len(), bad), (5, 0));
    for (number, packets) in (0..).zip(&all) {
        assert_eq!(packets.time, Timestamp::from_millis(40 * number));
        assert_eq!((packets.role, packets.headers.len()), (Role::Start, 1));
        // The parameters that the peer wrote are at the packets, for whoever answers.
        assert_eq!(packets.codec.parameter("level-asymmetry-allowed"), Some("1"));
        assert_eq!(packets.codec.parameter("profile-level-id"), Some("42e01f"));
    }
    assert!(all.windows(2).all(|pair| pair[1].headers[0].sequence == pair[0].headers[0].sequence.wrapping_add(1)));
}

#[test]
fn inside_a_pipeline_another_profile_is_taken_and_another_encoding_is_not() {
    let ours = Codec::new(Media::Video, "H264", 90_000, 0).unwrap();
    for (_, codec) in codecs(OFFER).into_iter().filter_map(|(of, codec)| Some((of, codec.ok()?))) {
        let expected = if codec == VP8 { (0, 3) } else { (3, 0) };
        let (all, bad) = packets(&codec, &ours, 3).unwrap();
        assert_eq!((all.len(), bad), expected, "{codec:?}");
    }
}
