//! What a camera sends into I420: 1280x720, as a webcam stores it.

use std::hint::black_box;
use std::io;

use millstream::core::{PixelFormat, Pool, Range, Timestamp, VideoFrame};
use millstream::nokhwa::decode::Encoding;
use millstream_pixels::Converter;
use turbojpeg::Subsamp;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::camera::{self, SIZE};
use crate::record::Record;
use crate::rounds::{self, Subject};

/// Pictures in a turn: some tens of milliseconds.
const TURN: u32 = 20;

pub(crate) fn measure(rounds: u32) -> io::Result<()> {
    let mut record = Record::create("convert")?;
    record.version("turbojpeg", "1.5.1, libjpeg-turbo of turbojpeg-sys 1.2.0, in ours")?;
    record.version("zune-jpeg", "0.5, YCbCr at 4:4:4, and from there by our converter")?;
    for (case, encoding, data) in [("YUYV", Encoding::Yuyv, camera::yuyv()), ("NV12", Encoding::Nv12, camera::nv12())] {
        let mut ours = camera::decoding(encoding, data);
        rounds::measure(&mut record, rounds, case, &mut [Subject::repeated("millstream", TURN * 5, &mut ours)])?;
    }
    for (case, subsamp) in [("MJPEG_420_of_45_kB", Subsamp::Sub2x2), ("MJPEG_422_of_45_kB", Subsamp::Sub2x1)] {
        let jpeg = camera::jpeg(subsamp);
        let mut ours = camera::decoding(Encoding::Mjpeg, jpeg.clone());
        let mut rival = zune(jpeg);
        let subjects =
            &mut [Subject::repeated("millstream", TURN, &mut ours), Subject::repeated("zune-jpeg", TURN, &mut rival)];
        rounds::measure(&mut record, rounds, case, subjects)?;
    }
    Ok(())
}

/// The same through `zune-jpeg`, into memory that is used again.
fn zune(jpeg: Vec<u8>) -> impl FnMut() {
    let mut converter = Converter::new();
    let mut packed = vec![0; (SIZE.0 * SIZE.1 * 3) as usize];
    let mut pool = Pool::new(1);
    move || {
        let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::YCbCr);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&jpeg[..]), options);
        decoder.decode_into(&mut packed).expect("a good picture");
        let data = pool.fill(packed.len(), |planes: &mut [u8]| {
            // It gives samples three by three.
            let (y, chroma) = planes.split_at_mut(packed.len() / 3);
            let (u, v) = chroma.split_at_mut(packed.len() / 3);
            for (three, ((y, u), v)) in packed.chunks_exact(3).zip(y.iter_mut().zip(u).zip(v)) {
                (*y, *u, *v) = (three[0], three[1], three[2]);
            }
        });
        let mut frame = VideoFrame::tight(data, PixelFormat::I444, SIZE, Timestamp::ZERO);
        frame.color.range = Range::Full;
        drop(black_box(converter.to_i420(&frame).expect("a good picture")));
    }
}
