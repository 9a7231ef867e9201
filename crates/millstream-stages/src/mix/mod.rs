//! The stage `mix`: makes one sound of any number, each sample where it was captured.
//!
//! It does not resample (that is for [`resample`](mod@crate::resample)), and it does not mind how loud the sum gets.

mod input;
mod options;
mod sum;

use std::time::Duration;

use millstream_core::known::{Known, SoundGiven, SoundTaken};
use millstream_core::{
    AudioFrame, Descriptor, Error, Format, FromInput, InputEvent, InputId, Out, Pool, Result, Stage, Timestamp, Worker,
    samples_to_time,
};

use crate::POOLED_ITEMS;
use input::Input;
pub use options::Options;
use sum::Sum;

/// Samples per second and channel.
const RATE: u32 = 48_000;
/// Samples that wait to be given, in each channel: an input that is more than a second ahead is held.
const ROOM: usize = RATE as usize;
/// How late a block of silence may be before it is left out, with those before the present.
const LATEST: Duration = Duration::from_secs(1);

/// Adds up any number of inputs at 48 kHz, of one or two channels each.
///
/// Sample n was captured at the pipeline's start plus n / 48000 s, and blocks begin at multiples of
/// their size: stamps follow from the count, and nothing drifts. A block is given when every input
/// has given its part, or when it has been waited for long enough. An input that lets a block wait
/// too long, while others do not, is silence from then on, and is waited for again once it gives
/// something; what comes after its block was given is a bad item. One that joins is waited for, and
/// mixed from its first block on; one that has ended is not waited for. What an input leaves out is
/// silence; of what it gives twice the first counts.
///
/// An input that is more than a second ahead is held, so that its link's policy applies: files mix as
/// fast as the slowest is read. Without inputs nothing is given; when one joins after such a pause,
/// the next block is marked as a discontinuity.
///
/// Nothing is clipped: the sum may be louder than the loudest until something makes it whole
/// numbers, and quieter again before that.
#[derive(Debug)]
pub struct Mix {
    gains: Vec<f32>,
    channels: u16,
    patience: Duration,
    inputs: Vec<Input>,
    sum: Sum,
    pool: Pool<f32>,
    given: bool,
    discontinuity: bool,
}

impl Mix {
    /// A mixer without inputs.
    ///
    /// # Errors
    /// A wrong configuration if there are more than two channels or none, if a block is not from 1 ms to
    /// 100 ms of whole samples, or if it may not even wait for its own end.
    pub fn new(options: Options) -> Result<Mix> {
        let block = options.checked()?;
        Ok(Mix {
            gains: options.gain.iter().map(|gain| gain.factor() as f32).collect(),
            channels: options.channels,
            patience: options.patience.duration(),
            inputs: Vec::new(),
            sum: Sum::new(options.channels, block, ROOM),
            pool: Pool::new(POOLED_ITEMS),
            given: false,
            discontinuity: false,
        })
    }

    fn join(&mut self, id: InputId, out: &Out<AudioFrame>) {
        if self.inputs.is_empty() {
            self.skip_to_present(out);
        }
        let gain = self.gains.get(id.index() as usize).copied().unwrap_or(1.0);
        self.inputs.push(Input::new(id, gain));
    }

    /// Leaves out the blocks that have been waited for long enough already. Nothing is inside.
    fn skip_to_present(&mut self, out: &Out<AudioFrame>) {
        let present = sample_at(out.now() - self.patience, out.start());
        self.discontinuity |= self.sum.skip_to(present) && self.given;
    }

    fn take(&mut self, id: InputId, frame: AudioFrame, out: &mut Out<AudioFrame>) -> Result<()> {
        let Some(input) = self.inputs.iter_mut().find(|input| input.id == id) else { return Ok(()) };
        check(&frame, id)?;
        let start = input.place(sample_at(frame.time, out.start()), frame.discontinuity);
        let late = self.sum.from() - (start + frame.len() as i64);
        input.waited = true;
        if frame.is_empty() {
            return Ok(());
        }
        if late >= 0 {
            return Err(Error::bad_item(format!(
                "sound of input {} came too late: {:?} from its end on had been mixed; a longer `patience` waits for it",
                id.index(),
                samples_to_time(late as u64, RATE)
            )));
        }
        if input.is_ahead() {
            // Whoever runs it delivers nothing of an input that is held.
            return Err(Error::bad_item(format!("sound of input {} came while it was held", id.index())));
        }
        input.take(frame, start, &mut self.sum);
        out.hold(id, input.is_ahead());
        Ok(())
    }

    /// Gives every block that is complete, or has been waited for long enough: a second of them at
    /// the most, and more once they are gone. An input may leave out an hour, and there is no room for that.
    fn give_due(&mut self, out: &mut Out<AudioFrame>) {
        for _ in 0..self.sum.blocks() {
            if !self.is_complete() {
                if self.inputs.is_empty() {
                    return;
                }
                let deadline = self.time(out) + self.patience;
                if out.now() < deadline {
                    out.wake_at(deadline);
                    return;
                }
                self.give_up();
                if self.sum.is_empty() && out.now().since(deadline) > LATEST {
                    self.skip_to_present(out);
                }
            }
            self.give(out);
        }
        let now = out.now();
        out.wake_at(now);
    }

