//! Whole-file locks that belong to the open file (OFD locks), so that a fork shares them and only the last
//! close frees them. No lock is probed by taking it here: a probe would refuse its rightful owner.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Takes the exclusive lock of the file, which must be open for writing; `false` if another open file has it.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    match call(file, libc::F_OFD_SETLK) {
        Ok(_) => Ok(true),
        Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Whether another open file has the lock. The file may be open for reading only.
pub(crate) fn is_locked(file: &File) -> io::Result<bool> {
    Ok(call(file, libc::F_OFD_GETLK)?.l_type != libc::F_UNLCK as libc::c_short)
}

fn call(file: &File, command: libc::c_int) -> io::Result<libc::flock> {
    // SAFETY: `flock` is plain integers, for which all zeroes is a value; 0 is also "the whole file" and the
    // `l_pid` that OFD commands demand.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    loop {
        // SAFETY: the descriptor is open for as long as `file` is borrowed, and `lock` is ours and initialised.
        if unsafe { libc::fcntl(file.as_raw_fd(), command, &mut lock) } != -1 {
            return Ok(lock);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::eventually;
    use std::fs::OpenOptions;
    use std::process::{Command, Stdio};

    fn open(path: &std::path::Path) -> File {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap()
    }

    #[test]
    fn one_owner_and_asking_takes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let (first, second) = (open(&path), open(&path));
        assert!(!is_locked(&second).unwrap());
        assert!(try_lock(&first).unwrap());
        assert!(is_locked(&second).unwrap());
        assert!(is_locked(&File::open(&path).unwrap()).unwrap(), "a reader can ask too");
        assert!(!try_lock(&second).unwrap());
        drop(open(&path)); // the close of another descriptor would free a POSIX lock
        assert!(is_locked(&second).unwrap());
        drop(first);
        eventually("free after the close", || try_lock(&second).unwrap());
    }

    #[test]
    fn a_duplicate_keeps_the_lock_and_an_executed_program_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let (first, asking) = (open(&path), open(&path));
        assert!(try_lock(&first).unwrap());
        let duplicate = first.try_clone().unwrap();
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        drop(first);
        assert!(is_locked(&asking).unwrap());
        drop(duplicate);
        eventually("free, for the child has no copy", || !is_locked(&asking).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
