//! Locks on files, freed by the kernel when their handle is closed. Locks are mandatory here: what is locked is
//! one byte far behind the end of any file, so that the contents stay readable.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::windows::io::AsRawHandle;
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_IO_PENDING, ERROR_LOCK_VIOLATION};
use windows_sys::Win32::Storage::FileSystem::{
    LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx, UnlockFileEx,
};
use windows_sys::Win32::System::IO::OVERLAPPED;

use super::handle::done;

/// Windows has no way to ask for a lock without taking one. `is_locked` takes a shared one and gives it back, which
/// can meet an owner that comes at that moment; so an owner tries this often, a millisecond apart.
const TRIES: u32 = 5;

/// Takes the exclusive lock of the file; `false` if another open file has it.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    for _ in 1..TRIES {
        if lock(file, LOCKFILE_EXCLUSIVE_LOCK)? {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    lock(file, LOCKFILE_EXCLUSIVE_LOCK)
}

/// Whether another open file has the lock. Two that ask at once don't meet.
pub(crate) fn is_locked(file: &File) -> io::Result<bool> {
    if !lock(file, 0)? {
        return Ok(true);
    }
    let mut at = position();
    // SAFETY: the handle is open and the structure lives here; nothing is left pending.
    unsafe { done(UnlockFileEx(file.as_raw_handle(), 0, 1, 0, &mut at))? };
    Ok(false)
}

fn lock(file: &File, kind: u32) -> io::Result<bool> {
    let mut at = position();
    // SAFETY: the handle is open and the structure lives here; FAIL_IMMEDIATELY leaves nothing pending.
    let taken =
        unsafe { done(LockFileEx(file.as_raw_handle(), kind | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &mut at)) };
    match taken {
        Ok(()) => Ok(true),
        Err(error) => match error.raw_os_error().map(i32::cast_unsigned) {
            Some(ERROR_LOCK_VIOLATION | ERROR_IO_PENDING) => Ok(false),
            _ => Err(error),
        },
    }
}

/// The byte that stands for the file.
fn position() -> OVERLAPPED {
    let mut at = OVERLAPPED::default();
    // The offset may be any of 63 bits; this one is 2^62.
    at.Anonymous.Anonymous.OffsetHigh = 0x4000_0000;
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn one_owner_and_the_contents_stay_readable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let open =
            || File::options().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
        let (mut first, second) = (open(), open());
        assert!(!is_locked(&second).unwrap());
        assert!(try_lock(&first).unwrap());
        assert!(is_locked(&second).unwrap());
        assert!(!try_lock(&second).unwrap());
        first.write_all(b"who").unwrap();
        let mut text = String::new();
        File::open(&path).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "who");
        drop(open());
        assert!(is_locked(&second).unwrap(), "another close frees nothing");
        drop(first);
        assert!(try_lock(&second).unwrap());
    }
}
