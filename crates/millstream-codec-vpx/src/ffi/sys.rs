//! libvpx's structs, constants and functions as `vpx_encoder.h` and `vpx_image.h` have them, 1.8 to 1.17.
//!
//! Enums are plain integers: a value that a newer libvpx adds must not be undefined behaviour here.

use std::ffi::{c_char, c_int, c_long, c_uint, c_ulong, c_void};

/// `vpx_codec_err_t`: 0 is fine.
pub(super) type Status = c_int;

/// `vpx_codec_iface_t`: opaque.
#[repr(C)]
pub(super) struct Interface {
    _opaque: [u8; 0],
}

/// `vpx_codec_ctx_t`.
#[repr(C)]
pub(super) struct Context {
    name: *const c_char,
    interface: *const Interface,
    error: Status,
    error_detail: *const c_char,
    init_flags: c_long,
    config: *const c_void,
    private: *mut c_void,
    /// Nothing is here in the versions known.
    _spare: [usize; 8],
}

/// `vpx_codec_enc_cfg_t`: what we set stands at the same place in every version known, and the rest
/// is the library's, which writes all of it in `vpx_codec_enc_config_default`.
#[repr(C)]
pub(super) struct Config {
    pub(super) usage: c_uint,
    pub(super) threads: c_uint,
    pub(super) profile: c_uint,
    pub(super) width: c_uint,
    pub(super) height: c_uint,
    pub(super) bit_depth: c_uint,
    pub(super) input_bit_depth: c_uint,
    pub(super) time_base: [c_int; 2],
    pub(super) error_resilient: u32,
    pub(super) pass: c_uint,
    pub(super) lag_in_frames: c_uint,
    pub(super) drop_frame_threshold: c_uint,
    pub(super) resize_allowed: c_uint,
    pub(super) scaled_width: c_uint,
    pub(super) scaled_height: c_uint,
    pub(super) resize_up_threshold: c_uint,
    pub(super) resize_down_threshold: c_uint,
    pub(super) end_usage: c_uint,
    pub(super) two_pass_stats: Buffer,
    pub(super) first_pass_stats: Buffer,
    pub(super) target_bitrate: c_uint,
    pub(super) min_quantizer: c_uint,
    pub(super) max_quantizer: c_uint,
    pub(super) undershoot: c_uint,
    pub(super) overshoot: c_uint,
    pub(super) buffer_size: c_uint,
    pub(super) buffer_initial: c_uint,
    pub(super) buffer_optimal: c_uint,
    pub(super) two_pass: [c_uint; 4],
    pub(super) key_frame_mode: c_uint,
    pub(super) key_frame_min_distance: c_uint,
    pub(super) key_frame_max_distance: c_uint,
    /// Layers, and what later versions add. All of the library's struct is 504 bytes in 1.12.
    _tail: [u8; 2048],
}

/// `vpx_fixed_buf_t`.
#[repr(C)]
pub(super) struct Buffer {
    data: *mut c_void,
    size: usize,
}

/// `vpx_image_t`, whose layout has the number `VPX_IMAGE_ABI_VERSION` 5 in every version known.
#[repr(C)]
pub(super) struct Image {
    pub(super) format: c_uint,
    pub(super) color_space: c_uint,
    pub(super) range: c_uint,
    pub(super) width: c_uint,
    pub(super) height: c_uint,
    pub(super) bit_depth: c_uint,
    pub(super) display_width: c_uint,
    pub(super) display_height: c_uint,
    pub(super) render_width: c_uint,
    pub(super) render_height: c_uint,
    pub(super) x_chroma_shift: c_uint,
    pub(super) y_chroma_shift: c_uint,
    pub(super) planes: [*mut u8; 4],
    pub(super) strides: [c_int; 4],
    pub(super) bits_per_sample: c_int,
    pub(super) user: *mut c_void,
    pub(super) data: *mut u8,
    pub(super) data_owner: c_int,
    pub(super) self_allocated: c_int,
    pub(super) frame_buffer: *mut c_void,
    /// Nothing is here in the versions known.
    pub(super) _spare: [usize; 8],
}

/// The head of `vpx_codec_cx_pkt_t`; libvpx owns it, so its end does not matter.
#[repr(C)]
pub(super) struct Packet {
    pub(super) kind: c_int,
    pub(super) frame: Frame,
}

/// What a [`Packet`] holds if its kind is [`PACKET_FRAME`].
#[repr(C)]
pub(super) struct Frame {
    pub(super) data: *const u8,
    pub(super) size: usize,
    pub(super) time: i64,
    pub(super) duration: c_ulong,
    pub(super) flags: u32,
}

/// `VPX_CODEC_OK`.
pub(super) const OK: Status = 0;
/// `VPX_IMG_FMT_I420`: planar (0x100), 2.
pub(super) const I420: c_uint = 0x102;
/// `VPX_CODEC_CX_FRAME_PKT`.
pub(super) const PACKET_FRAME: c_int = 0;
/// `VPX_FRAME_IS_KEY`.
pub(super) const FRAME_KEY: u32 = 1;
/// `VPX_FRAME_IS_DROPPABLE`.
pub(super) const FRAME_DROPPABLE: u32 = 2;
/// `VPX_EFLAG_FORCE_KF`.
pub(super) const FORCE_KEY: c_long = 1;
/// `VPX_DL_REALTIME`, in microseconds.
pub(super) const DEADLINE_REALTIME: c_ulong = 1;
/// `VPX_ERROR_RESILIENT_DEFAULT`.
pub(super) const ERROR_RESILIENT: u32 = 1;
/// `VPX_CBR`.
pub(super) const CBR: c_uint = 1;
/// `VPX_KF_AUTO`: what `vpx_codec_enc_config_default` says.
pub(super) const KEY_FRAMES_AUTOMATIC: c_uint = 1;
/// `VPX_KF_DISABLED`.
pub(super) const KEY_FRAMES_ON_REQUEST: c_uint = 0;

/// The controls we use: `enum vp8e_enc_control_id` in `vp8cx.h`.
#[derive(Clone, Copy, Debug)]
#[repr(i32)]
pub(super) enum Control {
    CpuUsed = 13,
    NoiseSensitivity = 15,
    StaticThreshold = 17,
    TokenPartitions = 18,
    MaxIntraBitrate = 26,
}

pub(super) type Vp8Interface = unsafe extern "C" fn() -> *const Interface;
pub(super) type ConfigDefault = unsafe extern "C" fn(*const Interface, *mut Config, c_uint) -> Status;
pub(super) type Init = unsafe extern "C" fn(*mut Context, *const Interface, *const Config, c_long, c_int) -> Status;
pub(super) type SetConfig = unsafe extern "C" fn(*mut Context, *const Config) -> Status;
pub(super) type SetControl = unsafe extern "C" fn(*mut Context, c_int, ...) -> Status;
pub(super) type Encode = unsafe extern "C" fn(*mut Context, *const Image, i64, c_ulong, c_long, c_ulong) -> Status;
pub(super) type NextPacket = unsafe extern "C" fn(*mut Context, *mut *const c_void) -> *const Packet;
pub(super) type Destroy = unsafe extern "C" fn(*mut Context) -> Status;
pub(super) type ErrorDetail = unsafe extern "C" fn(*const Context) -> *const c_char;
pub(super) type StatusText = unsafe extern "C" fn(Status) -> *const c_char;
pub(super) type Version = unsafe extern "C" fn() -> c_int;
pub(super) type VersionText = unsafe extern "C" fn() -> *const c_char;
