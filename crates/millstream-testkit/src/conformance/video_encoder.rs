//! What an encoder of pictures must do.

use millstream_core::units::Bitrate;
use millstream_core::{Codec, Control, EncodedFrame, Error, Layers, Media, Role, Stage, Timestamp, VideoFrame};

use super::bench::Bench;
use super::rule::{Seen, ensure, must, unexpected};
use super::transform::transform;
use crate::examples::{self, PICTURES_PER_SECOND};

/// The pictures that most requirements are checked with.
const SIZE: (u32, u32) = (320, 180);
/// What is asked for first, and then half of it: what 320x180 of noise needs and a call gives.
const RATE: Bitrate = Bitrate::from_kbps(500);
/// How far the half may be from it, as a share, and how far a rate may be passed.
const TOLERANCE: f64 = 0.25;
/// Seconds in which a rate control settles, and seconds that are measured.
const SETTLING: u64 = 1;
const MEASURED: u64 = 4;

/// Says that an encoder of `codec` does what an encoder of pictures must, and what any
/// [stage](super::transform()) must: `make` gives new ones, with options that allow 500 kbit/s.
///
/// # Panics
/// If it does not do something of it.
#[track_caller]
pub fn video_encoder<S: Stage<VideoFrame, EncodedFrame> + 'static>(codec: Codec, make: impl Fn() -> S) {
    transform(&make, |number| examples::picture(SIZE, number));
    let bench = || Bench::new(make());
    let pictures = |range: std::ops::Range<u64>| range.map(|number| examples::picture(SIZE, number));
    must("an encoder of pictures names its codec, their size, and one of their times on each frame", || {
        let given = bench().run(pictures(0..30))?;
        let times: Vec<Timestamp> = pictures(0..30).map(|picture| picture.time).collect();
        for frame in given {
            ensure(frame.codec == codec && codec.media == Media::Video, || format!("the codec {}", frame.codec))?;
            ensure(frame.size == Some(SIZE), || format!("{:?} for {SIZE:?}", frame.size))?;
            ensure(times.contains(&frame.time), || format!("a frame at {}, where no picture was", frame.time))?;
            ensure(!frame.data.is_empty(), || "a frame without a byte".to_owned())?;
        }
        Ok(())
    });
    must("the first frame is one that a decoder can start from", || starts(&bench().run(pictures(0..2))?, SIZE));
    must("what is inside comes out when the input ends, the last picture too", || {
        for count in [1, 2, 10] {
            let given = bench().run(pictures(0..count))?;
            let (last, taken) = (given.last().map(|frame| frame.time), pictures(count - 1..count).next());
            ensure(last == taken.map(|picture| picture.time), || format!("{last:?} is the last of {count} pictures"))?;
        }
        Ok(())
    });
    must("a key frame that is asked for is given at the next picture or the one after, and not passed on", || {
        for layers in [Layers::ALL, Layers::spatial(0)] {
            key_frame_comes(&mut bench(), layers)?;
        }
        Ok(())
    });
    must("a bit rate that is answered is kept: half of it gives half the bytes, within 25 %", || {
        bit_rate_is_followed(&mut bench())
    });
    must("pictures of another size begin with a frame of it that a decoder can start from", || {
        let mut bench = bench();
        bench.give_all(pictures(0..5))?;
        let mut number = 5;
        for size in [(640, 360), (160, 90), SIZE] {
            let resized = (number..number + 5).map(|number| examples::picture(size, number));
            let first = resized.clone().next().map(|picture| picture.time);
            let mut given = bench.give_all(resized)?;
            given.retain(|frame| Some(frame.time) >= first);
            if number == 15 {
                given.extend(bench.finish().map_err(|error| unexpected(&error))?);
            }
            starts(&given, size)?;
            number += 5;
        }
        Ok(())
    });
    must("odd sizes and single pixels are encoded or refused in words", || {
        for size in [(1, 1), (1, 16), (16, 1), (2, 2), (3, 3), (17, 33), (175, 143), (321, 181)] {
            let mut bench = bench();
            let given: Result<Vec<_>, Error> =
                (0..3).map(|number| bench.give(examples::picture(size, number))).collect();
            let Ok(mut given) = given.map(|given| given.concat()) else { continue };
            given.extend(bench.finish().map_err(|error| unexpected(&error))?);
            starts(&given, size)?;
        }
        Ok(())
    });
    must("pictures of one time, and after a pause of a minute, are encoded or refused in words", || {
        let mut bench = bench();
        for seconds in [0, 0, 60, 60, 61] {
            let time = Timestamp::from_millis(1000 * seconds);
            let result = bench.give(examples::stamped(examples::picture(SIZE, seconds), time));
            result.map_err(|error| format!("{} at {time}", unexpected(&error)))?;
        }
        Ok(())
    });
}

