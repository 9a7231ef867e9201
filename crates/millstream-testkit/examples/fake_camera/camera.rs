//! The camera: its handles, its buffers, its pace.
//!
//! A handle is a timer of the kernel's, so that waiting for it works as with a real camera, and paces the
//! pictures.

use std::collections::VecDeque;
use std::ffi::{c_int, c_long};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use crate::control::Told;
use crate::interpose::raw;
use crate::picture::{Encoding, Painter};
use crate::video4linux;

/// Handles that may be open at once. They are looked at without a lock, because every `close` of the
/// program comes by here.
static HANDLES: [AtomicI32; 16] = [const { AtomicI32::new(-1) }; 16];
/// The life of the camera that each was opened in: unplugging ends one.
static LIVES: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

static CAMERA: Mutex<Camera> = Mutex::new(Camera::new());

/// A format that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Nothing where another program has left it at something unusual.
    pub(crate) encoding: Option<Encoding>,
}

pub(crate) struct Camera {
    pub(crate) told: Told,
    life: u64,
    pub(crate) format: Format,
    /// Pictures per second times two, so that 12.5 can be said.
    pub(crate) double_rate: u32,
    /// Who has the buffers.
    pub(crate) owner: c_int,
    pub(crate) buffers: Option<Buffers>,
    pub(crate) queue: VecDeque<u32>,
    pub(crate) streaming: bool,
    /// Since when it gives pictures, in nanoseconds of the monotonic clock.
    start: u64,
    /// Pictures since then that were given or are lost.
    given: u64,
    /// The number of the last picture before.
    base: u64,
    pub(crate) painter: Option<Painter>,
}

/// Buffers in a file of memory, mapped here and by the program.
pub(crate) struct Buffers {
    file: c_int,
    place: *mut u8,
    pub(crate) count: u32,
    /// Bytes of each, a whole number of pages.
    pub(crate) len: usize,
}

// SAFETY: the place is reached under the camera's lock only.
unsafe impl Send for Buffers {}

impl Buffers {
    pub(crate) fn new(count: u32, len: usize) -> Option<Buffers> {
        let len = len.next_multiple_of(4096);
        let whole = len * count as usize;
        // SAFETY: a fresh file of memory, made as long as it is mapped.
        unsafe {
            let file = raw(libc::SYS_memfd_create, [c"camera".as_ptr() as c_long, 1, 0, 0, 0, 0]);
            if file < 0 || raw(libc::SYS_ftruncate, [file, whole as c_long, 0, 0, 0, 0]) < 0 {
                return None;
            }
            let access = c_long::from(libc::PROT_READ | libc::PROT_WRITE);
            let place = raw(libc::SYS_mmap, [0, whole as c_long, access, libc::MAP_SHARED.into(), file, 0]);
            (place > 0).then_some(Buffers { file: file as c_int, place: place as *mut u8, count, len })
        }
    }

    pub(crate) fn bytes(&mut self, index: u32) -> &mut [u8] {
        assert!(index < self.count);
        // SAFETY: the mapping holds `count` buffers of `len`, and only this value reaches it.
        unsafe { std::slice::from_raw_parts_mut(self.place.add(index as usize * self.len), self.len) }
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: what was mapped and opened in `new`; the program has a mapping of its own.
        unsafe {
            raw(libc::SYS_munmap, [self.place as c_long, (self.len * self.count as usize) as c_long, 0, 0, 0, 0]);
            raw(libc::SYS_close, [self.file.into(), 0, 0, 0, 0, 0]);
        }
    }
}

impl Camera {
    const fn new() -> Camera {
        Camera {
            told: Told {
                node: 0,
                unplugged: false,
                stalled: false,
                hanging: false,
                busy: false,
                unreadable: false,
                odd: false,
                absurd: false,
                stuck: false,
                padded: false,
                errors: 0,
                damaged: 0,
                garbled: 0,
            },
            life: 1,
            format: Format { width: 640, height: 480, encoding: Some(Encoding::Yuyv) },
            double_rate: 60,
            owner: -1,
            buffers: None,
            queue: VecDeque::new(),
            streaming: false,
            start: 0,
            given: 0,
            base: 0,
            painter: None,
        }
    }

    /// Does what the file says, where that is new.
    fn hear(&mut self, before: &mut Told) {
        let told = Told::read();
        if *before == told {
            return;
        }
        let unplugged = told.unplugged && !before.unplugged;
        *before = told;
        self.told = told;
        if told.odd {
            self.format.encoding = None;
            self.double_rate = 25;
        }
        if unplugged {
            self.life += 1;
            self.release();
            // Whoever waits wakes up, and finds that the handle is dead.
            for handle in HANDLES.iter().map(|handle| handle.load(Ordering::Acquire)).filter(|handle| *handle >= 0) {
                arm(handle, 1);
            }
        }
        self.pace();
    }

    /// Lets go of the buffers.
    pub(crate) fn release(&mut self) {
        self.streaming = false;
        self.queue.clear();
        self.buffers = None;
        self.owner = -1;
    }

