//! What an encoder of sound must do.

use std::time::Duration;

use millstream_core::error::Kind;
use millstream_core::units::Bitrate;
use millstream_core::{AudioFrame, Codec, Control, EncodedFrame, Media, Role, Stage, Timestamp, samples_to_time};

use super::bench::Bench;
use super::rule::{Seen, ensure, must, unexpected};
use super::transform::transform;
use crate::examples;

/// What is asked for first, and then half of it: what a codec for calls can do with any count of channels.
const RATE: Bitrate = Bitrate::from_kbps(32);
/// How far the half may be from it, as a share.
const TOLERANCE: f64 = 0.25;
/// What stamps may be wrong by: rates that do not divide a second have no whole nanoseconds.
const ROUNDING: Duration = Duration::from_nanos(1);

/// Says that an encoder of `codec` does what an encoder of sound must, and what any [stage](super::transform())
/// must: `make` gives new ones that take `channels` channels at `rate` per second send in silence
/// too, and are allowed 32 kbit/s.
///
/// # Panics
/// If it does not do something of it.
#[track_caller]
pub fn audio_encoder<S: Stage<AudioFrame, EncodedFrame> + 'static>(
    codec: Codec,
    (rate, channels): (u32, u16),
    make: impl Fn() -> S,
) {
    transform(&make, |number| examples::block(rate, channels, number));
    let bench = || Bench::new(make());
    must("an encoder of sound names its codec and a duration, and a decoder can start at each packet", || {
        for packet in bench().run(second(rate, channels, rate as usize / 100))? {
            ensure(packet.codec == codec && codec.media == Media::Audio, || format!("the codec {}", packet.codec))?;
            ensure(packet.role == Role::Start && packet.size.is_none(), || format!("{packet:?}"))?;
            ensure(!packet.duration.is_zero(), || "a packet that lasts no time".to_owned())?;
            ensure(!packet.data.is_empty(), || "a packet without a byte".to_owned())?;
        }
        Ok(())
    });
    let in_order = |given: &[EncodedFrame]| {
        ensure(given.first().is_some_and(|first| first.time == Timestamp::ZERO), || {
            "no packet at the start".to_owned()
        })?;
        let gap = given.windows(2).find(|pair| {
            let end = pair[0].time + pair[0].duration;
            end.since(pair[1].time).max(pair[1].time.since(end)) > ROUNDING
        });
        gap.map_or(Ok(()), |pair| {
            let (time, end) = (pair[1].time.as_nanos(), (pair[0].time + pair[0].duration).as_nanos());
            Err(format!("a packet at {time} ns where the one before ends at {end} ns"))
        })
    };
    must("packets touch: each starts where the one before ends, to the nanosecond", || {
        in_order(&bench().run(second(rate, channels, rate as usize / 100))?)
    });
    must("the size of the blocks does not matter", || {
        let told = |length| {
            let given = bench().run(second(rate, channels, length))?;
            Ok::<_, String>(given.iter().map(|packet| (packet.time, packet.data.clone())).collect::<Vec<_>>())
        };
        let usual = told(rate as usize / 100)?;
        for length in [1, 7, 333, 441, 4801, rate as usize] {
            let cut = told(length)?;
            ensure(cut == usual, || {
                format!("{} packets for blocks of {length}, {} else, or other bytes", cut.len(), usual.len())
            })?;
        }
        Ok(())
    });
    must("blocks whose stamps wander by a millisecond do not move the packets", || {
        let wandering = second(rate, channels, rate as usize / 100).enumerate().map(|(number, block)| {
            let late = Duration::from_millis(if number % 3 == 1 { 1 } else { 0 });
            let time = block.time + late;
            block.with_time(time)
        });
        in_order(&bench().run(wandering)?)
    });
    must("where sound is missing, packets start anew with the block behind the gap", || {
        let behind = Timestamp::from_millis(5000);
        let mut blocks: Vec<AudioFrame> = second(rate, channels, 333).collect();
        for (number, block) in second(rate, channels, 333).enumerate() {
            let time = behind + block.time.since(Timestamp::ZERO);
            blocks.push(block.with_time(time).with_discontinuity(number == 0));
        }
        let given = bench().run(blocks)?;
        let times = || format!("{:?}", given.iter().map(|packet| packet.time.to_string()).collect::<Vec<_>>());
        ensure(given.iter().any(|packet| packet.time == behind), || format!("none at {behind}: {}", times()))?;
        let astray = Timestamp::from_millis(1000)..behind;
        ensure(!given.iter().any(|packet| astray.contains(&packet.time)), || format!("some in the gap: {}", times()))
    });
    must("what is inside comes out when the input ends", || {
        for samples in [1, 100, rate as usize / 10 + 1] {
            let given = bench().run([examples::sound(rate, channels, 0, samples)])?;
            let held: Duration = given.iter().map(|packet| packet.duration).sum();
            let sound = samples_to_time(samples as u64, rate);
            ensure(held >= sound, || format!("{held:?} of packets for {sound:?} of sound"))?;
        }
        Ok(())
    });
    must("silence is encoded like sound", || {
        let silent = second(rate, channels, rate as usize / 100)
            .map(|block| block.clone().with_samples(vec![0.0; block.samples.len()]));
        in_order(&bench().run(silent)?)
    });
    must("a bit rate that is answered is kept: half of it gives half the bytes, within 25 %", || {
        bit_rate_is_followed(&mut bench(), rate, channels)
    });
    must("samples that do not divide into the channels are a bad item", || {
        let torn = AudioFrame::new(rate, 2, Timestamp::ZERO, vec![0.1; 961]);
        match bench().give(torn) {
            Err(error) if error.kind() == Kind::BadItem => Ok(()),
            Err(error) => Err(unexpected(&error)),
            Ok(given) => Err(format!("{} packets", given.len())),
        }
    });
    must("another rate or count of channels is taken, with packets that go on, or refused in words", || {
        for (other, count) in [(8000, 1), (16_000, 2), (44_100, 2), (48_000, 2), (48_000, 6)] {
            let mut bench = bench();
            bench.give_all(second(rate, channels, 333))?;
            let blocks = second(other, count, 333).map(|block| {
                let time = block.time + Duration::from_secs(1);
                block.with_time(time)
            });
            let given: Result<Vec<_>, _> = blocks.map(|block| bench.give(block)).collect();
            match given.map(|given| given.concat()) {
                Ok(given) => ensure(!given.is_empty(), || format!("no packet from {other} Hz, {count} channels on"))?,
                Err(error) => ensure(error.to_string().len() > 10, || unexpected(&error))?,
            }
        }
        Ok(())
    });
}

