//! What cameras send is decoded right, or refused: never a panic, whatever the bytes are.

use millstream_core::error::Kind;
use millstream_core::{Buffer, Color, Range, Result, Timestamp, VideoFrame};
use millstream_device_nokhwa::Rotate;
use millstream_device_nokhwa::decode::{Decoder, Encoding};
use millstream_testkit::Chance;
use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

const SIZE: (u32, u32) = (128, 96);

fn decode(data: &[u8], encoding: Encoding, size: (u32, u32)) -> Result<VideoFrame> {
    let mut decoder = Decoder::new(Rotate::None, false)?;
    decoder.decode(&Buffer::from(data.to_vec()), encoding, size, Color::default(), Timestamp::ZERO)
}

/// Two halves, red and blue.
fn jpeg((width, height): (u32, u32), subsamp: Subsamp) -> Vec<u8> {
    let (width, height) = (width as usize, height as usize);
    let row = |x: usize| if x < width / 2 { [255, 0, 0] } else { [0, 0, 255] };
    let pixels: Vec<u8> = (0..height).flat_map(|_| (0..width).flat_map(row)).collect();
    let mut compressor = Compressor::new().unwrap();
    compressor.set_subsamp(subsamp).unwrap();
    compressor.set_quality(95).unwrap();
    let image = Image { pixels: &pixels[..], width, pitch: width * 3, height, format: PixelFormat::RGB };
    compressor.compress_to_vec(image).unwrap()
}

/// The samples at a place, of luma and both planes of chroma.
fn at(frame: &VideoFrame, x: usize, y: usize) -> [u8; 3] {
    [(0, x, y), (1, x / 2, y / 2), (2, x / 2, y / 2)].map(|(plane, x, y)| {
        let plane = frame.plane(plane);
        plane.data[y * plane.stride + x]
    })
}

fn near(found: [u8; 3], expected: [u8; 3]) -> bool {
    found.iter().zip(expected).all(|(found, expected)| found.abs_diff(expected) <= 3)
}

#[test]
fn jpegs_of_every_subsampling_and_size_become_limited_bt601() {
    for subsamp in [Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub2x2, Subsamp::Sub1x2, Subsamp::Sub4x1] {
        for size in [SIZE, (127, 95), (128, 95), (33, 17)] {
            let frame = decode(&jpeg(size, subsamp), Encoding::Mjpeg, size).unwrap();
            assert_eq!((frame.width(), frame.height(), frame.color), (size.0, size.1, Color::default()));
            let right = size.0 as usize - 3;
            // BT.601 of limited range, as of every other source of red and blue.
            assert!(near(at(&frame, 2, 2), [81, 90, 240]), "{subsamp:?} {size:?}: {:?}", at(&frame, 2, 2));
            assert!(near(at(&frame, right, 9), [41, 240, 110]), "{subsamp:?} {size:?}: {:?}", at(&frame, right, 9));
        }
    }
    let gray = decode(&jpeg(SIZE, Subsamp::Gray), Encoding::Mjpeg, SIZE).unwrap();
    assert_eq!(at(&gray, 2, 2)[1..], [128, 128]);
}

#[test]
fn what_stands_behind_a_jpeg_is_not_looked_at() {
    let mut padded = jpeg(SIZE, Subsamp::Sub2x2);
    padded.extend([0x55; 5000]);
    assert!(near(at(&decode(&padded, Encoding::Mjpeg, SIZE).unwrap(), 2, 2), [81, 90, 240]));
    // Before the last marker, as common webcams do.
    let whole = jpeg(SIZE, Subsamp::Sub2x2);
    let (body, end) = whole.split_at(whole.len() - 2);
    let padded = [body, &[0, 0, 0], end].concat();
    assert!(near(at(&decode(&padded, Encoding::Mjpeg, SIZE).unwrap(), 2, 2), [81, 90, 240]));
}

#[test]
fn damaged_short_and_wrong_pictures_are_bad_items() {
    let whole = jpeg(SIZE, Subsamp::Sub2x2);
    for len in 0..whole.len() - 2 {
        let error = decode(&whole[..len], Encoding::Mjpeg, SIZE).unwrap_err();
        assert_eq!(error.kind(), Kind::BadItem, "{len} bytes: {error}");
    }
    let mut chance = Chance::new(7);
    let mut below = |count: u64| chance.next() % count;
    for _ in 0..2000 {
        let mut damaged = whole.clone();
        for _ in 0..=below(8) {
            let place = below(damaged.len() as u64) as usize;
            damaged[place] = below(256) as u8;
        }
        // Damage that leaves a picture cannot be seen; nothing else than a bad item may come of the rest.
        if let Err(error) = decode(&damaged, Encoding::Mjpeg, SIZE) {
            assert_eq!(error.kind(), Kind::BadItem, "{error}");
        }
        let noise: Vec<u8> = (0..below(600)).map(|_| below(256) as u8).collect();
        assert_eq!(decode(&noise, Encoding::Mjpeg, SIZE).unwrap_err().kind(), Kind::BadItem);
    }
    for (encoding, needed) in
        [(Encoding::Yuyv, 24_576), (Encoding::Nv12, 18_432), (Encoding::Rgb, 36_864), (Encoding::Gray, 12_288)]
    {
        assert_eq!(decode(&vec![0; needed - 1], encoding, SIZE).unwrap_err().kind(), Kind::BadItem);
        assert!(decode(&vec![0; needed], encoding, SIZE).is_ok());
    }
}

#[test]
fn a_jpeg_that_says_it_is_larger_is_refused_before_memory_is_taken() {
    let mut bomb = jpeg(SIZE, Subsamp::Sub2x2);
    let header = bomb.windows(2).position(|two| two == [0xFF, 0xC0]).expect("a frame header");
    bomb[header + 5..header + 9].fill(0xF0);
    let error = decode(&bomb, Encoding::Mjpeg, SIZE).unwrap_err();
    assert_eq!(error.to_string(), "a JPEG of 61680x61680 where 128x96 was asked for");
}

#[test]
fn full_range_is_made_limited_and_turns_turn() {
    let mut decoder = Decoder::new(Rotate::Quarter, false).unwrap();
    let white = Buffer::from(vec![255; 24_576]);
    let color = Color { range: Range::Full, ..Color::default() };
    let frame = decoder.decode(&white, Encoding::Yuyv, SIZE, color, Timestamp::ZERO).unwrap();
    assert_eq!((frame.width(), frame.height(), frame.plane(0).data[0]), (96, 128, 235));
    let picture = Buffer::from(jpeg(SIZE, Subsamp::Sub2x2));
    let frame = decoder.decode(&picture, Encoding::Mjpeg, SIZE, color, Timestamp::ZERO).unwrap();
    // What was left is above.
    assert!(near(at(&frame, 20, 10), [81, 90, 240]) && near(at(&frame, 20, 120), [41, 240, 110]));
}
