//! What a camera gives into upright I420 of limited range in BT.601, in pooled frames.

use millstream_core::{Buffer, Color, Error, Result, Timestamp, VideoFrame};
use millstream_pixels::{Converter, Turn, Turner};

use crate::jpeg;
pub use crate::mode::Encoding;
use crate::options::Rotate;

/// Makes frames of what a camera gives.
#[derive(Debug)]
pub struct Decoder {
    jpeg: jpeg::Decoder,
    converter: Converter,
    turner: Turner,
    turn: Turn,
}

impl Decoder {
    /// A decoder that turns its pictures by `rotate`, and then mirrors them or not.
    ///
    /// # Errors
    /// If the JPEG decoder has no memory.
    pub fn new(rotate: Rotate, mirror: bool) -> Result<Decoder> {
        let quarters = i64::from(rotate) as u8 / 90;
        let turn = Turn { quarters, mirror };
        Ok(Decoder { jpeg: jpeg::Decoder::new()?, converter: Converter::new(), turner: Turner::new(), turn })
    }

    /// The picture in `data`: `size` pixels stored as `encoding`, whose samples mean `color` unless it is a
    /// JPEG, captured at `time`.
    ///
    /// # Errors
    /// A bad item where `data` is not such a picture: too short, damaged, or of another size.
    pub fn decode(
        &mut self,
        data: &Buffer<u8>,
        encoding: Encoding,
        size: (u32, u32),
        color: Color,
        time: Timestamp,
    ) -> Result<VideoFrame> {
        let Some(format) = encoding.pixels() else {
            let picture = self.jpeg.decode(data, size, time)?;
            return self.finish(&picture);
        };
        let needed = format.byte_len(size.0, size.1);
        if data.len() < needed {
            return Err(Error::bad_item(format!("a picture of {} bytes where {needed} are needed", data.len())));
        }
        let mut picture = VideoFrame::tight(data.clone(), format, size, time);
        picture.color = color;
        self.finish(&picture)
    }

    fn finish(&mut self, picture: &VideoFrame) -> Result<VideoFrame> {
        let picture = self.converter.to_i420(picture)?;
        Ok(self.turner.turn(picture, self.turn))
    }
}
