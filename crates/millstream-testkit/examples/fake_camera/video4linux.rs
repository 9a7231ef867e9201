//! What each call of a Video4Linux2 driver answers: offsets are those of `videodev2.h` for 64 bit.

use std::ffi::c_int;

use crate::camera::{Buffers, Camera, Format};
use crate::picture::{Encoding, Painter};

/// What it can send, and what that is called.
const ENCODINGS: [(Encoding, &[u8; 4]); 3] =
    [(Encoding::Yuyv, b"YUYV"), (Encoding::Nv12, b"NV12"), (Encoding::Mjpeg, b"MJPG")];
/// Sizes. At the last a cell of the strip is no whole number of blocks, so there is no JPEG of it.
const SIZES: [(u32, u32); 3] = [(1280, 720), (352, 288), (640, 480)];
/// Pictures per second.
const RATES: [u32; 3] = [30, 60, 15];

/// Sizes that `encoding` has.
fn sizes(encoding: Encoding) -> &'static [(u32, u32)] {
    if encoding == Encoding::Mjpeg { &SIZES[..2] } else { &SIZES }
}

/// Answers one call; `argument` is read and written.
pub(crate) fn answer(camera: &mut Camera, fd: c_int, request: u32, argument: &mut [u8]) -> Result<(), c_int> {
    if request >> 8 & 0xFF != u32::from(b'V') {
        return Err(libc::ENOTTY);
    }
    let mut fields = Fields(argument);
    match request & 0xFF {
        0 => capabilities(&mut fields),
        2 => format_number(&mut fields),
        4 => write_format(camera, &mut fields),
        5 => set_format(camera, &mut fields),
        8 => request_buffers(camera, fd, &mut fields),
        9 => describe_buffer(camera, &mut fields),
        15 => queue(camera, fd, &fields),
        17 => dequeue(camera, fd, &mut fields),
        18 | 19 => stream(camera, fd, request & 0xFF == 18),
        21 => write_rate(camera, &mut fields),
        22 => set_rate(camera, &mut fields),
        74 => size_number(&mut fields),
        75 => interval_number(&mut fields),
        _ => Err(libc::ENOTTY),
    }
}

struct Fields<'a>(&'a mut [u8]);

impl Fields<'_> {
    fn read(&self, at: usize) -> u32 {
        u32::from_ne_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }
    fn write(&mut self, at: usize, value: u32) {
        self.0[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }
    fn write_all(&mut self, values: &[(usize, u32)]) {
        values.iter().for_each(|(at, value)| self.write(*at, *value));
    }
    fn write_long(&mut self, at: usize, value: u64) {
        self.0[at..at + 8].copy_from_slice(&value.to_ne_bytes());
    }
    fn text(&mut self, at: usize, text: &[u8]) {
        self.0[at..at + text.len()].copy_from_slice(text);
    }
    fn four(&self, at: usize) -> Option<Encoding> {
        ENCODINGS.iter().find(|(_, name)| self.0[at..at + 4] == name[..]).map(|(encoding, _)| *encoding)
    }
}

fn capabilities(fields: &mut Fields) -> Result<(), c_int> {
    fields.0.fill(0);
    fields.text(0, b"fake_camera");
    fields.text(16, b"Millstream Fake Camera");
    fields.text(48, b"platform:fake");
    fields.write(80, 0x06_01_00);
    // Captures video, by streaming, and says what this node can do.
    fields.write(84, 0x8420_0001);
    fields.write(88, 0x0420_0001);
    Ok(())
}

/// Only captured video is known.
fn is_capture(fields: &Fields, at: usize) -> Result<(), c_int> {
    if fields.read(at) == 1 { Ok(()) } else { Err(libc::EINVAL) }
}

fn format_number(fields: &mut Fields) -> Result<(), c_int> {
    is_capture(fields, 4)?;
    let (encoding, name) = ENCODINGS.get(fields.read(0) as usize).ok_or(libc::EINVAL)?;
    fields.0[8..].fill(0);
    fields.write(8, u32::from(*encoding == Encoding::Mjpeg));
    fields.text(12, &name[..]);
    fields.text(44, &name[..]);
    Ok(())
}

