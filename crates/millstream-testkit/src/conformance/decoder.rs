//! What a decoder must do, of sound and of pictures.

use std::time::Duration;

use millstream_core::error::Kind;
use millstream_core::{
    AudioFrame, Codec, Control, EncodedFrame, Error, Media, OPUS, Out, Role, Stage, Timestamp, VP8, VideoFrame,
    samples_to_time,
};

use super::bench::{Bench, Stand};
use super::rule::{Seen, ensure, must, unexpected, wishes};
use super::transform::transform;
use crate::chance::Chance;
use crate::examples;

/// What the encoder is fed with: what every encoder of sound of ours takes.
const RATE: u32 = 48_000;
/// Blocks of 10 ms that are encoded: enough for 40 frames of 60 ms and some.
const BLOCKS: u64 = 300;
/// Frames that are given at the least.
const FRAMES: usize = 40;
/// When the first frame was captured: not at the start of the pipeline, nor at a whole millisecond.
const BEGIN: Duration = Duration::from_nanos(777_000_125);
/// What stamps may be wrong by: rates that do not divide a second have no whole nanoseconds.
const ROUNDING: Duration = Duration::from_nanos(1);
/// The loudest that silence may be: -60 dB, and the smallest step of A-law lies below it.
const SILENCE: f32 = 0.001;
/// The most sound that is made of one frame, whatever it says: G.711 makes 12.5 s of 100 kB.
const LONGEST: Duration = Duration::from_secs(60);
/// Bytes of a payload that no encoder gives.
const HUGE: usize = 100_000;
/// The size of pictures that most requirements are checked with.
const SIZE: (u32, u32) = (320, 180);

