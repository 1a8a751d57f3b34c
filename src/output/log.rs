//! The log of a server's output: two private files of bounded size, the older one beside the newer, and beside each
//! of them when what was written. Nothing in here reads it, and nobody waits for the disk to have it.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::sys;

/// When a file is this long, it becomes the older one.
pub(super) const FILE_BYTES: u64 = 5 * 1024 * 1024;

/// The log of one server: `path`, and `path.1` with what came before.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    length: u64,
    limit: u64,
    times: Times,
    /// What the log does not have since the last thing in it.
    skipped: u64,
    /// Whether the last thing in it is a whole line, as far as is known.
    line_ended: bool,
}

/// `path.times`: a line with an offset and the time (milliseconds since 1970) at which the log had that length.
#[derive(Debug, Default)]
struct Times {
    /// `None` before the first line, and where the file can't be written: then there are no times.
    file: Option<File>,
    /// When the last line was written.
    last: Option<Instant>,
    length: u64,
}

/// How often the time is written down.
const EVERY: Duration = Duration::from_secs(1);

impl Times {
    /// The log is so long, and something is about to be appended. Failing costs nobody the output.
    fn note(&mut self, path: &Path, length: u64) {
        if self.last.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        if self.last.is_none() {
            self.file = sys::append_private(&with_suffix(path, ".times")).ok();
            let known = self.file.as_ref().and_then(|file| file.metadata().ok());
            self.length = known.map_or(0, |about| about.len());
        }
        self.last = Some(Instant::now());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let line = format!("{length} {}\n", now.as_millis());
        if let Some(file) = &mut self.file
            && file.write_all(line.as_bytes()).is_ok()
        {
            self.length += line.len() as u64;
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    name.into()
}

impl Log {
    /// Goes on with the log at this path, or begins it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::with_limit(path, FILE_BYTES)
    }

    fn with_limit(path: &Path, limit: u64) -> io::Result<Self> {
        let file = sys::append_private(path)?;
        let length = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            length,
            limit,
            times: Times::default(),
            skipped: 0,
            line_ended: true,
        })
    }

    /// One that has to rotate before the first byte, and can't while there is such a folder.
    #[cfg(test)]
    pub(super) fn failing(path: &Path) -> (Self, PathBuf) {
        let folder = with_suffix(path, ".1");
        std::fs::create_dir(&folder).expect("the folder is there");
        let log = Self::open(path).expect("the folder is there");
        (Self { length: log.limit, ..log }, folder)
    }

    /// One on a disk that takes no more than a pipe, for as long as nobody reads it.
    #[cfg(test)]
    pub(super) fn hanging(path: &Path) -> (Self, io::PipeReader) {
        let (disk, file) = io::pipe().expect("there are pipes");
        let log = Self::with_limit(path, u64::MAX).expect("the folder is there");
        (Self { file: File::from(sys::Pipe::from(file)), ..log }, disk)
    }

    /// So many bytes of output won't come.
    pub(crate) fn skip(&mut self, bytes: u64) {
        self.skipped += bytes;
    }

    /// Appends a piece of output. What can't be written is skipped, and said as soon as something can be.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let written = self.say_skipped().and_then(|()| self.append(&mut bytes));
        self.skipped += bytes.len() as u64;
        written
    }

    /// Where something is missing, a line says how much.
    pub(super) fn say_skipped(&mut self) -> io::Result<()> {
        if self.skipped == 0 {
            return Ok(());
        }
        let before = if self.line_ended { "" } else { "\n" };
        let line = format!("{before}devrun: {} bytes of output skipped\n", self.skipped);
        self.append(&mut line.as_bytes())?;
        self.skipped = 0;
        Ok(())
    }

    /// What may span the end of a file and the beginning of the next. What was not written is left.
    fn append(&mut self, bytes: &mut &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            // A trickle makes more times than output, and they are bounded too.
            if self.length >= self.limit || self.times.length >= self.limit {
                self.rotate()?;
            }
            self.times.note(&self.path, self.length);
            let room = usize::try_from(self.limit - self.length).unwrap_or(usize::MAX);
            let written = match self.file.write(&bytes[..bytes.len().min(room)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            self.length += written as u64;
            self.line_ended = bytes[written - 1] == b'\n';
            *bytes = &bytes[written..];
        }
        Ok(())
    }

    /// By renaming: a reader that has the file open keeps what it reads.
    fn rotate(&mut self) -> io::Result<()> {
        let older = with_suffix(&self.path, ".1");
        match std::fs::rename(&self.path, &older) {
            // Deleted by hand, or the last try got no further than this.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
        let _ = std::fs::rename(with_suffix(&self.path, ".times"), with_suffix(&older, ".times"));
        self.times = Times::default();
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
        for name in ["log", "log.1", "log.times", "log.1.times"] {
            assert!(mode(&folder.path().join(name)).is_none_or(|mode| mode == 0o600), "{name}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    #[test]
    fn times_say_how_long_the_log_was_and_are_few() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "before\n").unwrap();
        let mut log = Log::open(&path).unwrap();
        for _ in 0..1000 {
            log.write(b"a line of output, as servers write them\n").unwrap();
        }
        let times = std::fs::read_to_string(folder.path().join("log.times")).unwrap();
        let first = times.lines().next().unwrap().split_once(' ').unwrap();
        assert_eq!(first.0, "7", "from the length that it had");
        assert!(first.1.parse::<u128>().unwrap() > 1_700_000_000_000, "{times}");
        assert!(times.lines().count() < 10, "{times}");
        std::fs::remove_file(folder.path().join("log.times")).unwrap();
        std::fs::create_dir(folder.path().join("log.times")).unwrap();
        Log::open(&path).unwrap().write(b"output\n").unwrap();
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