    /// Whether nobody is waited for who could add to the next block.
    fn is_complete(&self) -> bool {
        let end = self.sum.block_end();
        let mut waited = self.inputs.iter().filter(|input| input.waited).peekable();
        if waited.peek().is_none() {
            return !self.sum.is_empty();
        }
        waited.all(|input| input.has_given(end))
    }

    /// Waits no longer for those who lack in the next block. Where that is everybody, nobody is late.
    fn give_up(&mut self) {
        let end = self.sum.block_end();
        if self.inputs.iter().any(|input| input.has_given(end)) {
            self.inputs.iter_mut().for_each(|input| input.waited &= input.has_given(end));
        }
    }

    fn give(&mut self, out: &mut Out<AudioFrame>) {
        let time = self.time(out);
        let samples = self.pool.fill(self.sum.block_len(), |to| self.sum.take(to));
        let discontinuity = std::mem::take(&mut self.discontinuity);
        out.push(AudioFrame::new(RATE, self.channels, time, samples).with_discontinuity(discontinuity));
        self.given = true;
        for input in self.inputs.iter_mut().filter(|input| input.is_ahead()) {
            input.add_to(&mut self.sum);
            out.hold(input.id, input.is_ahead());
        }
    }

    /// When the next block was captured.
    fn time(&self, out: &Out<AudioFrame>) -> Timestamp {
        out.start() + samples_to_time(self.sum.from() as u64, RATE)
    }
}

/// The sample that was captured nearest to `time`, counted from `start`.
fn sample_at(time: Timestamp, start: Timestamp) -> i64 {
    let samples = |span: Duration| Timestamp::from_nanos(span.as_nanos() as u64).ticks(RATE) as i64;
    samples(time.since(start)) - samples(start.since(time))
}

fn check(frame: &AudioFrame, id: InputId) -> Result<()> {
    let (rate, channels, input) = (frame.rate, frame.channels, id.index());
    if rate != RATE {
        return Err(Error::fatal(format!(
            "input {input} gives sound at {rate} Hz; only 48000 Hz can be mixed: put `resample` before it"
        )));
    }
    if !(1..=2).contains(&channels) {
        return Err(Error::fatal(format!(
            "input {input} gives {channels} channels; only 1 or 2 can be mixed: put `remix` before it"
        )));
    }
    Ok(())
}

impl Stage<FromInput<AudioFrame>, AudioFrame> for Mix {
    fn process(&mut self, received: FromInput<AudioFrame>, out: &mut Out<AudioFrame>) -> Result<()> {
        let id = received.input;
        let taken = match received.event {
            InputEvent::Joined => {
                self.join(id, out);
                Ok(())
            }
            InputEvent::Item(frame) => self.take(id, frame, out),
            InputEvent::Ended => {
                self.inputs.retain(|input| input.id != id);
                Ok(())
            }
        };
        self.give_due(out);
        taken
    }

    fn wake(&mut self, out: &mut Out<AudioFrame>) -> Result<()> {
        self.give_due(out);
        Ok(())
    }

    fn finish(&mut self, out: &mut Out<AudioFrame>) -> Result<()> {
        while !self.sum.is_empty() {
            self.give(out);
        }
        Ok(())
    }
}

