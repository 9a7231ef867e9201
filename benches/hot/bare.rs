//! The C beside us: the bare loop over libvpx, and the clock that stands before libvpx. `script/bench` builds both.

use std::ffi::{c_int, c_long, c_uint};
use std::path::PathBuf;
use std::ptr::NonNull;

use libloading::{Library, Symbol};
use millstream::core::VideoFrame;

/// An encoder of libvpx in a bare loop.
pub(crate) struct Bare<'a> {
    library: &'a Library,
    encoder: NonNull<Opaque>,
}

enum Opaque {}

type Open = unsafe extern "C" fn(c_uint, c_uint, c_uint) -> Option<NonNull<Opaque>>;
type Loop = unsafe extern "C" fn(NonNull<Opaque>, *const [*const u8; 3], *const c_int, c_long) -> c_long;
type Close = unsafe extern "C" fn(NonNull<Opaque>);
type Inside = unsafe extern "C" fn() -> c_long;

/// The library that holds the bare loop.
pub(crate) fn library() -> Library {
    load(&place("bare.so"))
}

/// Nanoseconds that this thread was inside libvpx since it was last asked; `MILLSTREAM_LIBVPX` names the clock.
#[expect(unsafe_code, reason = "it is in C")]
pub(crate) fn inside() -> impl Fn() -> f64 {
    let path = std::env::var_os("MILLSTREAM_LIBVPX").expect("script/bench names the clock before libvpx");
    let library = load(&PathBuf::from(path));
    move || {
        // SAFETY: the type is that of `timed.c`, and the library is still there.
        let inside: Symbol<Inside> = unsafe { library.get(b"timed_inside\0") }.expect("it is what script/bench built");
        // SAFETY: it reads and writes one integer of the thread that encodes, which is this one.
        unsafe { inside() as f64 }
    }
}

impl Bare<'_> {
    #[expect(unsafe_code, reason = "it is in C")]
    pub(crate) fn new(library: &Library, (width, height): (u32, u32), kbps: u32) -> Bare<'_> {
        // SAFETY: the type is that of `bare.c`.
        let open: Symbol<Open> = unsafe { library.get(b"bare_open\0") }.expect("it is what script/bench built");
        // SAFETY: it takes any numbers, and gives null where libvpx does not like them.
        let encoder = unsafe { open(width, height, kbps) }.expect("libvpx takes the settings");
        Bare { library, encoder }
    }

    /// Encodes `pictures`; gives the bytes of all frames.
    #[expect(unsafe_code, reason = "it is in C")]
    pub(crate) fn encode(&mut self, pictures: &[VideoFrame]) -> u64 {
        let planes: Vec<[*const u8; 3]> =
            pictures.iter().map(|picture| [0, 1, 2].map(|index| picture.plane(index).data.as_ptr())).collect();
        let strides = [0, 1, 2].map(|index| pictures[0].plane(index).stride as c_int);
        // SAFETY: the type is that of `bare.c`.
        let encode: Symbol<Loop> = unsafe { self.library.get(b"bare_loop\0") }.expect("it is what script/bench built");
        // SAFETY: there are as many pictures as it is told, all of the encoder's size, with these strides.
        let bytes = unsafe { encode(self.encoder, planes.as_ptr(), strides.as_ptr(), planes.len() as c_long) };
        u64::try_from(bytes).expect("libvpx encodes a test picture")
    }
}

impl Drop for Bare<'_> {
    #[expect(unsafe_code, reason = "it is in C")]
    fn drop(&mut self) {
        // SAFETY: the type is that of `bare.c`.
        let close: Symbol<Close> = unsafe { self.library.get(b"bare_close\0") }.expect("it is what script/bench built");
        // SAFETY: the encoder is open and is not used again.
        unsafe { close(self.encoder) }
    }
}

fn place(name: &str) -> PathBuf {
    crate::record::repository().join("target/bench").join(name)
}

#[expect(unsafe_code, reason = "loading a library runs its code")]
fn load(path: &std::path::Path) -> Library {
    // SAFETY: it is what script/bench built of the C beside this file, which does nothing when it is loaded.
    unsafe { Library::new(path) }.unwrap_or_else(|error| panic!("{}: {error}: run script/bench", path.display()))
}
