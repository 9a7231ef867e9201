//! What a packetizer must do.

use std::time::Duration;

use millstream_core::error::Kind;
use millstream_core::{Bytes, Codec, EncodedFrame, Error, Layer, Media, Role, RtpPackets, Stage, Timestamp};

use super::bench::Bench;
use super::rule::{Seen, ensure, must, unexpected, wishes};
use super::transform::transform;

/// Frames of more sizes than a packet holds, and of fewer.
const SIZES: [usize; 8] = [1, 2, 50, 1_000, 1_199, 1_200, 5_000, 100_000];

/// Says that a packetizer of `codec` does what a packetizer must, and what any [stage](super::transform()) must:
/// `make` gives new ones whose packets hold at most `limit` bytes of payload, `frame` an encoded frame of about
/// as many bytes as asked for, as far as the codec has such. Its time, role and layer are set here.
///
/// # Panics
/// If it does not do something of it.
#[track_caller]
pub fn packetizer<S: Stage<EncodedFrame, RtpPackets> + 'static>(
    codec: Codec,
    limit: usize,
    make: impl Fn() -> S,
    frame: impl Fn(usize) -> EncodedFrame,
) {
    // 20 ms are a whole number of ticks of every clock rate that is registered.
    let step = Duration::from_millis(20);
    let numbered =
        |number: u64, size: usize| frame(size).with_time(Timestamp::ZERO + step * number as u32).with_duration(step);
    transform(&make, |number| numbered(number, 3_000));
    let bench = || Bench::new(make());
    let sized = || SIZES.into_iter().cycle().take(40).enumerate().map(|(number, size)| numbered(number as u64, size));
    must("each frame gives one group of packets, at once, with its time, role and layer", || {
        let mut bench = bench();
        for (number, role) in [Role::Start, Role::Reference, Role::Discardable].into_iter().cycle().take(12).enumerate()
        {
            let layer = Layer::independent(0, if role == Role::Discardable { 1 } else { 0 });
            let taken = numbered(number as u64, 1_500).with_role(role).with_layer(layer);
            let (time, given) = (taken.time, give(&mut bench, taken)?);
            ensure(given.codec == codec, || format!("the codec {}", given.codec))?;
            let told = (given.time, given.role, given.layer);
            ensure(told == (time, role, layer), || format!("{told:?} for {:?}", (time, role, layer)))?;
        }
        Ok(())
    });
    must("packets lie in order in what holds them, none empty and none larger than it may be", || {
        let mut bench = bench();
        for taken in sized() {
            let (size, given) = (taken.data.len(), give(&mut bench, taken)?);
            ensure(!given.headers.is_empty(), || format!("no packet for a frame of {size} bytes"))?;
            let mut end = 0;
            for header in given.headers.iter() {
                let place = header.start..header.end;
                ensure(header.start >= end && header.end as usize <= given.data.len(), || {
                    format!("a payload at {place:?} of {} bytes, behind {end}", given.data.len())
                })?;
                ensure((1..=limit).contains(&place.len()), || {
                    format!("a payload of {} bytes, where {limit} are the most", place.len())
                })?;
                end = header.end;
            }
        }
        Ok(())
    });
    must("sequence numbers count packets, from frame to frame and over 65535", || {
        let mut bench = bench();
        let mut last: Option<u16> = None;
        for number in 0..70_000 {
            for header in give(&mut bench, numbered(number, 10 + (number % 7) as usize * 400))?.headers.iter() {
                let next = last.map_or(header.sequence, |last| last.wrapping_add(1));
                ensure(header.sequence == next, || format!("{} after {last:?}", header.sequence))?;
                last = Some(next);
            }
        }
        Ok(())
    });
    must("timestamps are the capture time in ticks, one for all packets of a frame, over 2^32", || {
        let mut bench = bench();
        let mut first = None;
        // 2^32 ticks of 48 kHz are 24.9 hours.
        for hours in 0..60 {
            for number in 0..5 {
                let taken = numbered(hours * 180_000 + number, 3_000);
                let ticks = taken.time.ticks(codec.clock_rate) as u32;
                for header in give(&mut bench, taken)?.headers.iter() {
                    let since = header.timestamp.wrapping_sub(*first.get_or_insert(header.timestamp));
                    ensure(since == ticks, || format!("{since} ticks after the first frame, and not {ticks}"))?;
                }
            }
        }
        Ok(())
    });
    must("the marker is on the last packet of a picture, and on the first of sound after silence", || {
        marks(&mut bench(), codec.media, sized())
    });
    must("a frame without a byte is a bad item that gives nothing and leaves no gap", || {
        let mut bench = bench();
        let before = give(&mut bench, numbered(0, 100))?;
        let empty = numbered(1, 100).with_data(Bytes::new());
        match bench.give(empty) {
            Err(error) if error.kind() == Kind::BadItem => {}
            Err(error) => return Err(unexpected(&error)),
            Ok(given) => return Err(format!("{} groups of packets", given.len())),
        }
        let after = give(&mut bench, numbered(2, 100))?;
        let [last, next] = [before.headers.last(), after.headers.first()].map(|header| header.map(|h| h.sequence));
        ensure(last.map(|last| last.wrapping_add(1)) == next, || format!("{next:?} after {last:?}"))
    });
    must("a frame of another codec is a bad item that names both, and the builder is told which is taken", || {
        let stage = make();
        let told = (stage.takes(), stage.gives());
        ensure(told == (Some(codec.clone()), Some(codec.clone())), || format!("{told:?}"))?;
        let mut bench = bench();
        let other = Codec::new(codec.media, "another-codec", codec.clock_rate, codec.channels).expect("a good name");
        match bench.give(numbered(0, 100).with_codec(other)) {
            Err(error) if error.kind() == Kind::BadItem => {
                let words = error.to_string();
                ensure(words.contains("another-codec") && words.contains(&*codec.name), || words)
            }
            Err(error) => Err(unexpected(&error)),
            Ok(given) => Err(format!("{} groups of packets", given.len())),
        }
    });
    must("a packetizer passes every wish on as it is", || {
        let mut bench = bench();
        for wish in wishes() {
            let passed = bench.ask(wish);
            ensure(passed == Some(wish), || format!("{passed:?} for {wish:?}"))?;
        }
        Ok(())
    });
}

