//! Memory that the X server writes into and we read. The only place that needs `unsafe`.

#![allow(unsafe_code, reason = "memory is mapped by the operating system")]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io::Result;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Zeroed memory behind a file descriptor, which is given to whoever else may write into it.
#[derive(Debug)]
pub(crate) struct Memory {
    file: OwnedFd,
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone, as a `Box<[u8]>` would; no thread is special to it.
unsafe impl Send for Memory {}

impl Memory {
    /// `len` bytes, which is more than 0.
    pub(crate) fn new(len: usize) -> Result<Memory> {
        let file = memfd_create("millstream-screen", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&file, len as u64)?;
        // Whoever else has the file cannot cut it off under us, which would be a SIGBUS.
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::SEAL)?;
        // SAFETY: no address is asked for, so the mapping lies where nothing else is.
        let start =
            unsafe { mmap(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &file, 0)? };
        let start = NonNull::new(start.cast()).expect("a mapping is nowhere at address 0 unless that is asked for");
        Ok(Memory { file, start, len })
    }

    /// The file to give away.
    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// How many bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// What is in it. The X server writes into it only between a request for a picture and the
    /// reply, and nobody calls this then, since the request is made with `&mut`.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: `start` is the start of `len` mapped bytes, which stay mapped while `self` lives and
        // which this borrow of `self` makes ours alone in this process. The other process that has
        // them is the X server, which can see and forge all we show and type anyway; were it to
        // write at a wrong time, bytes would change under us, and bytes have no invalid values.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `new` with this length, and every borrow of it has ended.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_writes_into_the_file_is_read() {
        let mut memory = Memory::new(10_000).unwrap();
        assert!(memory.bytes().iter().all(|byte| *byte == 0));
        assert_eq!(rustix::io::pwrite(memory.file(), b"picture", 9_000), Ok(7));
        assert_eq!(&memory.bytes()[9_000..9_007], b"picture");
    }

    #[test]
    fn the_other_side_cannot_cut_it_off() {
        let memory = Memory::new(10_000).unwrap();
        assert_eq!(ftruncate(memory.file(), 0), Err(rustix::io::Errno::PERM));
    }
}
