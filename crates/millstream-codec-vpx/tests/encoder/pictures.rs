//! Pictures that are hard enough to spend a bit rate on: a moving gradient under noise, the same every time.

use millstream_core::{PixelFormat, Pool, Timestamp, VideoFrame};

/// `count` pictures of `size` at `fps`, starting with the picture number `first`.
pub(crate) fn moving(size: (u32, u32), fps: u64, first: u64, count: u64) -> impl Iterator<Item = VideoFrame> {
    let mut pool = Pool::new(4);
    (first..first + count).map(move |number| {
        let time = Timestamp::from_nanos(number * 1_000_000_000 / fps);
        // The same moment looks the same at every frame rate, so that motion is as fast.
        let shift = number * 60 / fps;
        VideoFrame::fill(&mut pool, PixelFormat::I420, size, time, |planes| {
            let mut noise = number + 1;
            for plane in planes {
                for (y, row) in plane.data.chunks_mut(plane.row).enumerate() {
                    for (x, sample) in row.iter_mut().enumerate() {
                        // Knuth's MMIX generator; its upper bits are the good ones.
                        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        let gradient = (x as u64 + 2 * y as u64 + 3 * shift) / 2 % 200;
                        *sample = (20 + gradient + (noise >> 61)) as u8;
                    }
                }
            }
        })
    })
}