/// What one frame gives, which is one group.
fn give(bench: &mut Bench<EncodedFrame, RtpPackets>, frame: EncodedFrame) -> Result<RtpPackets, String> {
    let (time, size) = (frame.time, frame.data.len());
    let mut given = bench.give(frame).map_err(|error: Error| unexpected(&error))?;
    ensure(given.len() == 1, || format!("{} groups for the frame of {size} bytes at {time}", given.len()))?;
    Ok(given.remove(0))
}

fn marks(
    bench: &mut Bench<EncodedFrame, RtpPackets>,
    media: Media,
    frames: impl Iterator<Item = EncodedFrame>,
) -> Seen {
    for (number, frame) in frames.enumerate() {
        // A second of silence before the twentieth.
        let silence = Duration::from_secs(if number >= 20 { 1 } else { 0 });
        let time = frame.time + silence;
        let given = give(bench, frame.with_time(time))?;
        let marked: Vec<bool> = given.headers.iter().map(|header| header.marker).collect();
        let last = marked.len() - 1;
        let right = marked.iter().enumerate().all(|(index, marker)| match media {
            Media::Video => *marker == (index == last),
            Media::Audio => *marker == (index == 0 && (number == 0 || number == 20)),
        });
        ensure(right, || format!("{marked:?} on the packets of frame {number}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::rule::tests::fails;
    use crate::examples;
    use millstream_core::{Control, Cx, Out, Result, RtpHeader, VP8};

    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        None,
        TwoGroups,
        LosesTheRole,
        LosesTheTime,
        TooLarge,
        Overlaps,
        SkipsANumber,
        RoundsTime,
        MarksTheFirst,
        TakesEmpty,
        CountsEmpty,
        TakesOthers,
        TellsNobody,
        AnswersPause,
    }

    struct Fake {
        fault: Fault,
        sequence: u16,
    }

    fn fake(fault: Fault) -> impl Fn() -> Fake {
        move || Fake { fault, sequence: 65_000 }
    }

    impl Stage<EncodedFrame, RtpPackets> for Fake {
        fn process(&mut self, frame: EncodedFrame, out: &mut Out<RtpPackets>) -> Result<()> {
            if self.fault != Fault::TakesOthers {
                frame.require(&VP8)?;
            }
            let length = frame.data.len();
            if length == 0 && self.fault != Fault::TakesEmpty {
                self.sequence += u16::from(self.fault == Fault::CountsEmpty);
                return Err(Error::bad_item("a frame without a byte"));
            }
            let most = if self.fault == Fault::TooLarge { 1201 } else { 1200 };
            let count = length.div_ceil(most);
            let headers: Vec<RtpHeader> = (0..count)
                .map(|index| {
                    let sequence = self.sequence;
                    self.sequence = self.sequence.wrapping_add(1);
                    let ticks = match self.fault {
                        Fault::RoundsTime => (frame.time.as_nanos() / 1_000_000_000 * 90_000) as u32,
                        _ => frame.time.ticks(90_000) as u32,
                    };
                    let first = self.fault == Fault::MarksTheFirst;
                    let start = (index * most) as u32 - u32::from(self.fault == Fault::Overlaps && index > 0);
                    let end = ((index + 1) * most).min(length) as u32;
                    let marker = if first { index == 0 } else { index + 1 == count };
                    RtpHeader::new(sequence, ticks.wrapping_add(77), start..end).with_marker(marker)
                })
                .collect();
            self.sequence = self.sequence.wrapping_add((self.fault == Fault::SkipsANumber).into());
            let late = Duration::from_millis((self.fault == Fault::LosesTheTime).into());
            let mut group = RtpPackets::of(&frame, headers, frame.data.clone());
            group.time += late;
            if self.fault == Fault::LosesTheRole {
                group.role = Role::Reference;
            }
            if self.fault == Fault::TwoGroups {
                out.push(group.clone());
            }
            out.push(group);
            Ok(())
        }

        fn control(&mut self, wish: Control, _: &mut Cx) -> Option<Control> {
            let answers = self.fault == Fault::AnswersPause && matches!(wish, Control::Pause(_));
            if answers { None } else { Some(wish) }
        }

        fn takes(&self) -> Option<Codec> {
            (self.fault != Fault::TellsNobody).then_some(VP8)
        }

        fn gives(&self) -> Option<Codec> {
            Some(VP8)
        }
    }

    #[test]
    fn a_good_packetizer_passes_and_each_fault_is_found() {
        let check = |fault| packetizer(VP8, 1200, fake(fault), |size| examples::frame(VP8, size, 0));
        check(Fault::None);
        for (fault, words) in [
            (Fault::TwoGroups, "Seen: 2 groups for the frame of 1500 bytes at 0.000 s"),
            (Fault::LosesTheRole, "time, role and layer. Seen: "),
            (Fault::LosesTheTime, "time, role and layer. Seen: "),
            (Fault::TooLarge, "Seen: a payload of 1201 bytes, where 1200 are the most"),
            (Fault::Overlaps, "Seen: a payload at 1199..2400 of 5000 bytes, behind 1200"),
            (Fault::SkipsANumber, "sequence numbers count packets"),
            (Fault::RoundsTime, "Seen: 0 ticks after the first frame, and not 1800"),
            (Fault::MarksTheFirst, "Seen: [true, false, false, false, false] on the packets of frame 6"),
            (Fault::TakesEmpty, "leaves no gap. Seen: 1 groups of packets"),
            (Fault::CountsEmpty, "leaves no gap. Seen: Some("),
            (Fault::TakesOthers, "a bad item that names both, and the builder is told which is taken. Seen: 1 groups"),
            (Fault::TellsNobody, "which is taken. Seen: (None, Some("),
            (Fault::AnswersPause, "passes every wish on as it is. Seen: None for Pause(true)"),
        ] {
            fails(words, || check(fault));
        }
    }
}
