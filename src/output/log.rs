//! The log of a server's output: two private files of bounded size, the older one beside the newer. Nothing in
//! here reads it, and nobody waits for the disk to have it.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::sys;

/// When a file is this long, it becomes the older one.
const FILE_BYTES: u64 = 5 * 1024 * 1024;

/// The log of one server: `path`, and `path.1` with what came before.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    length: u64,
    limit: u64,
}

impl Log {
    /// Goes on with the log at this path, or begins it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::with_limit(path, FILE_BYTES)
    }

    fn with_limit(path: &Path, limit: u64) -> io::Result<Self> {
        let file = sys::append_private(path)?;
        let length = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, length, limit })
    }

    /// One whose rotation fails at the first byte.
    #[cfg(test)]
    pub(super) fn failing(path: &Path) -> Self {
        let log = Self::with_limit(path, 0).expect("the folder is there");
        std::fs::remove_file(path).expect("just made");
        log
    }

    /// Appends a piece of output, which may span the end of a file and the beginning of the next.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.length >= self.limit {
                self.rotate()?;
            }
            let room = usize::try_from(self.limit - self.length).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.file.write_all(now)?;
            self.length += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    /// By renaming: a reader that has the file open keeps what it reads.
    fn rotate(&mut self) -> io::Result<()> {
        let mut older = self.path.clone().into_os_string();
        older.push(".1");
        std::fs::rename(&self.path, older)?;
        self.file = sys::append_private(&self.path)?;
        self.length = self.file.metadata()?.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::testing::{mode, symlink};

    #[test]
    fn two_bounded_private_files_keep_the_newest_output() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut all = Vec::new();
        for round in 0..3 {
            let mut log = Log::with_limit(&path, 1000).unwrap();
            for line in 0..60 {
                let text = format!("round {round} line {line}\n");
                log.write(text.as_bytes()).unwrap();
                all.extend_from_slice(text.as_bytes());
            }
        }
        let [newer, older] = ["log", "log.1"].map(|name| std::fs::read(folder.path().join(name)).unwrap());
        assert!(newer.len() <= 1000 && older.len() == 1000);
        assert!(all.ends_with(&[older, newer].concat()));
        for name in ["log", "log.1"] {
            assert!(mode(&folder.path().join(name)).is_none_or(|mode| mode == 0o600), "{name}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_symbolic_link_a_folder_and_a_fifo_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("target"), "precious").unwrap();
        symlink(at("target"), at("link"));
        std::fs::create_dir(at("folder")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
        for name in ["link", "folder", "fifo"] {
            assert!(Log::open(&at(name)).is_err(), "{name}");
        }
        assert_eq!(std::fs::read(at("target")).unwrap(), b"precious");
    }
}
