//! Hearing of changes to files where the system has no inotify. It tells in which folder something changed, never
//! what: whoever hears looks.

use std::io;
use std::path::Path;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::types::Change;

/// The folders that are watched.
#[derive(Debug)]
pub(crate) struct Changes {
    watcher: RecommendedWatcher,
    heard: UnboundedReceiver<Change>,
}

impl Changes {
    pub(crate) fn new() -> io::Result<Self> {
        let (tell, heard) = unbounded_channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let told = match event {
                Ok(event) if event.kind.is_access() => Vec::new(),
                Ok(event) if !event.need_rescan() => {
                    let folders = event.paths.iter().filter_map(|path| path.parent());
                    folders.map(|folder| Change::In(folder.to_path_buf())).collect()
                }
                Ok(_) | Err(_) => vec![Change::Missed],
            };
            told.into_iter().for_each(|change| drop(tell.send(change)));
        });
        Ok(Self { watcher: watcher.map_err(io::Error::other)?, heard })
    }

    /// Watches this folder for names that come, go or are replaced. Here what is written is heard, too.
    pub(crate) fn watch_names(&mut self, folder: &Path) -> io::Result<()> {
        self.watcher.watch(folder, RecursiveMode::NonRecursive).map_err(io::Error::other)
    }

    /// The same, and what is written into its files.
    pub(crate) fn watch_content(&mut self, folder: &Path) -> io::Result<()> {
        self.watch_names(folder)
    }

    /// Waits for changes; the folders in which they were.
    pub(crate) async fn next(&mut self) -> io::Result<Vec<Change>> {
        match self.heard.recv().await {
            Some(change) => Ok(vec![change]),
            None => Err(io::Error::other("the watcher has ended")),
        }
    }
}