/// Describes `mix`.
pub fn descriptor() -> Descriptor {
    Descriptor::stage("mix", "Mixes any number of inputs into one", Format::Audio, Format::Audio)
        .many()
        .taking(SoundTaken { rates: &[RATE], channels: 2 })
        .knowing(
            |options: &Options| Known::default().gives(SoundGiven::always(RATE, options.channels)),
            |options: Options, joined| {
                let (gains, inputs) = (options.gain.len(), joined.count("input"));
                if gains > inputs {
                    return Err(Error::config(format!(
                        "`gain` has {gains} values for {inputs} inputs; write one for each input, in their order"
                    )));
                }
                Ok(Worker::many_stage(Mix::new(options)?))
            },
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_core::units::Span;

    fn input(number: u32) -> InputId {
        InputId::new(number)
    }

    fn frame(time: Timestamp, len: usize, sample: f32) -> AudioFrame {
        AudioFrame::new(RATE, 1, time, vec![sample; len])
    }

    /// A mixer at time 0 with `inputs` inputs, each of which is known to `out`.
    fn mix(options: Options, inputs: u32) -> (Mix, Out<AudioFrame>) {
        let (mut mix, mut out) = (Mix::new(options).unwrap(), Out::at(Timestamp::ZERO));
        for number in 0..inputs {
            out.join_input(input(number), Default::default());
            mix.process(FromInput::joined(input(number)), &mut out).unwrap();
        }
        (mix, out)
    }

    fn mono() -> Options {
        Options { channels: 1, ..Options::default() }
    }

    #[test]
    fn options_that_cannot_be_met_are_refused() {
        let refused = |options: Options| Mix::new(options).unwrap_err().to_string();
        let span = Span::from_micros;
        assert_eq!(refused(Options { channels: 3, ..mono() }), "`channels` is 3; a mixer gives 1 or 2");
        for micros in [500, 1001, 101_000] {
            assert!(refused(Options { frame: span(micros), ..mono() }).starts_with("`frame` is"));
        }
        assert!(refused(Options { patience: span(9999), ..mono() }).starts_with("`patience` is"));
        Mix::new(Options { frame: span(2500), patience: span(2500), ..mono() }).unwrap();
    }

    #[test]
    fn only_48_khz_and_two_channels_are_taken() {
        let (mut mix, mut out) = mix(mono(), 1);
        let slow = AudioFrame::new(44_100, 1, Timestamp::ZERO, vec![0.0; 441]);
        let error = mix.process(FromInput::item(input(0), slow), &mut out).unwrap_err();
        assert_eq!(
            error.to_string(),
            "input 0 gives sound at 44100 Hz; only 48000 Hz can be mixed: put `resample` before it"
        );
        let many = AudioFrame::new(RATE, 6, Timestamp::ZERO, vec![0.0; 480]);
        let error = mix.process(FromInput::item(input(0), many), &mut out).unwrap_err();
        assert_eq!(error.to_string(), "input 0 gives 6 channels; only 1 or 2 can be mixed: put `remix` before it");
    }

    #[test]
    fn rounded_stamps_leave_no_seam_and_a_discontinuity_begins_anew() {
        let (mut mix, mut out) = mix(mono(), 1);
        // Half a sample after the grid: one rounds down and the next up, if each is taken alone.
        let half = Timestamp::from_nanos(10_416);
        let give = |mix: &mut Mix, out: &mut Out<_>, frame| mix.process(FromInput::item(input(0), frame), out).unwrap();
        give(&mut mix, &mut out, frame(half, 479, 1.0));
        give(&mut mix, &mut out, frame(half + samples_to_time(479, RATE) + Duration::from_nanos(20), 1, 2.0));
        assert_eq!(out.items().pop_front().unwrap().samples[478..], [1.0, 2.0]);
        // A millisecond is missing.
        let gap = frame(Timestamp::from_millis(11), 480, 3.0).with_discontinuity(true);
        give(&mut mix, &mut out, gap);
        let block = out.items().pop_front().unwrap();
        assert_eq!((block.samples[47], block.samples[48], block.discontinuity), (0.0, 3.0, false));
    }

    #[test]
    fn what_is_more_than_a_second_ahead_is_held_and_none_of_it_lost() {
        let (mut mix, mut out) = mix(mono(), 2);
        mix.process(FromInput::item(input(0), frame(Timestamp::ZERO, 48_240, 0.5)), &mut out).unwrap();
        assert!(out.is_held(input(0)) && !out.is_held(input(1)) && out.items().is_empty());
        mix.process(FromInput::item(input(1), frame(Timestamp::ZERO, 480, 0.25)), &mut out).unwrap();
        assert!(!out.is_held(input(0)));
        assert_eq!(out.items().pop_front().unwrap().samples[..], [0.75; 480]);
        mix.process(FromInput::ended(input(1)), &mut out).unwrap();
        assert_eq!(out.items().len(), 99);
        mix.process(FromInput::ended(input(0)), &mut out).unwrap();
        let last = out.items().pop_back().unwrap();
        assert_eq!((last.time, &last.samples[239..241]), (Timestamp::from_millis(1000), &[0.5, 0.0][..]));
    }

    #[test]
    fn an_hour_that_is_left_out_is_given_a_second_at_a_time() {
        let (mut mix, mut out) = mix(mono(), 1);
        let hour = Timestamp::from_millis(3_600_000);
        mix.process(FromInput::item(input(0), frame(hour, 480, 0.5)), &mut out).unwrap();
        let mut given = Vec::new();
        while given.last().is_none_or(|(time, _)| *time < hour) {
            assert!(out.items().len() <= 100, "{}", out.items().len());
            given.extend(out.items().drain(..).map(|block| (block.time, block.samples[0])));
            mix.wake(&mut out).unwrap();
        }
        assert_eq!((given.len(), given.last()), (360_001, Some(&(hour, 0.5))));
        assert!(given[..360_000].iter().all(|(_, sample)| *sample == 0.0) && !out.is_held(input(0)));
    }

    #[test]
    fn a_buffer_is_used_again() {
        let (mut mix, mut out) = mix(Options::default(), 2);
        let mut given = |number: u64| {
            for id in 0..2 {
                let frame = frame(Timestamp::from_millis(10 * number), 480, 0.5);
                mix.process(FromInput::item(input(id), frame), &mut out).unwrap();
            }
            out.items().pop_front().unwrap().samples.as_ptr()
        };
        let first = given(0);
        assert!((1..500).all(|number| given(number) == first));
    }
}
