//! One JPEG into the planes of YUV that it holds, by libjpeg-turbo.

use millstream_core::{Color, Error, Matrix, PixelFormat, Pool, Range, Result, Timestamp, VideoFrame};
use turbojpeg::{Decompressor, Image, Subsamp, YuvImage};

/// A decoder of JPEGs of cameras.
#[derive(Debug)]
pub(crate) struct Decoder {
    library: Decompressor,
    pool: Pool<u8>,
}

/// Pictures between here and the conversion: one.
const POOLED: usize = 2;

/// What JPEG means by YUV (JFIF 1.02): BT.601 at full range.
const COLOR: Color = Color { matrix: Matrix::Bt601, range: Range::Full };

impl Decoder {
    pub(crate) fn new() -> Result<Decoder> {
        let library = Decompressor::new().map_err(|error| Error::fatal("no JPEG decoder").caused_by(error))?;
        Ok(Decoder { library, pool: Pool::new(POOLED) })
    }

    /// The picture in `jpeg`, which must be of `size`: a header that says anything else is refused before
    /// memory is taken for it.
    pub(crate) fn decode(&mut self, jpeg: &[u8], size: (u32, u32), time: Timestamp) -> Result<VideoFrame> {
        let header = self.library.read_header(jpeg).map_err(|error| bad(&error))?;
        let (width, height) = (size.0 as usize, size.1 as usize);
        if (header.width, header.height) != (width, height) {
            let words = format!("a JPEG of {}x{} where {width}x{height} was asked for", header.width, header.height);
            return Err(Error::bad_item(words));
        }
        if header.is_progressive || header.is_lossless {
            return Err(Error::bad_item("a JPEG of a kind that no camera sends: progressive or lossless"));
        }
        // The library rounds planes up to whole units of chroma, ours end where the picture does.
        let format = match header.subsamp {
            Subsamp::Sub2x2 if width.is_multiple_of(2) && height.is_multiple_of(2) => PixelFormat::I420,
            Subsamp::Sub2x1 if width.is_multiple_of(2) => PixelFormat::I422,
            Subsamp::None => PixelFormat::I444,
            Subsamp::Gray => PixelFormat::Gray,
            _ => return self.as_rgb(jpeg, size, time),
        };
        let (library, mut done) = (&mut self.library, Ok(()));
        let data = self.pool.fill(format.byte_len(size.0, size.1), |pixels| {
            let image = YuvImage { pixels, width, align: 1, height, subsamp: header.subsamp };
            done = library.decompress_to_yuv(jpeg, image);
        });
        whole(done)?;
        let mut frame = VideoFrame::tight(data, format, size, time);
        frame.color = COLOR;
        Ok(frame)
    }

    /// What has no planes that we know goes by way of RGB.
    fn as_rgb(&mut self, jpeg: &[u8], size: (u32, u32), time: Timestamp) -> Result<VideoFrame> {
        let (width, height) = (size.0 as usize, size.1 as usize);
        let (library, mut done) = (&mut self.library, Ok(()));
        let data = self.pool.fill(PixelFormat::Rgb.byte_len(size.0, size.1), |pixels| {
            let format = turbojpeg::PixelFormat::RGB;
            done = library.decompress(jpeg, Image { pixels, width, pitch: width * 3, height, format });
        });
        whole(done)?;
        Ok(VideoFrame::tight(data, PixelFormat::Rgb, size, time))
    }
}

/// The library calls it an error when it had something to warn of. Bytes that nobody needs before a
/// marker are common (webcams pad their pictures) and harm nothing; a picture that ends early is damaged.
fn whole(done: turbojpeg::Result<()>) -> Result<()> {
    match done {
        Err(error) if error.to_string().contains("extraneous bytes before marker") => Ok(()),
        done => done.map_err(|error| bad(&error)),
    }
}

fn bad(error: &turbojpeg::Error) -> Error {
    Error::bad_item("a damaged JPEG").caused_by(error.to_string())
}
