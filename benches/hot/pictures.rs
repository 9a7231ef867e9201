//! What is encoded: the test picture and the test sound, rendered before anything is measured.

use std::time::Duration;

use millstream::core::{AudioFrame, Cx, Next, Source, Timestamp, VideoFrame};
use millstream::stages::{test_audio, test_video};

/// Between two pictures of 30 in a second.
const STEP: Duration = Duration::from_nanos(33_333_333);

/// Pictures of 1280x720.
pub(crate) fn pictures(count: usize) -> Vec<VideoFrame> {
    rendered(test_video::TestVideo::new(test_video::Options::default()).expect("the defaults are good"), count)
}

/// The same picture, as that of a number of 30 in a second.
pub(crate) fn numbered(picture: &VideoFrame, number: usize) -> VideoFrame {
    let mut picture = picture.clone();
    picture.time = Timestamp::ZERO + STEP * number as u32;
    picture
}

/// Blocks of 10 ms of stereo.
pub(crate) fn blocks(count: usize) -> Vec<AudioFrame> {
    rendered(test_audio::TestAudio::new(test_audio::Options::default()).expect("the defaults are good"), count)
}

fn rendered<T>(mut source: impl Source<T>, count: usize) -> Vec<T> {
    let mut items = Vec::with_capacity(count);
    // Everything is due by then; what is later still would be left out as late.
    let mut cx = Cx::at(Timestamp::from_millis(4000));
    while items.len() < count {
        if let Next::Item(item) = source.next(&mut cx).expect("a test source does not fail") {
            items.push(item);
        }
    }
    items
}