/// The first frame is a start of `size`.
fn starts(given: &[EncodedFrame], size: (u32, u32)) -> Seen {
    let Some(first) = given.first() else { return Err(format!("no frame for pictures of {size:?}")) };
    let seen = || format!("{:?} of {:?} first, for pictures of {size:?}", first.role, first.size);
    ensure(first.role == Role::Start && first.size == Some(size), seen)
}

fn key_frame_comes(bench: &mut Bench<VideoFrame, EncodedFrame>, layers: Layers) -> Seen {
    const ASKED_AT: u64 = 20;
    bench.give_all((0..ASKED_AT).map(|number| examples::picture(SIZE, number)))?;
    let passed = bench.ask(Control::KeyFrame(layers));
    ensure(passed.is_none(), || format!("{passed:?} passed on"))?;
    let given = bench.run((ASKED_AT..ASKED_AT + 10).map(|number| examples::picture(SIZE, number)))?;
    let [next, after] = [0, 1].map(|more| examples::picture(SIZE, ASKED_AT + more).time);
    let key = given.iter().find(|frame| frame.time >= next && frame.role == Role::Start);
    let seen = || format!("{:?}, asked before the picture at {next}", key.map(|frame| frame.time));
    ensure(key.is_some_and(|frame| frame.time <= after), seen)
}

