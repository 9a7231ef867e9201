//! What a speaker plays, given back as a source and stamped with the time at which it is heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};

use millstream_core::{AudioFrame, Cx, Next, Result, Source, Timestamp};

use crate::RATE;
use crate::capture::Capture;
use crate::microphone::POLL;

/// Frames in a block: 10 ms, the length that echo cancellers work in.
pub(crate) const PLAYED_BLOCK: usize = RATE as usize / 100;

/// Gives what a [`Speaker`](crate::Speaker)'s device plays, in blocks of 10 ms at 48 kHz in stereo, silence included.
///
/// A block is given when the device takes it, and its time is when it is heard: some tens of milliseconds later, as
/// far as the sound system knows. Stamps count samples, as those of a [`Microphone`](crate::Microphone) do. A device
/// that was lost and opened again begins with a discontinuity; the first 200 ms of each session are not given. It
/// ends with the speaker.
pub struct Played {
    sessions: Receiver<Capture>,
    capture: Option<Capture>,
    end: Arc<AtomicU64>,
}

/// The speaker's half: each time its device is opened, a session begins.
pub(crate) struct Sessions {
    sessions: Sender<Capture>,
    end: Arc<AtomicU64>,
}

impl Played {
    pub(crate) fn new() -> (Played, Sessions) {
        let (sender, receiver) = mpsc::channel();
        let end = Arc::new(AtomicU64::new(0));
        let played = Played { sessions: receiver, capture: None, end: Arc::clone(&end) };
        (played, Sessions { sessions: sender, end })
    }
}

impl Sessions {
    /// When the last block ended that was given: a new session starts behind it.
    pub(crate) fn end(&self) -> Timestamp {
        Timestamp::from_nanos(self.end.load(Ordering::Acquire))
    }

    /// Gives what is played from now on.
    pub(crate) fn begin(&self, capture: Capture) {
        // Without a source nobody takes it.
        let _ = self.sessions.send(capture);
    }
}

impl Source<AudioFrame> for Played {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<AudioFrame>> {
        let ended = loop {
            match self.sessions.try_recv() {
                Ok(capture) => self.capture = Some(capture),
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => break true,
            }
        };
        let block = self.capture.as_mut().and_then(|capture| capture.next(|_, _| {}));
        if let Some(capture) = &self.capture {
            self.end.store(capture.end().as_nanos(), Ordering::Release);
        }
        Ok(match block {
            Some(block) => Next::Item(block),
            None if ended => Next::End,
            None => Next::Until(cx.now() + POLL),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::capture::{self, Intake};
    use crate::stream::PLAYED_CHANNELS;

    const PERIOD: usize = 480;

    /// A device that plays a ramp of frame numbers, its periods heard 30 ms after the time that it asks for them.
    struct Device {
        intake: Intake,
        asked: Timestamp,
        frames: usize,
    }

    impl Device {
        fn open(sessions: &Sessions, asked: Timestamp) -> Device {
            let (intake, capture) = capture::session(RATE, PLAYED_CHANNELS, PLAYED_BLOCK, sessions.end()).unwrap();
            sessions.begin(capture);
            Device { intake, asked, frames: 0 }
        }

        fn play(&mut self, periods: usize) {
            for _ in 0..periods {
                let samples = (self.frames..self.frames + PERIOD).flat_map(|frame| [frame as f32 / 1e6; 2]);
                self.intake.put(PERIOD, self.asked + Duration::from_millis(30), samples);
                self.asked += Duration::from_millis(10);
                self.frames += PERIOD;
            }
        }
    }

    fn blocks(played: &mut Played) -> Vec<AudioFrame> {
        let mut cx = Cx::at(Timestamp::ZERO);
        std::iter::from_fn(|| match played.next(&mut cx).unwrap() {
            Next::Item(block) => Some(block),
            _ => None,
        })
        .collect()
    }

    #[test]
    fn what_is_played_is_given_with_the_time_at_which_it_is_heard() {
        let (mut played, sessions) = Played::new();
        let mut device = Device::open(&sessions, Timestamp::from_millis(1000));
        device.play(100);
        let given = blocks(&mut played);
        assert!((70..=79).contains(&given.len()), "{} blocks: all but the first 200 ms", given.len());
        let first = given[0].time;
        for (number, block) in given.iter().enumerate() {
            assert_eq!((block.rate, block.channels, block.len()), (RATE, PLAYED_CHANNELS, PLAYED_BLOCK));
            assert_eq!(block.time, first + Duration::from_millis(10) * number as u32);
            assert_eq!(block.discontinuity, number == 0);
            if number > 2 {
                // Frame n was asked for at 1 s and n / 48 ms, and is heard 30 ms after that.
                let frame = f64::from(block.samples[480]) * 1e6;
                let heard = 1.03 + (frame - 240.0) / f64::from(RATE);
                assert!((heard - block.time.as_nanos() as f64 / 1e9).abs() < 5e-4, "frame {frame} at {:?}", block.time);
            }
        }
    }

    #[test]
    fn a_device_that_comes_back_is_a_discontinuity_and_the_speakers_end_is_the_end() {
        let (mut played, sessions) = Played::new();
        Device::open(&sessions, Timestamp::from_millis(1000)).play(100);
        let before = blocks(&mut played);
        Device::open(&sessions, Timestamp::from_millis(2500)).play(100);
        let after = blocks(&mut played);
        assert!(after[0].discontinuity && after[0].time > before.last().unwrap().time);
        let mut cx = Cx::at(Timestamp::ZERO);
        assert!(matches!(played.next(&mut cx).unwrap(), Next::Until(_)));
        drop(sessions);
        assert!(matches!(played.next(&mut cx).unwrap(), Next::End));
    }
}
