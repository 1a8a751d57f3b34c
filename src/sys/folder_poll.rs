//! Being told of changes in a folder where the system is not asked to tell: whoever waits looks again after a while.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::process::Process;

/// How often to look.
const EVERY: Duration = Duration::from_millis(200);

/// A watch on the files of one folder.
#[derive(Debug)]
pub(crate) struct FolderWatch;

impl FolderWatch {
    /// Changes from now on are noticed.
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        folder.metadata().map(|_| Self)
    }

    /// Returns when it is time to look, at the latest at the end of the patience.
    pub(crate) fn wait(&self, _ends: &[Process], patience: Option<Duration>) {
        std::thread::sleep(patience.map_or(EVERY, |patience| patience.min(EVERY)));
    }
}
