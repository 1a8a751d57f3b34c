//! Owned kernel objects and the one way to turn a call's result into an error.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::windows::io::{FromRawHandle, OwnedHandle, OwnedSocket};

use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::core::BOOL;

/// Something that is kept open for as long as a tree lives.
#[derive(Debug)]
pub(crate) enum Held {
    /// A locked file.
    File(#[expect(dead_code, reason = "held for its close alone")] OwnedHandle),
    /// A bound socket.
    Socket(#[expect(dead_code, reason = "held for its close alone")] OwnedSocket),
}

impl From<File> for Held {
    fn from(file: File) -> Self {
        Held::File(file.into())
    }
}

impl From<socket2::Socket> for Held {
    fn from(socket: socket2::Socket) -> Self {
        Held::Socket(socket.into())
    }
}

/// Takes over a handle that a call has just made.
///
/// # Safety
/// Nobody else may own the handle.
pub(super) unsafe fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is valid, and the caller's to give.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// The result of a call that says by zero that it failed.
pub(super) fn done(result: BOOL) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A text as the system's wide functions want it.
pub(super) fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// The size of a structure, as calls want it.
pub(super) fn size_of<T>() -> u32 {
    u32::try_from(std::mem::size_of::<T>()).expect("a structure of the system is smaller than 4 GB")
}
