//! Items to feed stages with: hard pictures, hard sound, and bytes that stand for encoded media.
//!
//! Each takes the number of the item, and the same number gives the same item.

use std::time::Duration;

use millstream_core::{
    AudioFrame, Bytes, Codec, EncodedFrame, Item, Layer, Media, PixelFormat, Pool, Role, RtpHeader, RtpPackets,
    Timestamp, VideoFrame, samples_to_time,
};

use crate::chance::Chance;

/// Pictures of [`picture`] in a second.
pub(crate) const PICTURES_PER_SECOND: u64 = 30;

/// Picture `number` of a moving gradient under noise, I420, 30 in a second: what a bit rate can be spent on.
///
/// # Panics
/// If a side is 0 or too long, as [`VideoFrame::fill`].
pub fn picture(size: (u32, u32), number: u64) -> VideoFrame {
    picture_in(PixelFormat::I420, size, number)
}

/// The same in another format.
pub(crate) fn picture_in(format: PixelFormat, size: (u32, u32), number: u64) -> VideoFrame {
    let time = Timestamp::from_nanos(number * 1_000_000_000 / PICTURES_PER_SECOND);
    VideoFrame::fill(&mut Pool::new(1), format, size, time, |planes| {
        let mut noise = Chance::new(number);
        for plane in planes {
            for (y, row) in plane.data.chunks_mut(plane.row.max(1)).enumerate() {
                for (x, sample) in row.iter_mut().enumerate() {
                    let gradient = (x as u64 + 2 * y as u64 + 6 * number) / 2 % 200;
                    *sample = (20 + gradient + (noise.next() >> 61)) as u8;
                }
            }
        }
    })
}

/// `picture` as if it had been captured at `time`.
pub(crate) fn stamped(mut picture: VideoFrame, time: Timestamp) -> VideoFrame {
    picture.time = time;
    picture
}

/// Block `number` of noise: 10 ms at `rate`, stamped by exact sample counts, all channels unlike.
pub fn block(rate: u32, channels: u16, number: u64) -> AudioFrame {
    let length = u64::from(rate / 100);
    sound(rate, channels, number * length, length as usize)
}

/// `length` samples of the same noise from sample `first` on: however it is cut, it is the same sound.
pub(crate) fn sound(rate: u32, channels: u16, first: u64, length: usize) -> AudioFrame {
    let at = first * u64::from(channels);
    let samples: Vec<f32> = (at..at + (length * usize::from(channels)) as u64)
        .map(|index| (Chance::new(index).share() * 0.6 - 0.3) as f32)
        .collect();
    AudioFrame::new(rate, channels, Timestamp::ZERO + samples_to_time(first, rate), samples)
}

/// Frame `number` of `codec` with `size` bytes of noise: 30 in a second for video, 50 for audio. The first
/// of video and every thirtieth is a start.
pub fn frame(codec: Codec, size: usize, number: u64) -> EncodedFrame {
    let (duration, role) = match codec.media {
        Media::Video if number.is_multiple_of(30) => (Duration::from_nanos(33_333_333), Role::Start),
        Media::Video => (Duration::from_nanos(33_333_333), Role::Reference),
        Media::Audio => (Duration::from_millis(20), Role::Start),
    };
    let time = match codec.media {
        Media::Video => Timestamp::from_nanos(number * 1_000_000_000 / 30),
        Media::Audio => Timestamp::from_millis(20 * number),
    };
    let mut noise = Chance::new(number);
    let data: Vec<u8> = (0..size).map(|_| (noise.next() >> 56) as u8).collect();
    let picture = (codec.media == Media::Video).then_some((320, 180));
    EncodedFrame::new(codec, time, data).with_duration(duration).with_role(role).with_size(picture)
}

/// Group `number` of packets of `codec`: two packets of 100 bytes for video, one for audio.
pub fn packets(codec: Codec, number: u64) -> RtpPackets {
    let count = if codec.media == Media::Video { 2 } else { 1 };
    let frame = frame(codec, 100 * count as usize, number);
    let timestamp = frame.time.ticks(frame.codec.clock_rate) as u32;
    let header = |index: u32| {
        let sequence = (number * u64::from(count) + u64::from(index)) as u16;
        let payload = 100 * index..100 * index + 100;
        RtpHeader::new(sequence, timestamp, payload).with_marker(index + 1 == count)
    };
    RtpPackets::of(&frame, (0..count).map(header).collect::<Vec<_>>(), frame.data.clone())
}

/// What a stage may be handed besides what it likes: it takes it or refuses it in words.
pub trait Odd: Item {
    /// Items that are unusual or wrong, each with what it is, made from `good`.
    fn odd(good: &Self) -> Vec<(String, Self)>;

    /// The same item, whose time of capture is only estimated.
    fn estimated(self) -> Self;
}

