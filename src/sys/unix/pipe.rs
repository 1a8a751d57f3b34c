//! Byte streams between processes, and the private file that keeps what they carried. Only `wait` waits.

use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use crate::sys::types::{Stream, Woken};

/// One end of a stream.
pub(crate) type Pipe = OwnedFd;

/// A descriptor of our own for one of this process's output streams.
pub(crate) fn own_stream(stream: Stream) -> io::Result<Pipe> {
    match stream {
        Stream::Stdout => io::stdout().as_fd().try_clone_to_owned(),
        Stream::Stderr => io::stderr().as_fd().try_clone_to_owned(),
    }
}

/// A bell that one thread rings and others wait for; once rung, it stays so.
#[derive(Debug, Clone)]
pub(crate) struct Bell(Arc<(PipeReader, PipeWriter)>);

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(io::pipe()?)))
    }

    pub(crate) fn ring(&self) {
        let _ = (&self.0.1).write_all(&[1]); // never read, so it stays rung
    }
}

/// Waits until there is something to read or the bell rings; the bell goes first.
pub(crate) fn wait(source: &Pipe, bell: &Bell) -> io::Result<Woken> {
    let mut both = [PollFd::new(source, PollFlags::IN), PollFd::new(&bell.0.0, PollFlags::IN)];
    retry(|| poll(&mut both, None))?;
    Ok(if both[1].revents().is_empty() { Woken::Readable } else { Woken::Bell })
}

/// Lets this pipe hold as much more as a flood can use, where the system allows it: whoever reads it is woken less
/// often (F_SETPIPE_SZ of fcntl(2); unread bytes are all that takes memory).
pub(crate) fn widen(pipe: &Pipe) {
    const BYTES: usize = 256 * 1024;
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, BYTES);
    #[cfg(not(target_os = "linux"))]
    let _ = (pipe, BYTES);
}

/// How many bytes could be read now without waiting. Of a terminal nobody knows: no more than this, and reading from
/// ours, which never waits, tells.
pub(crate) fn unread(source: &Pipe) -> u64 {
    const TERMINAL_BYTES: u64 = 256 * 1024;
    match rustix::termios::isatty(source) {
        true => TERMINAL_BYTES,
        false => rustix::io::ioctl_fionread(source).unwrap_or(0),
    }
}

/// Reads what is there; 0 at the end of the stream. Call it only when there is something.
pub(crate) fn read(source: &Pipe, into: &mut [u8]) -> io::Result<usize> {
    retry(|| rustix::io::read(source, &mut *into))
}

/// Writes all of it, however long the reader takes, also to a stream that somebody switched to non-blocking.
pub(crate) fn write_all(sink: &Pipe, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match retry(|| rustix::io::write(sink, bytes)) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                retry(|| poll(&mut [PollFd::new(sink, PollFlags::OUT)], None))?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Opens a file to append to, for this user's eyes only; refuses a symbolic link.
pub(crate) fn append_private(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK).bits();
    let file =
        OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags as i32).open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    if about.permissions().mode() & 0o077 != 0 {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Whether standard error takes something more at once (poll(2)), or would not take it at all.
pub(crate) fn stderr_has_room() -> bool {
    let stderr = rustix::stdio::stderr();
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], Some(&now)).is_ok_and(|ready| ready > 0)
}
