//! The source `test-video`: a test picture with a running clock, something that moves, a flash in
//! step with the beep of `test-audio`, and its capture time as a [timecode strip](crate::timecode).

mod font;
mod picture;

use millstream_core::units::{FrameRate, Pixels};
use millstream_core::{Control, Cx, Descriptor, Format, Next, PixelFormat, Pool, Result, Source, VideoFrame, Worker};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::POOLED_ITEMS;
use crate::pace::Pace;
use picture::Picture;

/// Options of `test-video`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// Width of the picture in pixels. Below 84 there is no room for the timecode strip.
    pub width: Pixels,
    /// Height of the picture in pixels. Below 16 there is no room for the timecode strip.
    pub height: Pixels,
    /// Pictures per second.
    pub fps: FrameRate,
    /// What the picture shows.
    pub pattern: Pattern,
}

/// What the picture shows. The clock (UTC) and the timecode strip are in all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pattern {
    /// Colour bars and a moving square.
    #[default]
    Bars,
    /// Bars whose lower third turns white for 100 ms at the start of each second of UTC.
    Flash,
    /// Grey noise, new in each picture: the hardest picture to encode.
    Noise,
    /// Black, with nothing moving but the clock: the easiest picture to encode.
    Black,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            width: Pixels::new(1280).expect("1280 is in range"),
            height: Pixels::new(720).expect("720 is in range"),
            fps: FrameRate::THIRTY,
            pattern: Pattern::default(),
        }
    }
}

/// Gives test pictures: I420, limited range, BT.601.
///
/// Picture n was captured at the pipeline's start plus n periods, exactly, and is given then. One
/// that is late is given all the same, unless it is more than five seconds late, as after the
/// machine slept: then everything up to the present is left out. While a consumer wishes a
/// [pause](Control::Pause) there are no pictures.
#[derive(Debug)]
pub struct TestVideo {
    size: (u32, u32),
    picture: Picture,
    pool: Pool<u8>,
    pace: Pace,
    paused: bool,
}

impl TestVideo {
    /// Draws what does not move.
    ///
    /// # Errors
    /// None today; a pattern that needs more than a size may have some.
    pub fn new(options: Options) -> Result<TestVideo> {
        let size = (options.width.get(), options.height.get());
        Ok(TestVideo {
            size,
            picture: Picture::new(size, options.pattern),
            pool: Pool::new(POOLED_ITEMS),
            pace: Pace::new(options.fps),
            paused: false,
        })
    }
}

impl Source<VideoFrame> for TestVideo {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<VideoFrame>> {
        if self.paused {
            return Ok(Next::Idle);
        }
        self.pace.skip_if_too_late(cx);
        let time = self.pace.due(cx);
        if cx.now() < time {
            return Ok(Next::Until(time));
        }
        let (picture, utc) = (&self.picture, cx.utc(time));
        let frame = VideoFrame::fill(&mut self.pool, PixelFormat::I420, self.size, time, |planes| {
            picture.draw(planes, self.pace.count(), utc);
        });
        self.pace.advance();
        Ok(Next::Item(frame))
    }

    fn control(&mut self, wish: Control, cx: &mut Cx) {
        if let Control::Pause(paused) = wish {
            if self.paused && !paused {
                self.pace.skip_to_now(cx);
            }
            self.paused = paused;
        }
    }
}

