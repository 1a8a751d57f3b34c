//! Being told of changes in one folder, by inotify, for a thread that waits; `changes` is for async code and many
//! folders. Nothing here polls, and nothing says what has changed.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::process::Process;

/// A watch on the files of one folder.
#[derive(Debug)]
pub(crate) struct FolderWatch(OwnedFd);

impl FolderWatch {
    /// Changes from now on are noticed.
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let kinds = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVE | WatchFlags::DELETE_SELF;
        inotify::add_watch(&watch, folder, kinds | WatchFlags::ONLYDIR)?;
        Ok(Self(watch))
    }

    /// Returns after a change, once one of these processes has ended, or at the end of the patience, whichever
    /// comes first; perhaps earlier.
    pub(crate) fn wait(&self, ends: &[Process], patience: Option<Duration>) {
        let timeout = patience.map(|patience| Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(patience.subsec_nanos()),
        });
        let watch = PollFd::new(&self.0, PollFlags::IN);
        let ends = ends.iter().map(|process| PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN));
        let mut all: Vec<PollFd> = std::iter::once(watch).chain(ends).collect();
        let _ = poll(&mut all, timeout.as_ref());
        self.drain();
    }

    /// Forgets the changes so far: whoever was woken looks at the folder itself.
    fn drain(&self) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        while rustix::io::read(&self.0, &mut buffer).is_ok_and(|(read, _)| !read.is_empty()) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_change_and_an_end_wake_and_quiet_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        let watch = FolderWatch::new(folder.path()).unwrap();
        let waited = |ends: &[Process], limit: u64| {
            let start = Instant::now();
            watch.wait(ends, Some(Duration::from_millis(limit)));
            start.elapsed() < Duration::from_millis(limit)
        };
        std::fs::write(&file, "x").unwrap();
        assert!(waited(&[], 10_000), "a new file");
        assert!(!waited(&[], 20), "nothing more");
        std::fs::rename(&file, folder.path().join("log.1")).unwrap();
        assert!(waited(&[], 10_000), "a renamed file");
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::of_pid(child.id()).unwrap().unwrap();
        child.kill().unwrap();
        assert!(waited(&[process], 10_000), "an end");
        child.wait().unwrap();
        assert!(FolderWatch::new(&file).is_err());
    }
}