fn size_number(fields: &mut Fields) -> Result<(), c_int> {
    let encoding = fields.four(4).ok_or(libc::EINVAL)?;
    let (width, height) = *sizes(encoding).get(fields.read(0) as usize).ok_or(libc::EINVAL)?;
    fields.0[8..].fill(0);
    fields.write_all(&[(8, 1), (12, width), (16, height)]);
    Ok(())
}

fn interval_number(fields: &mut Fields) -> Result<(), c_int> {
    let encoding = fields.four(4).ok_or(libc::EINVAL)?;
    let rate = *RATES.get(fields.read(0) as usize).ok_or(libc::EINVAL)?;
    if !sizes(encoding).contains(&(fields.read(8), fields.read(12))) {
        return Err(libc::EINVAL);
    }
    fields.0[16..].fill(0);
    fields.write_all(&[(16, 1), (20, 1), (24, rate)]);
    Ok(())
}

fn write_format(camera: &Camera, fields: &mut Fields) -> Result<(), c_int> {
    is_capture(fields, 0)?;
    fields.0[8..].fill(0);
    let Format { width, height, encoding } = camera.format;
    let stride = stride(camera) as u32;
    // Whether it is interlaced, and how.
    let field = if camera.told.absurd { 99 } else { 1 };
    let name = encoding.and_then(|wanted| ENCODINGS.iter().find(|(encoding, _)| *encoding == wanted));
    fields.write_all(&[(8, width), (12, height), (20, field), (24, stride), (28, bytes(camera) as u32), (32, 8)]);
    fields.text(16, name.map_or(&b"YU12"[..], |(_, name)| &name[..]));
    Ok(())
}

/// Bytes behind each row, where it is told to pad them.
const PADDING: usize = 64;

/// Bytes of a row, without padding; none of a JPEG.
fn row(format: Format) -> usize {
    match format.encoding {
        Some(Encoding::Yuyv) => format.width as usize * 2,
        Some(Encoding::Mjpeg) => 0,
        Some(Encoding::Nv12) | None => format.width as usize,
    }
}

/// Bytes from row to row.
fn stride(camera: &Camera) -> usize {
    let row = row(camera.format);
    if camera.told.padded && row > 0 { row + PADDING } else { row }
}

/// Bytes of a picture at most. No JPEG of plain blocks is longer than uncompressed.
fn bytes(camera: &Camera) -> usize {
    let (Format { width, height, encoding }, stride) = (camera.format, stride(camera));
    match encoding {
        Some(Encoding::Mjpeg) => (width * height) as usize * 2,
        Some(Encoding::Yuyv) => stride * height as usize,
        Some(Encoding::Nv12) | None => stride * height as usize * 3 / 2,
    }
}

/// Moves rows of `row` bytes, `used` in all, to where they begin `stride` bytes apart; how many bytes that are.
fn pad(picture: &mut [u8], used: usize, row: usize, stride: usize) -> usize {
    if stride == row {
        return used;
    }
    // The last first: each moves to where no other has been left.
    for index in (0..used / row).rev() {
        picture.copy_within(index * row..(index + 1) * row, index * stride);
        picture[index * stride + row..(index + 1) * stride].fill(0x55);
    }
    used / row * stride
}

fn set_format(camera: &mut Camera, fields: &mut Fields) -> Result<(), c_int> {
    is_capture(fields, 0)?;
    if camera.buffers.is_some() {
        return Err(libc::EBUSY);
    }
    let encoding = fields.four(16).or(camera.format.encoding).unwrap_or(Encoding::Yuyv);
    let (wanted_width, wanted_height) = (fields.read(8), fields.read(12));
    let far = |(width, height): &(u32, u32)| width.abs_diff(wanted_width) + height.abs_diff(wanted_height);
    let (width, height) = *sizes(encoding).iter().min_by_key(|size| far(size)).ok_or(libc::EINVAL)?;
    camera.format = Format { width, height, encoding: Some(encoding) };
    write_format(camera, fields)
}

fn write_rate(camera: &Camera, fields: &mut Fields) -> Result<(), c_int> {
    is_capture(fields, 0)?;
    fields.0[4..].fill(0);
    let (numerator, denominator) =
        if camera.double_rate.is_multiple_of(2) { (1, camera.double_rate / 2) } else { (2, camera.double_rate) };
    fields.write_all(&[(4, 0x1000), (12, numerator), (16, denominator)]);
    Ok(())
}