/// Says that a decoder of `codec` does what a decoder of sound must, and what any [stage](super::transform())
/// must: `make` gives new ones, and `make_encoder` new encoders that take 48 kHz in mono and whose frames it decodes.
///
/// # Panics
/// If it does not do something of it.
#[track_caller]
pub fn audio_decoder<S, E>(codec: Codec, make: impl Fn() -> S, make_encoder: impl Fn() -> E)
where
    S: Stage<EncodedFrame, AudioFrame> + 'static,
    E: Stage<AudioFrame, EncodedFrame> + 'static,
{
    let encoded = |loudness: f32| {
        let blocks = (0..BLOCKS).map(|number| {
            let block = examples::block(RATE, 1, number);
            let samples: Vec<f32> = block.samples.iter().map(|sample| sample * loudness).collect();
            block.with_samples(samples)
        });
        let given = Bench::new(make_encoder()).run(blocks);
        given.map(|given| given.into_iter().map(|frame| later(frame, BEGIN)).collect::<Vec<_>>())
    };
    let mut frames = Vec::new();
    must("the encoder gives frames of the codec, 40 in 3 s at the least, that say how long they last", || {
        frames = encoded(1.0)?;
        ensure(frames.len() >= FRAMES, || format!("{} frames", frames.len()))?;
        let odd = frames.iter().find(|frame| frame.codec != codec || frame.duration.is_zero());
        ensure(codec.media == Media::Audio && odd.is_none(), || format!("{odd:?}"))
    });
    let frames = frames;
    let long = frames[0].duration;
    transform(&make, |number| frames[number as usize].clone());
    let bench = || Bench::new(make());
    must("rate and channels are those of the first block, and samples divide into the channels", || {
        let given = bench().run(frames.clone())?;
        let told = |block: &AudioFrame| (block.rate, block.channels);
        let other = given.iter().find(|block| told(block) != told(&given[0]));
        ensure(other.is_none(), || format!("{:?} after {:?}", other.map(told), told(&given[0])))?;
        given.iter().try_for_each(whole)
    });
    must("blocks touch: the first starts with the first frame, each other where the one before ends", || {
        let given = bench().run(frames.clone())?;
        let (first, begin) = (given.first().map(|block| block.time), frames[0].time);
        ensure(first == Some(begin), || format!("the first block at {first:?}, the first frame at {begin:?}"))?;
        touch(&given)
    });
    must("there is as much sound as the frames last, when the input has ended", || {
        for count in [1, 2, frames.len()] {
            let given = bench().run(frames[..count].to_vec())?;
            let sample = given.first().map_or(Duration::ZERO, |block| samples_to_time(1, block.rate));
            let (held, sound) = (frames[..count].iter().map(|frame| frame.duration).sum(), lasts(&given));
            let wrong = sound.abs_diff(held);
            ensure(wrong <= sample, || format!("{sound:?} of sound from {count} frames that last {held:?}"))?;
        }
        Ok(())
    });
    must("silence is decoded to silence, and sound to sound", || {
        let loudest = |given: &[AudioFrame]| {
            given.iter().flat_map(|block| block.samples.iter()).fold(0.0, |most: f32, sample| most.max(sample.abs()))
        };
        let (silent, loud) = (loudest(&bench().run(encoded(0.0)?)?), loudest(&bench().run(frames.clone())?));
        ensure(silent <= SILENCE, || format!("{silent} in silence"))?;
        ensure(loud > SILENCE, || format!("{loud} in noise of 0.3"))
    });
    must(
        "bytes without meaning are decoded or a bad item, never endless, and good frames are decoded after them",
        || {
            for (what, data) in garbage() {
                for before in [0, 5] {
                    let mut bench = bench();
                    bench.give_all(frames[..before].to_vec())?;
                    let bad = frames[before].clone().with_data(data.clone());
                    bears_sound(&mut bench, bad, &frames[before + 1..before + 11], long)
                        .map_err(|seen| format!("{seen}, given {what} after {before} good frames"))?;
                }
            }
            Ok(())
        },
    );
    must("a decoder bears nothing but bytes without meaning, and good frames are decoded after them", || {
        let (mut bench, mut chance) = (bench(), Chance::new(1));
        let count = frames.len() - 11;
        for frame in &frames[..count] {
            let size = (chance.next() % 1500) as usize;
            take_garbage(&mut bench, frame.clone().with_data(noise(chance.next(), size)))?;
        }
        let last = frames[count].clone().with_data(noise(0, 10));
        bears_sound(&mut bench, last, &frames[count + 1..], long)
    });
    must("where a frame is missing, the block behind the gap is marked and starts with its frame", || {
        let mut bench = bench();
        let missing = 10..20;
        let given = bench.run([&frames[..missing.start], &frames[missing.end..]].concat())?;
        let behind = frames[missing.end].time;
        let Some(place) = given.iter().position(|block| block.time >= behind) else {
            return Err(format!("no block from {behind} on"));
        };
        let (before, after) = given.split_at(place);
        let seen =
            || format!("a block at {}, marked: {}, for the frame at {behind}", after[0].time, after[0].discontinuity);
        ensure(after[0].discontinuity && after[0].time == behind, seen)?;
        touch(before)?;
        touch(after)
    });
    must("a wish is passed on as it is", || {
        let mut bench = bench();
        for (number, wish) in wishes().into_iter().enumerate() {
            let passed = bench.ask(wish);
            ensure(passed == Some(wish), || format!("{passed:?} for {wish:?}"))?;
            bench.give_all([frames[number].clone()])?;
        }
        Ok(())
    });
    must("a frame of another codec is a bad item, and good frames are decoded after it", || {
        let mut bench = bench();
        bench.give_all(frames[..5].to_vec())?;
        let other = frames[5].clone().with_codec(other_than(&codec));
        is_bad_item(bench.give(other).map(|given| given.len()))?;
        sounds(&mut bench, &frames[6..16], long)
    });
}