/// Describes `test-video`.
pub fn descriptor() -> Descriptor {
    Descriptor::source(
        "test-video",
        "Generates a test picture with a clock, a flash and its capture time",
        Format::Video,
    )
    .build(|options: Options, _| Ok(Worker::source(TestVideo::new(options)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::tests::{cx, step};
    use crate::timecode;
    use millstream_core::{Plane, Timestamp};
    use std::time::Duration;

    /// A moment with all digits in it: 2024-06-07 12:34:56.789 UTC.
    const MOMENT: Duration = Duration::from_millis(1_717_763_696_789);

    fn small(pattern: Pattern) -> Options {
        Options { width: Pixels::new(320).unwrap(), height: Pixels::new(180).unwrap(), pattern, ..Options::default() }
    }

    fn lower_third(luma: Plane<'_>) -> f64 {
        let rows = luma.rows / 3;
        let sum: u64 = luma.iter().skip(luma.rows - rows).flatten().map(|sample| u64::from(*sample)).sum();
        sum as f64 / (rows * luma.row) as f64
    }

    #[test]
    fn thirty_frames_at_the_right_times_with_the_right_timecodes() {
        let (mut cx, hand) = cx(Timestamp::from_millis(250), MOMENT);
        let mut video = TestVideo::new(small(Pattern::Bars)).unwrap();
        for n in 0..30 {
            let frame = step(&mut video, &mut cx, &hand).unwrap().unwrap();
            assert_eq!(frame.time, Timestamp::from_millis(250) + FrameRate::THIRTY.time_of(n));
            assert_eq!(cx.now(), frame.time);
            let millis = cx.utc(frame.time).unix_millis() as u32;
            assert_eq!(timecode::read(frame.plane(0)), Some(millis));
        }
    }

    #[test]
    fn the_flash_lasts_100_ms_from_the_start_of_each_second() {
        let (mut cx, hand) = cx(Timestamp::ZERO, MOMENT);
        let options = Options { fps: FrameRate::new(100, 1).unwrap(), ..small(Pattern::Flash) };
        let mut video = TestVideo::new(options).unwrap();
        let mut white = 0;
        for _ in 0..300 {
            let frame = step(&mut video, &mut cx, &hand).unwrap().unwrap();
            let since_second = cx.utc(frame.time).unix_millis() % 1000;
            let mean = lower_third(frame.plane(0));
            assert_eq!(mean > 130.0, since_second < 100, "{since_second} ms: {mean}");
            white += usize::from(mean > 130.0);
        }
        assert_eq!(white, 30);
    }

    #[test]
    fn late_frames_are_all_given_but_not_those_of_a_long_sleep() {
        let (mut cx, hand) = cx(Timestamp::ZERO, Duration::ZERO);
        let mut video = TestVideo::new(small(Pattern::Black)).unwrap();
        hand.set(Timestamp::from_millis(4900));
        for n in 0..=147 {
            let Next::Item(frame) = video.next(&mut cx).unwrap() else { panic!("frame {n} is late") };
            assert_eq!(frame.time, Timestamp::ZERO + FrameRate::THIRTY.time_of(n));
        }
        assert_eq!(video.next(&mut cx).unwrap().until(), Some(Timestamp::ZERO + FrameRate::THIRTY.time_of(148)));
        hand.set(Timestamp::from_millis(60_010));
        assert_eq!(video.next(&mut cx).unwrap().until(), Some(Timestamp::ZERO + FrameRate::THIRTY.time_of(1801)));
    }

    #[test]
    fn a_pause_leaves_out_what_lies_in_it() {
        let (mut cx, hand) = cx(Timestamp::ZERO, Duration::ZERO);
        let mut video = TestVideo::new(small(Pattern::Noise)).unwrap();
        step(&mut video, &mut cx, &hand).unwrap();
        video.control(Control::Pause(true), &mut cx);
        hand.set(Timestamp::from_millis(1500));
        assert!(matches!(video.next(&mut cx).unwrap(), Next::Idle));
        video.control(Control::Pause(false), &mut cx);
        let frame = step(&mut video, &mut cx, &hand).unwrap().unwrap();
        assert_eq!(frame.time, Timestamp::from_millis(1500));
    }

    #[test]
    fn every_size_and_pattern_can_be_drawn_and_no_two_frames_are_alike() {
        for (width, height) in [(1, 1), (2, 300), (300, 2), (83, 15), (84, 16), (85, 17), (641, 479), (1920, 1080)] {
            for pattern in [Pattern::Bars, Pattern::Flash, Pattern::Noise, Pattern::Black] {
                let side = |side| Pixels::new(side).unwrap();
                let (mut cx, hand) = cx(Timestamp::ZERO, MOMENT);
                let options = Options { width: side(width), height: side(height), pattern, ..Options::default() };
                let mut video = TestVideo::new(options).unwrap();
                let first = step(&mut video, &mut cx, &hand).unwrap().unwrap();
                let second = step(&mut video, &mut cx, &hand).unwrap().unwrap();
                if width >= 84 && height >= 16 {
                    assert!(!first.plane(0).iter().eq(second.plane(0).iter()), "{width}x{height} {pattern:?}");
                }
            }
        }
    }

    trait Until {
        fn until(&self) -> Option<Timestamp>;
    }

    impl<T> Until for Next<T> {
        fn until(&self) -> Option<Timestamp> {
            match self {
                Next::Until(time) => Some(*time),
                _ => None,
            }
        }
    }
}