/// A second of noise in blocks of `length` samples.
fn second(rate: u32, channels: u16, length: usize) -> impl Iterator<Item = AudioFrame> {
    let whole = examples::sound(rate, channels, 0, rate as usize);
    (0..rate as usize).step_by(length).map(move |first| {
        let end = (first + length).min(rate as usize);
        let samples = whole.samples[first * usize::from(channels)..end * usize::from(channels)].to_vec();
        let time = Timestamp::ZERO + samples_to_time(first as u64, rate);
        whole.clone().with_time(time).with_samples(samples)
    })
}

fn bit_rate_is_followed(bench: &mut Bench<AudioFrame, EncodedFrame>, rate: u32, channels: u16) -> Seen {
    let mut bits = Vec::new();
    for (part, asked) in [RATE.bps(), RATE.bps() / 2].into_iter().enumerate() {
        if bench.ask(Control::Bitrate(Some(Bitrate::from_bps(asked)))).is_some() {
            return Ok(());
        }
        // Half a second to settle, and three seconds that are measured.
        let first = part as u64 * 350;
        bench.give_all((first..first + 50).map(|number| examples::block(rate, channels, number)))?;
        let given = bench.give_all((first + 50..first + 350).map(|number| examples::block(rate, channels, number)))?;
        bits.push(given.iter().map(|packet| packet.data.len() as f64 * 8.0).sum::<f64>() / 3.0);
    }
    let seen = || format!("{:.0} bit/s, and {:.0} when half of it was asked for", bits[0], bits[1]);
    ensure((bits[1] / bits[0] - 0.5).abs() <= 0.5 * TOLERANCE, seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::rule::tests::fails;
    use millstream_core::{Cx, Error, OPUS, Out, Result, VP8};

    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        None,
        OtherCodec,
        NoDuration,
        Drifts,
        FollowsBlocks,
        WandersAlong,
        BridgesGaps,
        KeepsTheLast,
        DropsSilence,
        RateIgnored,
        TakesTorn,
    }

    /// 20 ms in each packet, at 8 kHz.
    const FRAME: usize = 160;

    /// Packets of as many bytes as it may.
    struct Fake {
        fault: Fault,
        bytes: usize,
        anchor: Option<Timestamp>,
        given: u64,
        inside: Vec<f32>,
        wandered: bool,
        estimated: bool,
    }

    fn fake(fault: Fault) -> impl Fn() -> Fake {
        move || Fake {
            fault,
            bytes: 100,
            anchor: None,
            given: 0,
            inside: Vec::new(),
            wandered: false,
            estimated: false,
        }
    }

    impl Fake {
        fn packet(&mut self, out: &mut Out<EncodedFrame>) {
            let exact = self.anchor.unwrap_or_default() + Duration::from_millis(20) * self.given as u32;
            let time = match self.fault {
                Fault::Drifts => exact + Duration::from_nanos(5 * self.given),
                Fault::WandersAlong if self.wandered => exact + Duration::from_millis(1),
                _ => exact,
            };
            self.given += 1;
            let frame: Vec<f32> = self.inside.drain(..FRAME).collect();
            if self.fault == Fault::DropsSilence && frame.iter().all(|sample| *sample == 0.0) {
                return;
            }
            let first = (frame[0] * 127.0) as i8 as u8;
            let codec = if self.fault == Fault::OtherCodec { VP8 } else { OPUS };
            let duration = Duration::from_millis(if self.fault == Fault::NoDuration { 0 } else { 20 });
            let packet = EncodedFrame::new(codec, time, vec![first; self.bytes]).with_duration(duration);
            out.push(packet.with_estimated_time(self.estimated));
        }
    }

    impl Stage<AudioFrame, EncodedFrame> for Fake {
        fn process(&mut self, block: AudioFrame, out: &mut Out<EncodedFrame>) -> Result<()> {
            let whole = block.samples.len().is_multiple_of(block.channels.max(1).into());
            if !whole && self.fault != Fault::TakesTorn {
                return Err(Error::bad_item("samples that do not divide"));
            }
            if (block.rate, block.channels) != (8000, 1) {
                return Err(Error::fatal("this takes 8 kHz in mono"));
            }
            self.estimated = block.time_is_estimated;
            if self.anchor.is_none() || (block.discontinuity && self.fault != Fault::BridgesGaps) {
                self.anchor = Some(block.time);
                self.given = 0;
                self.inside.clear();
            }
            self.wandered = block.len() == 80 && block.time.as_nanos() % 10_000_000 == 1_000_000;
            self.inside.extend_from_slice(&block.samples);
            while self.inside.len() >= FRAME {
                self.packet(out);
            }
            if self.fault == Fault::FollowsBlocks && block.len() == 7 {
                self.inside.clear();
            }
            Ok(())
        }

        fn finish(&mut self, out: &mut Out<EncodedFrame>) -> Result<()> {
            if !self.inside.is_empty() && self.fault != Fault::KeepsTheLast {
                self.inside.resize(FRAME, 0.0);
                self.packet(out);
            }
            Ok(())
        }

        fn control(&mut self, wish: Control, _: &mut Cx) -> Option<Control> {
            match wish {
                Control::Bitrate(_) if self.fault == Fault::RateIgnored => {}
                Control::Bitrate(rate) => {
                    self.bytes = (rate.unwrap_or(Bitrate::MAX).bps().clamp(4_000, 64_000) / 400) as usize
                }
                other => return Some(other),
            }
            None
        }
    }

    #[test]
    fn a_good_encoder_passes_and_each_fault_is_found() {
        let check = |fault| audio_encoder(OPUS, (8000, 1), fake(fault));
        check(Fault::None);
        for (fault, words) in [
            (Fault::OtherCodec, "Seen: the codec vp8"),
            (Fault::NoDuration, "Seen: a packet that lasts no time"),
            (
                Fault::Drifts,
                "to the nanosecond. Seen: a packet at 20000005 ns where the one before ends at 20000000 ns",
            ),
            (Fault::FollowsBlocks, "does not matter. Seen: "),
            (Fault::WandersAlong, "do not move the packets. Seen: no packet at the start"),
            (Fault::BridgesGaps, "Seen: none at 5.000 s"),
            (Fault::KeepsTheLast, "Seen: 0ns of packets for 125µs of sound"),
            (Fault::DropsSilence, "silence is encoded like sound. Seen: no packet at the start"),
            (Fault::RateIgnored, "when half of it was asked for"),
            (Fault::TakesTorn, "are a bad item. Seen: the error `this takes 8 kHz in mono` (Fatal)"),
        ] {
            fails(words, || check(fault));
        }
    }
}