/// Says that a decoder of `codec` does what a decoder of pictures must, and what any [stage](super::transform())
/// must: `make` gives new ones, and `make_encoder` new encoders whose frames it decodes, one for each picture.
///
/// # Panics
/// If it does not do something of it.
#[track_caller]
pub fn video_decoder<S, E>(codec: Codec, make: impl Fn() -> S, make_encoder: impl Fn() -> E)
where
    S: Stage<EncodedFrame, VideoFrame> + 'static,
    E: Stage<VideoFrame, EncodedFrame> + 'static,
{
    let encoded = |sizes: &[(u32, u32)]| {
        let pictures = sizes.iter().zip(0..).map(|(size, number)| examples::picture(*size, number));
        Bench::new(make_encoder()).run(pictures)
    };
    let mut frames = Vec::new();
    must("the encoder gives frames of the codec, one for each picture, and only some are a start", || {
        frames = encoded(&[SIZE; FRAMES])?;
        ensure(frames.len() == FRAMES, || format!("{} frames of {FRAMES} pictures", frames.len()))?;
        let odd = frames.iter().find(|frame| frame.codec != codec);
        ensure(codec.media == Media::Video && odd.is_none(), || format!("{odd:?}"))?;
        let roles = [0, 1].map(|index| frames[index].role);
        ensure(roles[0] == Role::Start && roles[1] != Role::Start, || format!("{roles:?}"))
    });
    let frames = frames;
    transform(&make, |number| frames[number as usize].clone());
    let bench = || Bench::new(make());
    must("there is a picture for each frame from a start on, of its time and size, the last at the end", || {
        for count in [1, 2, FRAMES] {
            are_pictures_of(&bench().run(frames[..count].to_vec())?, &frames[..count])?;
        }
        Ok(())
    });
    must("pictures of another size follow when the frames are of another size", || {
        let sizes = [[SIZE; 5], [(640, 360); 5], [(161, 91); 5], [SIZE; 5]].concat();
        let frames = encoded(&sizes)?;
        are_pictures_of(&bench().run(frames.clone())?, &frames)
    });
    must("a frame before the first start is a bad item and a key frame is asked for, and a start is decoded", || {
        let (mut decoder, mut out) = (make(), Out::new(Stand::at(Timestamp::ZERO).cx));
        for frame in frames[1..4].iter().filter(|frame| frame.role != Role::Start) {
            is_bad_item(decoder.process(frame.clone(), &mut out).map(|()| out.items().len()))?;
        }
        let asked: Vec<Control> = out.upstream().take().iter().flat_map(|wishes| wishes.iter()).collect();
        let key = asked.iter().any(|wish| matches!(wish, Control::KeyFrame(_)));
        ensure(key, || format!("asked for {asked:?}"))?;
        let words = |error| unexpected(&error);
        let start = later(frames[0].clone(), frames[4].time.since(frames[0].time));
        decoder.process(start.clone(), &mut out).map_err(words)?;
        decoder.finish(&mut out).map_err(words)?;
        are_pictures_of(out.items().make_contiguous(), &[start])
    });
    must("bytes without meaning are decoded or a bad item, and a start is decoded after them", || {
        for (what, data) in garbage() {
            for before in [0, 5] {
                let mut bench = bench();
                bench.give_all(frames[..before].to_vec())?;
                let bad = frames[before].clone().with_data(data.clone());
                starts_again(&mut bench, bad, &frames)
                    .map_err(|seen| format!("{seen}, given {what} after {before} good frames"))?;
            }
        }
        Ok(())
    });
    must("a frame of another codec is a bad item, and good frames are decoded after it", || {
        let mut bench = bench();
        let mut given = bench.give_all(frames[..5].to_vec())?;
        let other = frames[5].clone().with_codec(other_than(&codec));
        is_bad_item(bench.give(other).map(|given| given.len()))?;
        given.extend(bench.run(frames[5..].to_vec())?);
        are_pictures_of(&given, &frames)
    });
}

/// `frame` as if it had been captured by `span` later.
fn later(frame: EncodedFrame, span: Duration) -> EncodedFrame {
    let time = frame.time + span;
    frame.with_time(time)
}

/// A codec that `codec` is not.
fn other_than(codec: &Codec) -> Codec {
    let known = if codec.media == Media::Audio { OPUS } else { VP8 };
    if *codec != known {
        return known;
    }
    Codec::new(codec.media, "other", codec.clock_rate, codec.channels).expect("a good name")
}

/// Payloads that no encoder gives, each with what it is.
fn garbage() -> Vec<(String, Vec<u8>)> {
    let mut all = vec![("no byte".to_owned(), Vec::new())];
    all.extend([0x00, 0x55, 0x80, 0xFF].map(|byte| (format!("the byte {byte:#04x}"), vec![byte])));
    let sizes = [2, 3, 9, 10, 11, 64, 160, 1275, 1276, 5000, HUGE];
    all.extend(sizes.into_iter().zip(0..).map(|(size, seed)| (format!("{size} bytes of noise"), noise(seed, size))));
    all.push((format!("{HUGE} zeros"), vec![0; HUGE]));
    all
}

fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut chance = Chance::new(seed);
    (0..size).map(|_| (chance.next() >> 56) as u8).collect()
}

fn is_bad_item(result: Result<usize, Error>) -> Seen {
    match result {
        Err(error) if error.kind() == Kind::BadItem => Ok(()),
        Err(error) => Err(unexpected(&error)),
        Ok(given) => Err(format!("it was taken, with {given} items given")),
    }
}