fn bit_rate_is_followed(bench: &mut Bench<VideoFrame, EncodedFrame>) -> Seen {
    let mut measured = Vec::new();
    for (part, rate) in [RATE.bps(), RATE.bps() / 2].into_iter().enumerate() {
        if bench.ask(Control::Bitrate(Some(Bitrate::from_bps(rate)))).is_some() {
            return Ok(());
        }
        let first = part as u64 * (SETTLING + MEASURED) * PICTURES_PER_SECOND;
        let settled = first + SETTLING * PICTURES_PER_SECOND;
        let end = settled + MEASURED * PICTURES_PER_SECOND;
        bench.give_all((first..settled).map(|number| examples::picture(SIZE, number)))?;
        let given = bench.give_all((settled..end).map(|number| examples::picture(SIZE, number)))?;
        let bits = given.iter().map(|frame| frame.data.len() as u64 * 8).sum::<u64>() / MEASURED;
        let most = rate as f64 * (1.0 + TOLERANCE);
        ensure(bits as f64 <= most, || format!("{bits} bit/s where {rate} were asked for"))?;
        measured.push(bits as f64);
    }
    let half = measured[1] / measured[0];
    let seen = || format!("{} bit/s, and {} when half of it was asked for", measured[0], measured[1]);
    ensure((half - 0.5).abs() <= 0.5 * TOLERANCE, seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::rule::tests::fails;
    use millstream_core::{Cx, OPUS, Out, Result, VP8};
    use std::time::Duration;

    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        None,
        OtherCodec,
        NoSize,
        OwnTime,
        StartsAnyhow,
        KeepsTheLast,
        KeyNever,
        KeyPassedOn,
        RateIgnored,
        RateOvershot,
        SizeUnnoticed,
        PanicsAtOnePixel,
        FearsEqualTimes,
    }

    /// An encoder that gives as many bytes as it may, a picture late.
    struct Fake {
        fault: Fault,
        rate: u64,
        key: bool,
        size: (u32, u32),
        held: Option<EncodedFrame>,
    }

    fn fake(fault: Fault) -> impl Fn() -> Fake {
        move || Fake { fault, rate: 400_000, key: fault != Fault::StartsAnyhow, size: SIZE, held: None }
    }

    impl Stage<VideoFrame, EncodedFrame> for Fake {
        fn process(&mut self, picture: VideoFrame, out: &mut Out<EncodedFrame>) -> Result<()> {
            let size = (picture.width(), picture.height());
            assert!(self.fault != Fault::PanicsAtOnePixel || size != (1, 1), "one pixel");
            let same = self.held.as_ref().is_some_and(|held| held.time == picture.time);
            if self.fault == Fault::FearsEqualTimes && same && picture.time == Timestamp::from_millis(60_000) {
                return Err(Error::fatal("twice"));
            }
            let resized = self.fault != Fault::SizeUnnoticed && std::mem::replace(&mut self.size, size) != size;
            let role = if std::mem::take(&mut self.key) || resized { Role::Start } else { Role::Reference };
            let late = if self.fault == Fault::OwnTime { Duration::from_millis(1) } else { Duration::ZERO };
            let codec = if self.fault == Fault::OtherCodec { OPUS } else { VP8 };
            let data = vec![0; (self.rate / 8 / PICTURES_PER_SECOND) as usize + 1];
            let frame = EncodedFrame::new(codec, picture.time + late, data)
                .with_role(role)
                .with_estimated_time(picture.time_is_estimated)
                .with_size((self.fault != Fault::NoSize).then_some(size));
            let given = self.held.replace(frame);
            out.items().extend(given);
            Ok(())
        }

        fn finish(&mut self, out: &mut Out<EncodedFrame>) -> Result<()> {
            let last = self.held.take();
            if self.fault != Fault::KeepsTheLast {
                out.items().extend(last);
            }
            Ok(())
        }

        fn control(&mut self, wish: Control, _: &mut Cx) -> Option<Control> {
            match wish {
                Control::KeyFrame(_) if self.fault == Fault::KeyPassedOn => return Some(wish),
                Control::KeyFrame(_) => self.key = self.fault != Fault::KeyNever,
                Control::Bitrate(_) if self.fault == Fault::RateIgnored => self.rate = 200_000,
                Control::Bitrate(rate) => {
                    let double = if self.fault == Fault::RateOvershot { 2 } else { 1 };
                    self.rate = rate.unwrap_or(Bitrate::MAX).bps().min(500_000) * double;
                }
                other => return Some(other),
            }
            None
        }
    }

    #[test]
    fn a_good_encoder_passes_and_each_fault_is_found() {
        video_encoder(VP8, fake(Fault::None));
        for (fault, words) in [
            (Fault::OtherCodec, "Seen: the codec opus"),
            (Fault::NoSize, "Seen: None for (320, 180)"),
            (Fault::OwnTime, "Seen: a frame at 0.001 s, where no picture was"),
            (Fault::StartsAnyhow, "the first frame is one that a decoder can start from. Seen: Reference"),
            (Fault::KeepsTheLast, "is the last of"),
            (Fault::KeyNever, "Seen: None, asked before the picture at 0.667 s"),
            (Fault::KeyPassedOn, "passed on"),
            (Fault::RateIgnored, "when half of it was asked for"),
            (Fault::RateOvershot, "where 500000 were asked for"),
            (Fault::SizeUnnoticed, "Seen: Reference of Some((640, 360)) first, for pictures of (640, 360)"),
            (Fault::PanicsAtOnePixel, "Seen: a panic: one pixel"),
            (Fault::FearsEqualTimes, "`twice` (Fatal) at 60.000 s"),
        ] {
            fails(words, || video_encoder(VP8, fake(fault)));
        }
    }
}
