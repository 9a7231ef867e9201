//! One VP8 encoder of libvpx, safe to use.

use std::ffi::{CStr, c_int, c_ulong, c_void};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;

use millstream_core::{Error, PixelFormat, Result, Role, VideoFrame};

use super::library::Library;
use super::sys;
use crate::pace::{Slot, TICKS_PER_SECOND};

/// What an encoder is made with; the rest is fixed for real time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) size: (u32, u32),
    pub(crate) threads: u32,
    pub(crate) kbps: u32,
    pub(crate) cpu_used: i32,
    pub(crate) min_quantizer: u32,
    pub(crate) max_quantizer: u32,
}

/// One VP8 encoder of libvpx.
pub(crate) struct Context {
    library: &'static Library,
    // Boxed: libvpx may keep where they are.
    context: Box<sys::Context>,
    config: Box<sys::Config>,
}

// SAFETY: libvpx keeps no state in the thread that calls it; a context may be used by any thread, by
// one at a time, which `&mut self` sees to.
unsafe impl Send for Context {}

impl Context {
    /// An encoder for pictures of one size.
    pub(crate) fn new(library: &'static Library, settings: Settings) -> Result<Context> {
        let config = config(library, settings)?;
        // SAFETY: all zeros is a valid `sys::Context`: integers and null pointers. It is what
        // `vpx_codec_enc_init_ver` clears its argument to.
        let mut context = unsafe { Box::<MaybeUninit<sys::Context>>::new(MaybeUninit::zeroed()).assume_init() };
        // SAFETY: context and config are of the layout that the library with this ABI number has.
        let status = unsafe { (library.init)(&mut *context, (library.vp8)(), &*config, 0, library.abi) };
        if status != sys::OK {
            return Err(failed(library, &context, "vpx_codec_enc_init", status));
        }
        let mut started = Context { library, context, config };
        started.control(sys::Control::CpuUsed, settings.cpu_used)?;
        started.control(sys::Control::NoiseSensitivity, 0)?;
        // 1 lets unchanged blocks of a camera's picture be skipped (libwebrtc; 100 is for screens).
        started.control(sys::Control::StaticThreshold, 1)?;
        // As a power of two; threads write partitions side by side.
        started.control(sys::Control::TokenPartitions, c_int::from(settings.threads > 1))?;
        // In percent of one frame's share: a key frame takes 150 ms of the link at 30 fps, half of
        // what libwebrtc allows (`MaxIntraTarget`), for less delay.
        started.control(sys::Control::MaxIntraBitrate, 450)?;
        Ok(started)
    }

    /// Aims at `kbps` thousand bits per second from the next frame on.
    pub(crate) fn set_bitrate(&mut self, kbps: u32) -> Result<()> {
        self.config.target_bitrate = kbps;
        // SAFETY: the context is initialised, and the config is the one it was initialised with.
        let status = unsafe { (self.library.set_config)(&mut *self.context, &*self.config) };
        self.check("vpx_codec_enc_config_set", status)
    }

    /// Encodes an I420 picture of the encoder's size, as a key frame if `key`. Nothing of the
    /// picture is copied on this side, and nothing of it is used afterwards.
    pub(crate) fn encode(&mut self, picture: &VideoFrame, slot: Slot, key: bool) -> Result<Packets<'_>> {
        let image = image(picture)?;
        let flags = if key { sys::FORCE_KEY } else { 0 };
        // SAFETY: the image's planes hold as many rows of as many bytes as it says, which `image`
        // has checked, and libvpx only reads them, before it returns: it copies what it keeps, with
        // lag 0 and otherwise. A picture of another size is refused by libvpx (`validate_img`).
        let status = unsafe {
            let length = c_ulong::from(slot.length);
            (self.library.encode)(&mut *self.context, &image, slot.start, length, flags, sys::DEADLINE_REALTIME)
        };
        self.check("vpx_codec_encode", status)?;
        Ok(Packets { context: self, iterator: ptr::null(), _data: PhantomData })
    }

    fn control(&mut self, control: sys::Control, value: c_int) -> Result<()> {
        // SAFETY: the context is initialised, and each of the controls takes one `int` or `unsigned`.
        let status = unsafe { (self.library.set_control)(&mut *self.context, control as c_int, value) };
        self.check("vpx_codec_control", status)
    }

    fn check(&self, function: &str, status: sys::Status) -> Result<()> {
        if status == sys::OK { Ok(()) } else { Err(failed(self.library, &self.context, function, status)) }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context is initialised and is not used again. That it cannot be destroyed
        // would leave nothing to do.
        unsafe { (self.library.destroy)(&mut *self.context) };
    }
}

/// The frames that one [`Context::encode`] gave: one, for VP8 without lag.
pub(crate) struct Packets<'a> {
    context: &'a mut Context,
    iterator: *const c_void,
    _data: PhantomData<&'a [u8]>,
}