fn lasts(given: &[AudioFrame]) -> Duration {
    given.iter().map(AudioFrame::duration).sum()
}

/// The block is one that somebody can play.
fn whole(block: &AudioFrame) -> Seen {
    let channels = usize::from(block.channels);
    let holds = block.rate > 0 && channels > 0 && !block.is_empty() && block.samples.len().is_multiple_of(channels);
    ensure(holds, || format!("{} samples in {channels} channels at {} Hz", block.samples.len(), block.rate))
}

/// Each block starts where the one before ends, and none but the first says that something is missing.
fn touch(given: &[AudioFrame]) -> Seen {
    for pair in given.windows(2) {
        let (end, time) = (pair[0].time + pair[0].duration(), pair[1].time);
        ensure(end.since(time).max(time.since(end)) <= ROUNDING, || {
            format!("a block at {} ns where the one before ends at {} ns", time.as_nanos(), end.as_nanos())
        })?;
        ensure(!pair[1].discontinuity, || format!("a discontinuity at {time}, where nothing is missing"))?;
    }
    Ok(())
}

/// Gives what may be a bad item; what is made of it is sound, and not too much.
fn take_garbage(bench: &mut Bench<EncodedFrame, AudioFrame>, bad: EncodedFrame) -> Seen {
    match bench.give(bad) {
        Err(error) => ensure(error.kind() == Kind::BadItem, || unexpected(&error)),
        Ok(given) => {
            ensure(lasts(&given) <= LONGEST, || format!("{:?} of sound", lasts(&given)))?;
            given.iter().try_for_each(whole)
        }
    }
}

fn bears_sound(
    bench: &mut Bench<EncodedFrame, AudioFrame>,
    bad: EncodedFrame,
    good: &[EncodedFrame],
    long: Duration,
) -> Seen {
    take_garbage(bench, bad)?;
    sounds(bench, good, long)
}

/// Gives `good`, of which all but the first, which lasts `long`, must be heard.
fn sounds(bench: &mut Bench<EncodedFrame, AudioFrame>, good: &[EncodedFrame], long: Duration) -> Seen {
    let given = bench.run(good.to_vec())?;
    let held: Duration = good.iter().map(|frame| frame.duration).sum();
    let all = lasts(&given);
    ensure(all <= held + LONGEST, || format!("{all:?} of sound after it"))?;
    // What a decoder held of the bad one comes out behind it, and is not what was asked for.
    let sound: Duration = given.iter().filter(|block| block.time >= good[0].time).map(AudioFrame::duration).sum();
    ensure(sound + long >= held, || format!("{sound:?} of sound from good frames that last {held:?}"))
}

fn are_pictures_of(given: &[VideoFrame], frames: &[EncodedFrame]) -> Seen {
    ensure(given.len() == frames.len(), || format!("{} pictures of {} frames", given.len(), frames.len()))?;
    for (picture, frame) in given.iter().zip(frames) {
        let (time, size) = (picture.time, (picture.width(), picture.height()));
        ensure(time == frame.time, || format!("a picture at {time} for a frame at {}", frame.time))?;
        let fits = frame.size.is_none_or(|said| said == size);
        ensure(fits, || format!("a picture of {size:?} for a frame of {:?}", frame.size))?;
    }
    Ok(())
}

