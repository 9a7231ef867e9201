//! The functions of the C library that stand before the real ones.
//!
//! What is not for the camera goes straight to the kernel: `syscall` is replaced here too, so calling the
//! C library would come back.

use std::arch::asm;
use std::ffi::{CStr, c_char, c_int, c_long, c_ulong, c_void};

use crate::camera;

/// One system call.
///
/// # Safety
/// As the call itself.
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn raw(number: c_long, args: [c_long; 6]) -> c_long {
    let result: c_long;
    // SAFETY: the kernel keeps every register but rax, rcx and r11; the caller answers for the call.
    unsafe {
        asm!("syscall", inlateout("rax") number => result, in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5], lateout("rcx") _, lateout("r11") _,
            options(nostack));
    }
    result
}

/// One system call.
///
/// # Safety
/// As the call itself.
#[cfg(target_arch = "aarch64")]
pub(crate) unsafe fn raw(number: c_long, args: [c_long; 6]) -> c_long {
    let result: c_long;
    // SAFETY: the kernel keeps every register but x0; the caller answers for the call.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") args[0] => result, in("x1") args[1], in("x2") args[2],
            in("x3") args[3], in("x4") args[4], in("x5") args[5], options(nostack));
    }
    result
}

/// What the C library makes of the kernel's answer: -1 and `errno` where it is an error.
pub(crate) fn answered(result: c_long) -> c_long {
    if (-4095..0).contains(&result) {
        // SAFETY: the place of this thread's errno is always valid.
        unsafe { *libc::__errno_location() = -result as c_int };
        return -1;
    }
    result
}

unsafe fn opened(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
    // SAFETY: whoever opens a file gives a string that ends.
    let name = unsafe { CStr::from_ptr(path) };
    if let Some(node) = name.to_str().ok().and_then(|name| name.strip_prefix("/dev/video")?.parse().ok())
        && let Some(result) = camera::open(node)
    {
        return answered(result) as c_int;
    }
    let args = [libc::AT_FDCWD.into(), path as c_long, flags.into(), mode.into(), 0, 0];
    // SAFETY: as the caller's own call.
    answered(unsafe { raw(libc::SYS_openat, args) }) as c_int
}

/// `open(2)`, whose third argument is not looked at where there is none.
#[unsafe(no_mangle)]
unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
    // SAFETY: the caller's arguments.
    unsafe { opened(path, flags, mode) }
}

/// `open(2)` for large files.
#[unsafe(no_mangle)]
unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
    // SAFETY: the caller's arguments.
    unsafe { opened(path, flags, mode) }
}

/// `close(2)`
#[unsafe(no_mangle)]
unsafe extern "C" fn close(fd: c_int) -> c_int {
    camera::close(fd);
    // SAFETY: as the caller's own call.
    answered(unsafe { raw(libc::SYS_close, [fd.into(), 0, 0, 0, 0, 0]) }) as c_int
}

/// `ioctl(2)`
#[unsafe(no_mangle)]
unsafe extern "C" fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    // SAFETY: the caller's arguments.
    if let Some(result) = unsafe { camera::ioctl(fd, request as u32, argument.cast()) } {
        return answered(result) as c_int;
    }
    // SAFETY: as the caller's own call.
    answered(unsafe { raw(libc::SYS_ioctl, [fd.into(), request as c_long, argument as c_long, 0, 0, 0]) }) as c_int
}

/// `syscall(2)`, by which the crate `v4l` calls `ioctl`.
#[unsafe(no_mangle)]
unsafe extern "C" fn syscall(
    number: c_long,
    a: c_long,
    b: c_long,
    c: c_long,
    d: c_long,
    e: c_long,
    f: c_long,
) -> c_long {
    if number == libc::SYS_ioctl {
        // SAFETY: the caller's arguments.
        return c_long::from(unsafe { ioctl(a as c_int, b as c_ulong, c as *mut c_void) });
    }
    // SAFETY: as the caller's own call.
    answered(unsafe { raw(number, [a, b, c, d, e, f]) })
}

unsafe fn mapped(place: *mut c_void, len: usize, protection: c_int, flags: c_int, fd: c_int, at: i64) -> *mut c_void {
    // The camera's buffers lie in a file of memory: that is what is mapped instead.
    let fd = if fd < 0 { fd } else { camera::memory(fd).unwrap_or(fd) };
    let args = [place as c_long, len as c_long, protection.into(), flags.into(), fd.into(), at];
    // SAFETY: as the caller's own call.
    answered(unsafe { raw(libc::SYS_mmap, args) }) as *mut c_void
}

/// `mmap(2)`
#[unsafe(no_mangle)]
unsafe extern "C" fn mmap(
    place: *mut c_void,
    len: usize,
    protection: c_int,
    flags: c_int,
    fd: c_int,
    at: i64,
) -> *mut c_void {
    // SAFETY: the caller's arguments.
    unsafe { mapped(place, len, protection, flags, fd, at) }
}

/// `mmap(2)` for large files.
#[unsafe(no_mangle)]
unsafe extern "C" fn mmap64(
    place: *mut c_void,
    len: usize,
    protection: c_int,
    flags: c_int,
    fd: c_int,
    at: i64,
) -> *mut c_void {
    // SAFETY: the caller's arguments.
    unsafe { mapped(place, len, protection, flags, fd, at) }
}