    /// Sets the timer as it should run now; pictures are counted from here on.
    pub(crate) fn pace(&mut self) {
        if self.owner < 0 {
            return;
        }
        (self.start, self.base, self.given) = (now(), self.base + self.given, 0);
        match self {
            Camera { told: Told { hanging: true, .. }, .. } => arm(self.owner, 1),
            Camera { streaming: true, told: Told { stalled: false, .. }, .. } => self.arm(),
            _ => arm(self.owner, 0),
        }
    }

    fn period(&self) -> u64 {
        2_000_000_000 / u64::from(self.double_rate)
    }

    /// Lets the timer run out when the next picture is there, at once if it is.
    fn arm(&self) {
        arm(self.owner, self.start + (self.given + 1) * self.period());
    }

    /// The next picture that is there, if there is one and a buffer for it: its number, when it was
    /// captured, and the buffer. Those that had no buffer are lost.
    pub(crate) fn next(&mut self) -> Option<(u32, u64, u32)> {
        forget(self.owner);
        let due = (now() - self.start) / self.period();
        self.given = self.given.max(due.saturating_sub(self.queue.len() as u64));
        let buffer = if due > self.given { self.queue.pop_front() } else { None };
        self.given += u64::from(buffer.is_some());
        self.arm();
        buffer.map(|buffer| ((self.base + self.given) as u32, self.start + self.given * self.period(), buffer))
    }
}

/// The monotonic clock, in nanoseconds.
fn now() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Lets a timer run out at a time of the monotonic clock, or never where that is 0.
fn arm(timer: c_int, at: u64) {
    let at = libc::timespec { tv_sec: (at / 1_000_000_000) as i64, tv_nsec: (at % 1_000_000_000) as i64 };
    let once = libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
    let flags = c_long::from(libc::TFD_TIMER_ABSTIME);
    // SAFETY: the kernel reads one itimerspec.
    unsafe { raw(libc::SYS_timerfd_settime, [timer.into(), flags, &raw const once as c_long, 0, 0, 0]) };
}

/// Forgets that a timer has run out.
fn forget(timer: c_int) {
    let mut count = 0u64;
    // SAFETY: the kernel writes eight bytes.
    unsafe { raw(libc::SYS_read, [timer.into(), &raw mut count as c_long, 8, 0, 0, 0]) };
}

fn lock() -> MutexGuard<'static, Camera> {
    CAMERA.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens to the file, from the first time that somebody looks for a camera.
fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        let mut before = Told::default();
        lock().hear(&mut before);
        std::thread::spawn(move || {
            loop {
                std::thread::park_timeout(Duration::from_millis(10));
                lock().hear(&mut before);
            }
        });
    });
}

/// Waits for ever where the camera hangs.
fn hang() {
    while lock().told.hanging {
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Opens the camera, if it is `node`: a handle, or an error of the kernel.
pub(crate) fn open(node: u32) -> Option<c_long> {
    listen();
    if lock().told.node == node {
        hang();
    }
    let camera = lock();
    match camera.told {
        told if told.node != node || told.unplugged => return None,
        Told { unreadable: true, .. } => return Some(-c_long::from(libc::EACCES)),
        _ => {}
    }
    let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
    // SAFETY: makes a file and touches no memory.
    let handle = unsafe { raw(libc::SYS_timerfd_create, [libc::CLOCK_MONOTONIC.into(), flags.into(), 0, 0, 0, 0]) };
    let free = HANDLES.iter().position(|handle| handle.load(Ordering::Acquire) < 0)?;
    LIVES[free].store(camera.life, Ordering::Release);
    HANDLES[free].store(handle as c_int, Ordering::Release);
    Some(handle)
}

fn index(fd: c_int) -> Option<usize> {
    HANDLES.iter().position(|handle| handle.load(Ordering::Acquire) == fd)
}

/// Forgets a handle; the timer behind it is the caller's to close.
pub(crate) fn close(fd: c_int) {
    if fd < 0 {
        return;
    }
    if let Some(index) = index(fd) {
        hang();
        let mut camera = lock();
        HANDLES[index].store(-1, Ordering::Release);
        if camera.owner == fd {
            camera.release();
        }
    }
}

/// The file in which the buffers of `fd` lie, if that is the camera.
pub(crate) fn memory(fd: c_int) -> Option<c_int> {
    index(fd)?;
    Some(lock().buffers.as_ref().map_or(-1, |buffers| buffers.file))
}

/// Answers a call of the driver, if `fd` is the camera.
///
/// # Safety
/// `argument` is what Video4Linux2 says of `request`.
pub(crate) unsafe fn ioctl(fd: c_int, request: u32, argument: *mut u8) -> Option<c_long> {
    let index = index(fd)?;
    hang();
    let mut camera = lock();
    if LIVES[index].load(Ordering::Acquire) != camera.life {
        return Some(-c_long::from(libc::ENODEV));
    }
    let len = (request >> 16 & 0x3FFF) as usize;
    // SAFETY: Video4Linux2 says in each request how long its argument is.
    let argument = unsafe { std::slice::from_raw_parts_mut(argument, len) };
    Some(match video4linux::answer(&mut camera, fd, request, argument) {
        Ok(()) => 0,
        Err(code) => -c_long::from(code),
    })
}