fn set_rate(camera: &mut Camera, fields: &mut Fields) -> Result<(), c_int> {
    is_capture(fields, 0)?;
    let wanted = fields.read(16).checked_div(fields.read(12)).unwrap_or(30);
    let rate = RATES.into_iter().min_by_key(|rate| rate.abs_diff(wanted)).ok_or(libc::EINVAL)?;
    camera.double_rate = rate * 2;
    camera.pace();
    write_rate(camera, fields)
}

fn request_buffers(camera: &mut Camera, fd: c_int, fields: &mut Fields) -> Result<(), c_int> {
    if camera.told.busy || camera.streaming || (camera.owner >= 0 && camera.owner != fd) {
        return Err(libc::EBUSY);
    }
    let count = fields.read(0).min(8);
    camera.release();
    if count > 0 {
        if camera.format.encoding.is_none() {
            return Err(libc::EINVAL);
        }
        camera.buffers = Some(Buffers::new(count, bytes(camera)).ok_or(libc::ENOMEM)?);
        camera.owner = fd;
    }
    fields.write(0, count);
    Ok(())
}

fn describe_buffer(camera: &Camera, fields: &mut Fields) -> Result<(), c_int> {
    let index = fields.read(0);
    write_buffer(camera, fields, index)
}

fn write_buffer(camera: &Camera, fields: &mut Fields, index: u32) -> Result<(), c_int> {
    let buffers = camera.buffers.as_ref().filter(|buffers| index < buffers.count).ok_or(libc::EINVAL)?;
    fields.0.fill(0);
    fields.write_all(&[(0, index), (4, 1), (12, 0x2000), (16, 1), (60, 1), (72, buffers.len as u32)]);
    fields.write_long(64, u64::from(index) * buffers.len as u64);
    Ok(())
}

fn queue(camera: &mut Camera, fd: c_int, fields: &Fields) -> Result<(), c_int> {
    let index = fields.read(0);
    let known = camera.buffers.as_ref().is_some_and(|buffers| index < buffers.count);
    if camera.owner != fd || !known || camera.queue.contains(&index) {
        return Err(libc::EINVAL);
    }
    camera.queue.push_back(index);
    Ok(())
}

fn stream(camera: &mut Camera, fd: c_int, on: bool) -> Result<(), c_int> {
    if camera.owner != fd {
        // Stopping what does not run is fine.
        return if on { Err(libc::EINVAL) } else { Ok(()) };
    }
    if !on && camera.told.stuck {
        return Err(libc::EIO);
    }
    camera.streaming = on;
    if !on {
        camera.queue.clear();
    }
    camera.pace();
    Ok(())
}

fn dequeue(camera: &mut Camera, fd: c_int, fields: &mut Fields) -> Result<(), c_int> {
    if camera.owner != fd || !camera.streaming {
        return Err(libc::EINVAL);
    }
    if camera.told.errors > 0 {
        // The time that has run out is not asked for, so whoever waits is not paced: a flood.
        camera.told.errors -= 1;
        return Err(libc::EIO);
    }
    let Some((number, time, index)) = camera.next() else { return Err(libc::EAGAIN) };
    let Format { width, height, encoding } = camera.format;
    let (row, stride) = (row(camera.format), stride(camera));
    let (Some(encoding), Some(buffers)) = (encoding, &mut camera.buffers) else { return Err(libc::EINVAL) };
    let size = (width as usize, height as usize);
    if camera.painter.as_ref().is_none_or(|painter| painter.size() != size) {
        camera.painter = Some(Painter::new(size.0, size.1));
    }
    let mut used = match &mut camera.painter {
        Some(painter) => painter.paint(number, encoding, buffers.bytes(index)),
        None => 0,
    };
    used = pad(buffers.bytes(index), used, row, stride);
    let mut flags = 4;
    if camera.told.damaged > 0 {
        camera.told.damaged -= 1;
        buffers.bytes(index).fill(0x55);
        flags |= 0x40;
    } else if camera.told.garbled > 0 {
        camera.told.garbled -= 1;
        used /= 3;
    }
    write_buffer(camera, fields, index)?;
    fields.write_all(&[(8, used as u32), (12, flags | 0x2000), (56, number)]);
    fields.write_long(24, time / 1_000_000_000);
    fields.write_long(32, time % 1_000_000_000 / 1000);
    Ok(())
}
