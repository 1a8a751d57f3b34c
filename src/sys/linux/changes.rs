//! Hearing of changes to files. It tells in which folder something changed, never what: whoever hears looks.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::sys::types::Change;

/// The folders that are watched. Must be used in a tokio runtime with I/O.
#[derive(Debug)]
pub(crate) struct Changes {
    inotify: AsyncFd<OwnedFd>,
    folders: BTreeMap<i32, PathBuf>,
}

impl Changes {
    pub(crate) fn new() -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        // SAFETY: the descriptor is owned by the registration, and nobody replaces it.
        let inotify = unsafe { AsyncFd::register_with_interest(inotify, Interest::READABLE) }?;
        Ok(Self { inotify, folders: BTreeMap::new() })
    }

    /// Watches this folder for names that come, go or are replaced. What is written into its files is not heard.
    pub(crate) fn watch_names(&mut self, folder: &Path) -> io::Result<()> {
        self.watch(folder, WatchFlags::empty())
    }

    /// The same, and what is written into its files.
    pub(crate) fn watch_content(&mut self, folder: &Path) -> io::Result<()> {
        self.watch(folder, WatchFlags::MODIFY)
    }

    fn watch(&mut self, folder: &Path, more: WatchFlags) -> io::Result<()> {
        let names = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE;
        let flags = names | more | WatchFlags::ONLYDIR | WatchFlags::DONT_FOLLOW | WatchFlags::EXCL_UNLINK;
        let number = inotify::add_watch(self.inotify.get_ref(), folder, flags)?;
        self.folders.insert(number, folder.to_path_buf());
        Ok(())
    }

    /// Waits for changes; the folders in which they were.
    pub(crate) async fn next(&mut self) -> io::Result<Vec<Change>> {
        loop {
            let mut ready = self.inotify.readable().await?;
            let changes = read(self.inotify.get_ref(), &mut self.folders)?;
            if changes.is_empty() {
                ready.clear_ready();
            } else {
                return Ok(changes);
            }
        }
    }
}

/// What can be read now.
fn read(inotify: &OwnedFd, folders: &mut BTreeMap<i32, PathBuf>) -> io::Result<Vec<Change>> {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = Reader::new(inotify, &mut buffer);
    let mut changes = Vec::new();
    loop {
        let event = match reader.next() {
            Ok(event) => event,
            Err(Errno::WOULDBLOCK) => return Ok(changes),
            Err(Errno::INTR) => continue,
            Err(e) => return Err(e.into()),
        };
        let change = if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
            Some(Change::Missed)
        } else if event.events().contains(ReadFlags::IGNORED) {
            // The folder is gone; that it went is heard from the one above.
            folders.remove(&event.wd());
            None
        } else {
            folders.get(&event.wd()).map(|folder| Change::In(folder.clone()))
        };
        changes.extend(change.filter(|change| changes.last() != Some(change)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    #[test]
    fn a_replaced_file_is_heard_and_a_written_one_only_where_that_is_wanted() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (names, content) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            for folder in [&names, &content] {
                fs::write(folder.path().join("log"), "").unwrap();
            }
            let mut changes = Changes::new().unwrap();
            changes.watch_names(names.path()).unwrap();
            changes.watch_content(content.path()).unwrap();
            let patience = Duration::from_secs(10);
            for folder in [&names, &content] {
                fs::write(folder.path().join("log"), "more").unwrap();
            }
            let heard = tokio::time::timeout(patience, changes.next()).await.unwrap().unwrap();
            assert_eq!(heard, [Change::In(content.path().into())]);
            fs::write(names.path().join("new"), "").unwrap();
            fs::rename(names.path().join("new"), names.path().join("log")).unwrap();
            let heard = tokio::time::timeout(patience, changes.next()).await.unwrap().unwrap();
            assert_eq!(heard, [Change::In(names.path().into())]);
        });
    }
}