/// Gives what may be a bad item, and a start behind it, whose picture must come.
fn starts_again(bench: &mut Bench<EncodedFrame, VideoFrame>, bad: EncodedFrame, frames: &[EncodedFrame]) -> Seen {
    if let Err(error) = bench.give(bad) {
        ensure(error.kind() == Kind::BadItem, || unexpected(&error))?;
    }
    let start = later(frames[0].clone(), Duration::from_secs(1));
    let given = bench.run([start.clone()])?;
    let times: Vec<String> = given.iter().map(|picture| picture.time.to_string()).collect();
    ensure(given.iter().any(|picture| picture.time == start.time), || {
        format!("{times:?} for a start at {}", start.time)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::rule::tests::fails;
    use millstream_core::{Cx, Layers, PixelFormat, Pool, Result};

    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        None,
        BeginsAtZero,
        Drifts,
        ChangesRate,
        KeepsTheLast,
        Hums,
        IsDeaf,
        PanicsAtOne,
        EndlessAtOne,
        FatalAtHuge,
        NeverRecovers,
        BridgesGaps,
        GapUnmarked,
        AnswersWishes,
        TakesOthers,
    }

    /// A byte for each sample, at 48 kHz, a frame late.
    struct Fake {
        fault: Fault,
        count: u64,
        end: Option<Timestamp>,
        held: Option<AudioFrame>,
        spoilt: bool,
    }

    fn fake(fault: Fault) -> impl Fn() -> Fake {
        move || Fake { fault, count: 0, end: None, held: None, spoilt: false }
    }

    fn byte_encoder() -> impl Stage<AudioFrame, EncodedFrame> {
        |block: AudioFrame, out: &mut Out<EncodedFrame>| {
            let data: Vec<u8> = block.samples.iter().map(|sample| (sample * 127.0) as i8 as u8).collect();
            out.push(EncodedFrame::new(OPUS, block.time, data).with_duration(block.duration()));
            Ok(())
        }
    }

    impl Stage<EncodedFrame, AudioFrame> for Fake {
        fn process(&mut self, frame: EncodedFrame, out: &mut Out<AudioFrame>) -> Result<()> {
            let fault = self.fault;
            if frame.codec != OPUS && fault != Fault::TakesOthers {
                return Err(Error::bad_item("a frame of another codec"));
            }
            let bytes = frame.data.len();
            self.spoilt |= fault == Fault::NeverRecovers && bytes == 11;
            match bytes {
                0 => return Err(Error::bad_item("a frame without a byte")),
                HUGE if fault == Fault::FatalAtHuge => return Err(Error::fatal("that is too much")),
                5_000.. => return Err(Error::bad_item("a frame that is too long")),
                1 if frame.data[0] == 0x55 => assert!(fault != Fault::PanicsAtOne, "one byte"),
                _ if self.spoilt => return Ok(()),
                _ => {}
            }
            let endless = fault == Fault::EndlessAtOne && frame.data[..] == [0x55];
            let hum = if fault == Fault::Hums { 0.01 } else { 0.0 };
            let gain = if fault == Fault::IsDeaf { 0.0 } else { 1.0 / 127.0 };
            let mut samples: Vec<f32> = frame.data.iter().map(|byte| f32::from(*byte as i8) * gain + hum).collect();
            if endless {
                samples.resize(61 * RATE as usize, 0.0);
            }
            let astray = self.end.is_some_and(|end| end != frame.time);
            let time = match (fault, self.end) {
                (Fault::BeginsAtZero, None) => Timestamp::ZERO,
                (Fault::Drifts, _) => frame.time + Duration::from_nanos(5 * self.count),
                (Fault::BridgesGaps, Some(end)) => end,
                _ => frame.time,
            };
            self.count += 1;
            let rate = if fault == Fault::ChangesRate && self.count == 9 { 44_100 } else { RATE };
            self.end = Some(time + samples_to_time(samples.len() as u64, RATE));
            let discontinuity = astray && !matches!(fault, Fault::GapUnmarked | Fault::Drifts | Fault::BeginsAtZero);
            let block = AudioFrame::new(rate, 1, time, samples)
                .with_discontinuity(discontinuity)
                .with_estimated_time(frame.time_is_estimated);
            out.items().extend(self.held.replace(block));
            Ok(())
        }

        fn finish(&mut self, out: &mut Out<AudioFrame>) -> Result<()> {
            let last = self.held.take();
            if self.fault != Fault::KeepsTheLast {
                out.items().extend(last);
            }
            Ok(())
        }

        fn control(&mut self, wish: Control, _: &mut Cx) -> Option<Control> {
            (self.fault != Fault::AnswersWishes).then_some(wish)
        }
    }

    #[test]
    fn a_good_decoder_of_sound_passes_and_each_fault_is_found() {
        let check = |fault| audio_decoder(OPUS, fake(fault), byte_encoder);
        check(Fault::None);
        for (fault, words) in [
            (Fault::BeginsAtZero, "Seen: the first block at Some(Timestamp(0)), the first frame at"),
            (Fault::Drifts, "Seen: a block at 787000130 ns where the one before ends at 787000125 ns"),
            (Fault::ChangesRate, "Seen: Some((44100, 1)) after (48000, 1)"),
            (Fault::KeepsTheLast, "Seen: 0ns of sound from 1 frames that last 10ms"),
            (Fault::Hums, "Seen: 0.01 in silence"),
            (Fault::IsDeaf, "Seen: 0 in noise of 0.3"),
            (Fault::PanicsAtOne, "are decoded after them. Seen: a panic: one byte"),
            (Fault::EndlessAtOne, "of sound after it, given the byte 0x55 after 0 good frames"),
            (Fault::FatalAtHuge, "Seen: the error `that is too much` (Fatal), given 100000 bytes of noise"),
            (Fault::NeverRecovers, "Seen: 0ns of sound from good frames that last 100ms, given 11 bytes of noise"),
            (Fault::BridgesGaps, "behind the gap is marked and starts with its frame. Seen: "),
            (Fault::GapUnmarked, "marked: false, for the frame at 0.977 s"),
            (Fault::AnswersWishes, "a wish is passed on as it is. Seen: None for KeyFrame"),
            (Fault::TakesOthers, "another codec is a bad item, and good frames are decoded after it. Seen: it"),
        ] {
            fails(words, || check(fault));
        }
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Flaw {
        None,
        StartsAnywhere,
        AsksForNothing,
        OwnTime,
        SizeStuck,
        FatalAtNoise,
        TakesOthers,
    }

    /// Grey pictures of the size that a frame says.
    struct Grey {
        flaw: Flaw,
        size: Option<(u32, u32)>,
    }

    /// Ten bytes for each picture, and a start where the size is another.
    fn size_encoder() -> impl Stage<VideoFrame, EncodedFrame> {
        let mut before = None;
        move |picture: VideoFrame, out: &mut Out<EncodedFrame>| {
            let size = Some((picture.width(), picture.height()));
            let role = if before == size { Role::Reference } else { Role::Start };
            before = size;
            let frame = EncodedFrame::new(VP8, picture.time, vec![7; 20]).with_role(role).with_size(size);
            out.push(frame.with_estimated_time(picture.time_is_estimated));
            Ok(())
        }
    }

    impl Stage<EncodedFrame, VideoFrame> for Grey {
        fn process(&mut self, frame: EncodedFrame, out: &mut Out<VideoFrame>) -> Result<()> {
            if frame.codec != VP8 && self.flaw != Flaw::TakesOthers {
                return Err(Error::bad_item("a frame of another codec"));
            }
            if frame.data.len() < 10 || frame.data[0] != 7 {
                let words = "a frame that is none";
                return Err(if self.flaw == Flaw::FatalAtNoise { Error::fatal(words) } else { Error::bad_item(words) });
            }
            if frame.role == Role::Start || self.flaw == Flaw::StartsAnywhere {
                let before = self.size.filter(|_| self.flaw == Flaw::SizeStuck);
                self.size = before.or(frame.size).or(Some(SIZE));
            }
            let Some(size) = self.size else {
                if self.flaw != Flaw::AsksForNothing {
                    out.ask(Control::KeyFrame(Layers::ALL));
                }
                return Err(Error::bad_item("a frame before the first start"));
            };
            let late = Duration::from_millis(if self.flaw == Flaw::OwnTime { 1 } else { 0 });
            let time = frame.time + late;
            let picture =
                VideoFrame::fill(&mut Pool::new(1), PixelFormat::Gray, size, time, |planes| planes[0].data.fill(128));
            out.push(picture.with_estimated_time(frame.time_is_estimated));
            Ok(())
        }
    }

    #[test]
    fn a_good_decoder_of_pictures_passes_and_each_fault_is_found() {
        let check = |flaw| video_decoder(VP8, || Grey { flaw, size: None }, size_encoder);
        check(Flaw::None);
        for (flaw, words) in [
            (Flaw::StartsAnywhere, "asked for, and a start is decoded. Seen: it was taken"),
            (Flaw::AsksForNothing, "Seen: asked for []"),
            (Flaw::OwnTime, "Seen: a picture at 0.001 s for a frame at 0.000 s"),
            (Flaw::SizeStuck, "Seen: a picture of (320, 180) for a frame of Some((640, 360))"),
            (Flaw::FatalAtNoise, "Seen: the error `a frame that is none` (Fatal), given no byte"),
            (Flaw::TakesOthers, "another codec is a bad item, and good frames are decoded after it. Seen: it"),
        ] {
            fails(words, || check(flaw));
        }
    }
}