impl Odd for VideoFrame {
    fn odd(good: &VideoFrame) -> Vec<(String, VideoFrame)> {
        use PixelFormat::*;
        let mut all = Vec::new();
        for size in [(1, 1), (1, 17), (17, 1), (2, 2), (3, 3), (175, 143)] {
            all.push((format!("{}x{}", size.0, size.1), picture(size, 0)));
        }
        for format in [I420, I422, I444, Nv12, Yuyv, Rgb, Rgba, Bgra, Gray] {
            for size in [(64, 48), (33, 17), (1, 1)] {
                all.push((format!("{format:?} of {}x{}", size.0, size.1), picture_in(format, size, 0)));
            }
        }
        all.into_iter().map(|(what, picture)| (what, stamped(picture, good.time))).collect()
    }

    fn estimated(self) -> VideoFrame {
        self.with_estimated_time(true)
    }
}

impl Odd for AudioFrame {
    fn odd(good: &AudioFrame) -> Vec<(String, AudioFrame)> {
        let with = |what: &str, rate: u32, channels: u16, samples: Vec<f32>| {
            let mut odd = good.clone().with_samples(samples);
            (odd.rate, odd.channels) = (rate, channels);
            (what.to_owned(), odd)
        };
        let (rate, channels) = (good.rate, good.channels);
        let whole = usize::from(channels) * 480;
        vec![
            with("a block without samples", rate, channels, Vec::new()),
            with("a block of one sample", rate, channels, vec![0.5; channels.into()]),
            with("a block of a second", rate, channels, vec![0.5; rate as usize * usize::from(channels)]),
            with("samples that do not divide into the channels", rate, 2, vec![0.5; 961]),
            with("no channels", rate, 0, vec![0.5; 480]),
            with("neither channels nor samples", rate, 0, Vec::new()),
            with("65535 channels", rate, u16::MAX, vec![0.5; usize::from(u16::MAX)]),
            with("six channels", rate, 6, vec![0.5; 6 * 480]),
            with("a rate of 0", 0, channels, vec![0.5; whole]),
            with("a rate of 1 Hz", 1, channels, vec![0.5; channels.into()]),
            with("a rate of 44.1 kHz", 44_100, channels, vec![0.5; whole]),
            with("a rate of 4294967295 Hz", u32::MAX, channels, vec![0.5; whole]),
            with("samples that are no numbers", rate, channels, vec![f32::NAN; whole]),
            with("samples without bound", rate, channels, vec![f32::INFINITY; whole]),
            with("samples a million times too loud", rate, channels, vec![-1e6; whole]),
        ]
    }

    fn estimated(self) -> AudioFrame {
        self.with_estimated_time(true)
    }
}

impl Odd for EncodedFrame {
    fn odd(good: &EncodedFrame) -> Vec<(String, EncodedFrame)> {
        let cut = |len: usize| good.data.slice(..len.min(good.data.len()));
        vec![
            ("a frame without a byte".to_owned(), good.clone().with_data(cut(0))),
            ("a frame of one byte".to_owned(), good.clone().with_data(cut(1))),
            ("half a frame".to_owned(), good.clone().with_data(cut(good.data.len() / 2))),
            ("a reference before a start".to_owned(), good.clone().with_role(Role::Reference)),
            ("a frame without a duration".to_owned(), good.clone().with_duration(Duration::ZERO)),
            ("a frame without a size".to_owned(), good.clone().with_size(None)),
            ("the layer 255/255".to_owned(), good.clone().with_layer(Layer::stacked(255, 255))),
        ]
    }

    fn estimated(self) -> EncodedFrame {
        self.with_estimated_time(true)
    }
}

impl Odd for RtpPackets {
    fn odd(good: &RtpPackets) -> Vec<(String, RtpPackets)> {
        let with = |headers: Vec<RtpHeader>| RtpPackets::new(good.codec.clone(), good.time, headers, Bytes::new());
        let (none, empty) = (with(Vec::new()), with(vec![RtpHeader::default()]));
        vec![("no packets".to_owned(), none), ("a packet without a byte".to_owned(), empty)]
    }

    fn estimated(self) -> RtpPackets {
        self.with_estimated_time(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_core::{OPUS, VP8};

    #[test]
    fn the_same_number_gives_the_same_item_and_another_another() {
        let luma = |number| picture((32, 16), number).plane(0).iter().flatten().copied().collect::<Vec<u8>>();
        assert_eq!(luma(3), luma(3));
        assert_ne!(luma(3), luma(4));
        assert_eq!(frame(VP8, 50, 7).data, frame(VP8, 50, 7).data);
        assert_ne!(frame(VP8, 50, 7).data, frame(VP8, 50, 8).data);
        assert_eq!(packets(OPUS, 5).iter().map(|(_, payload)| payload.len()).collect::<Vec<_>>(), [100]);
    }

    #[test]
    fn sound_is_the_same_however_it_is_cut() {
        let (whole, second) = (sound(8000, 2, 0, 160), block(8000, 2, 1));
        assert_eq!(whole.samples[160..], second.samples[..]);
        assert_eq!(second.time, Timestamp::from_millis(10));
    }
}