/// One encoded frame, in libvpx's memory.
pub(crate) struct Packet<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) role: Role,
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        loop {
            // SAFETY: the context is initialised; the iterator is null or what the call before wrote.
            let packet = unsafe { (self.context.library.next_packet)(&mut *self.context.context, &mut self.iterator) };
            // SAFETY: it is null or a packet that is valid until the next encode, which needs the
            // context that is borrowed for 'a.
            let packet: &'a sys::Packet = unsafe { packet.as_ref() }?;
            if packet.kind != sys::PACKET_FRAME || packet.frame.size == 0 {
                continue;
            }
            // SAFETY: a packet of this kind has `size` bytes at `data`, valid as long as itself.
            let data = unsafe { std::slice::from_raw_parts(packet.frame.data, packet.frame.size) };
            return Some(Packet { data, role: role(packet.frame.flags) });
        }
    }
}

/// What hangs on a frame, by what libvpx says of it.
fn role(flags: u32) -> Role {
    if flags & sys::FRAME_KEY != 0 {
        Role::Start
    } else if flags & sys::FRAME_DROPPABLE != 0 {
        Role::Discardable
    } else {
        Role::Reference
    }
}

/// libvpx's own configuration with ours in it: libwebrtc's for real time (M131,
/// `libvpx_vp8_encoder.cc`), with error resilience always and without key frames of libvpx's own choice.
fn config(library: &Library, settings: Settings) -> Result<Box<sys::Config>> {
    // SAFETY: all zeros is a valid `sys::Config`: integers and null pointers.
    let mut config = unsafe { Box::<MaybeUninit<sys::Config>>::new(MaybeUninit::zeroed()).assume_init() };
    // SAFETY: `sys::Config` is at least as large as the library's own struct.
    let status = unsafe { (library.config_default)((library.vp8)(), &mut *config, 0) };
    // What every version says, at both ends of what we use: if it is not there, the layout is another.
    let known = config.time_base == [1, 30] && config.key_frame_mode == sys::KEY_FRAMES_AUTOMATIC;
    if status != sys::OK || !known {
        return Err(Error::config(format!(
            "libvpx {} does not lay out its configuration as its version says: install the system's own",
            library.version()
        )));
    }
    (config.width, config.height) = settings.size;
    config.threads = settings.threads;
    config.time_base = [1, TICKS_PER_SECOND as c_int];
    config.error_resilient = sys::ERROR_RESILIENT;
    config.lag_in_frames = 0;
    config.drop_frame_threshold = 0;
    config.resize_allowed = 0;
    config.end_usage = sys::CBR;
    config.target_bitrate = settings.kbps;
    config.min_quantizer = settings.min_quantizer;
    config.max_quantizer = settings.max_quantizer;
    // Percent of a frame's share.
    config.undershoot = 100;
    config.overshoot = 15;
    // Milliseconds at the bit rate.
    config.buffer_size = 1000;
    config.buffer_initial = 500;
    config.buffer_optimal = 600;
    config.key_frame_mode = sys::KEY_FRAMES_ON_REQUEST;
    Ok(config)
}

/// `picture` as libvpx reads it, in place.
fn image(picture: &VideoFrame) -> Result<sys::Image> {
    let (width, height) = (picture.width(), picture.height());
    if picture.format() != PixelFormat::I420 {
        return Err(Error::bad_item(format!("libvpx takes I420 and this is {:?}", picture.format())));
    }
    let planes = [0, 1, 2].map(|index| picture.plane(index));
    for plane in planes {
        let needed = (plane.rows - 1) * plane.stride + plane.row;
        assert!(plane.data.len() >= needed && plane.stride >= plane.row, "a frame holds its planes");
    }
    // libvpx reads the third plane with the stride of the second.
    let strides = planes.map(|plane| c_int::try_from(plane.stride).ok());
    let ([Some(luma), Some(chroma), Some(_)], true) = (strides, planes[1].stride == planes[2].stride) else {
        return Err(Error::bad_item("libvpx cannot read planes that lie this far apart"));
    };
    let [y, u, v] = planes.map(|plane| plane.data.as_ptr().cast_mut());
    Ok(sys::Image {
        format: sys::I420,
        // The colour space is not written into VP8 but for "BT.601 or unspecified".
        color_space: 0,
        range: 0,
        width,
        height,
        bit_depth: 8,
        display_width: width,
        display_height: height,
        render_width: 0,
        render_height: 0,
        x_chroma_shift: 1,
        y_chroma_shift: 1,
        planes: [y, u, v, ptr::null_mut()],
        strides: [luma, chroma, chroma, 0],
        bits_per_sample: 12,
        user: ptr::null_mut(),
        data: ptr::null_mut(),
        data_owner: 0,
        self_allocated: 0,
        frame_buffer: ptr::null_mut(),
        _spare: [0; 8],
    })
}

/// What libvpx says went wrong in `function`.
fn failed(library: &Library, context: &sys::Context, function: &str, status: sys::Status) -> Error {
    // SAFETY: it gives a static text for any number.
    let what = unsafe { CStr::from_ptr((library.status_text)(status)) }.to_string_lossy();
    // SAFETY: it reads a context, initialised or cleared, and gives null or a text of its own.
    let detail = unsafe {
        let detail = (library.error_detail)(context);
        if detail.is_null() { String::new() } else { format!(" ({})", CStr::from_ptr(detail).to_string_lossy()) }
    };
    Error::fatal(format!("libvpx {}: {function}: {what}{detail}", library.version()))
}
