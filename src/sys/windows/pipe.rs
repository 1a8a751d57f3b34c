//! Byte streams between processes, and the private file that keeps what they carried. Only `wait` waits.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_OPEN_REPARSE_POINT;
use windows_sys::Win32::System::Pipes::PeekNamedPipe;

use super::files::regular;
use super::handle::done;
use crate::sys::types::{Stream, Woken};

/// One end of a stream.
pub(crate) type Pipe = OwnedHandle;

/// An anonymous pipe can't be waited for together with anything else, so it is looked at this often: more seldom
/// the longer it says nothing.
const LOOK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(16));

/// A handle of our own for one of this process's output streams.
pub(crate) fn own_stream(stream: Stream) -> io::Result<Pipe> {
    match stream {
        Stream::Stdout => io::stdout().as_handle().try_clone_to_owned(),
        Stream::Stderr => io::stderr().as_handle().try_clone_to_owned(),
    }
}

/// A bell that one thread rings and others wait for; once rung, it stays so.
#[derive(Debug, Clone)]
pub(crate) struct Bell(Arc<(Mutex<bool>, Condvar)>);

impl Bell {
    /// Never fails here.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Arc::default()))
    }

    pub(crate) fn ring(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    fn rings_within(&self, limit: Duration) -> bool {
        let rung = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.1.wait_timeout_while(rung, limit, |rung| !*rung);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Waits until there is something to read or the bell rings; the bell goes first.
pub(crate) fn wait(source: &Pipe, bell: &Bell) -> io::Result<Woken> {
    let mut pause = Duration::ZERO;
    loop {
        if bell.rings_within(pause) {
            return Ok(Woken::Bell);
        }
        // An error is the end of the stream, or will be told by `read`.
        if peek(source).is_none_or(|bytes| bytes > 0) {
            return Ok(Woken::Readable);
        }
        pause = (pause * 2).clamp(LOOK.0, LOOK.1);
    }
}

/// Nothing: here a pipe's size is fixed when it is made.
pub(crate) fn widen(_: &Pipe) {}

/// How many bytes could be read now without waiting.
pub(crate) fn unread(source: &Pipe) -> u64 {
    peek(source).unwrap_or(0).into()
}

/// Reads what is there; 0 at the end of the stream. Call it only when there is something.
pub(crate) fn read(source: &Pipe, into: &mut [u8]) -> io::Result<usize> {
    match as_file(source).read(into) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        other => other,
    }
}

/// Writes all of it, however long the reader takes.
pub(crate) fn write_all(sink: &Pipe, bytes: &[u8]) -> io::Result<()> {
    as_file(sink).write_all(bytes)
}

/// Opens a file to append to; refuses a symbolic link.
pub(crate) fn append_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    regular(options.open(path)?)
}

/// `None`: the other end is closed.
fn peek(source: &Pipe) -> Option<u32> {
    let mut bytes = 0;
    // SAFETY: the handle is open and the result lives here; nothing else is asked for.
    let asked = unsafe {
        PeekNamedPipe(
            source.as_raw_handle(),
            ptr::null_mut(),
            0,
            ptr::null_mut(),
            &mut bytes,
            ptr::null_mut(),
        )
    };
    done(asked).ok().map(|()| bytes)
}

/// The stream as a file that does not close it.
fn as_file(pipe: &Pipe) -> ManuallyDrop<File> {
    // SAFETY: the handle is open for as long as `pipe` is borrowed, and the file is never dropped.
    ManuallyDrop::new(unsafe { File::from_raw_handle(pipe.as_raw_handle()) })
}
