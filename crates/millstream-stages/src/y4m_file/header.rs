//! The first line of a YUV4MPEG2 file: size, frame rate, layout and range of its frames.
//!
//! By the manual page yuv4mpeg(5) of mjpegtools, and what FFmpeg writes beyond it.

use millstream_core::units::FrameRate;
use millstream_core::{MAX_DIMENSION, PixelFormat, Range};

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) size: (u32, u32),
    pub(super) rate: FrameRate,
    pub(super) format: PixelFormat,
    pub(super) range: Range,
}

/// Reads the line without its end, or says what is wrong with it.
pub(super) fn parse(line: &[u8]) -> Result<Header, String> {
    let line = std::str::from_utf8(line).unwrap_or_default();
    let mut fields = line.split_ascii_whitespace();
    if fields.next() != Some("YUV4MPEG2") {
        return Err("this is no YUV4MPEG2 file; `ffmpeg -i INPUT OUTPUT.y4m` makes one".to_owned());
    }
    let (mut width, mut height, mut rate) = (None, None, None);
    let (mut format, mut range) = (PixelFormat::I420, Range::Limited);
    for field in fields {
        // A field is a letter and its value; the letter is ASCII in all that we know.
        let Some(value) = field.get(1..) else { continue };
        match field.as_bytes()[0] {
            b'W' => width = Some(side(field, value)?),
            b'H' => height = Some(side(field, value)?),
            b'F' => rate = Some(frame_rate(field, value)?),
            b'C' => format = pixel_format(field, value)?,
            b'X' if value == "COLORRANGE=FULL" => range = Range::Full,
            // Interlacing and the shape of pixels do not change what a frame holds; other
            // extensions may be ignored, as the manual says.
            _ => (),
        }
    }
    let missing = |letter, what| format!("the header has no `{letter}`, so {what} is not known");
    Ok(Header {
        size: (width.ok_or_else(|| missing('W', "the width"))?, height.ok_or_else(|| missing('H', "the height"))?),
        rate: rate.ok_or_else(|| missing('F', "the frame rate"))?,
        format,
        range,
    })
}

fn side(field: &str, value: &str) -> Result<u32, String> {
    let side = value.parse().ok().filter(|side| (1..=MAX_DIMENSION).contains(side));
    side.ok_or_else(|| format!("the header says `{field}`; sides are 1 to {MAX_DIMENSION} pixels"))
}

fn frame_rate(field: &str, value: &str) -> Result<FrameRate, String> {
    let rate = value
        .split_once(':')
        .and_then(|(numerator, denominator)| FrameRate::new(numerator.parse().ok()?, denominator.parse().ok()?));
    rate.ok_or_else(|| {
        format!("the header says `{field}`; a frame rate is more than 0 and at most 1000, as in `F30:1`")
    })
}

fn pixel_format(field: &str, value: &str) -> Result<PixelFormat, String> {
    match value {
        // They differ in where chroma is sampled, by half a pixel at most.
        "420" | "420jpeg" | "420mpeg2" | "420paldv" => Ok(PixelFormat::I420),
        "422" => Ok(PixelFormat::I422),
        "444" => Ok(PixelFormat::I444),
        "mono" => Ok(PixelFormat::Gray),
        _ => Err(format!("the header says `{field}`; what can be read is 8-bit C420, C422, C444 and Cmono")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_as_they_are_found() {
        let ffmpeg =
            parse(b"YUV4MPEG2 W1280 H720 F30000:1001 Ip A1:1 C420jpeg XYSCSS=420JPEG XCOLORRANGE=FULL").unwrap();
        let rate = FrameRate::new(30_000, 1001).unwrap();
        assert_eq!(ffmpeg, Header { size: (1280, 720), rate, format: PixelFormat::I420, range: Range::Full });
        let bare = parse(b"YUV4MPEG2 W3 H5 F25:1").unwrap();
        assert_eq!((bare.size, bare.format, bare.range), ((3, 5), PixelFormat::I420, Range::Limited));
        for (layout, format) in [("422", PixelFormat::I422), ("444", PixelFormat::I444), ("mono", PixelFormat::Gray)] {
            assert_eq!(parse(format!("YUV4MPEG2 W3 H5 F25:1 C{layout}").as_bytes()).unwrap().format, format);
        }
    }

    #[test]
    fn wrong_headers_are_refused_in_words() {
        for (line, words) in [
            ("RIFF", "no YUV4MPEG2 file"),
            ("YUV4MPEG2 H5 F25:1", "no `W`"),
            ("YUV4MPEG2 W5 F25:1", "no `H`"),
            ("YUV4MPEG2 W5 H5", "no `F`"),
            ("YUV4MPEG2 W0 H5 F25:1", "`W0`"),
            ("YUV4MPEG2 W16384 H5 F25:1", "1 to 16383"),
            ("YUV4MPEG2 W99999999999 H5 F25:1", "1 to 16383"),
            ("YUV4MPEG2 W5 H5 F0:0", "`F0:0`"),
            ("YUV4MPEG2 W5 H5 F25:1 C420p10", "`C420p10`; what can be read is 8-bit"),
            ("YUV4MPEG2 W5 H5 F25:1 ä", ""),
        ] {
            match parse(line.as_bytes()) {
                Err(error) => assert!(error.contains(words), "{line}: {error}"),
                Ok(_) => assert!(words.is_empty(), "{line}"),
            }
        }
    }
}
