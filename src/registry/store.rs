//! The state folder: where it is, and reading and replacing what is in it. Nothing read here is trusted to be
//! small, whole, regular or of this version; nothing in here signals a process.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::record::{Phase, Record, Unusable};
use super::whole::{read_bounded, replace};
use crate::error::{Error, Kind};
use crate::plan::{Port, ServerId};
use crate::sys::files::{self, Access};
use crate::sys::lock;

/// The file of the record in the folder of a server.
pub(super) const RECORD: &str = "server.json";

/// The state folder of this user.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    root: PathBuf,
}

/// One server of `Registry::list`.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) record: Record,
    /// Its tree lives.
    pub(crate) live: bool,
}

/// Why a record can't be used, for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) text: String,
    pub(crate) trouble: Trouble,
}

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is sound, and a newer devrun's: it must not be replaced.
    Newer,
    Damaged,
    /// It can't be read just now, and may be sound.
    Unreadable,
}

impl Entry {
    /// The phase, with what a killed devrun could not write any more.
    pub(crate) fn phase(&self) -> Phase {
        if self.live { self.record.state } else { self.record.state.once_dead() }
    }
}

impl Registry {
    /// The state folder, made if need be. An error is a warning to the user, who gets the server without it.
    pub(crate) fn open() -> Result<Self, Error> {
        Self::at(&location(|name| std::env::var_os(name).filter(|value| !value.is_empty()))?)
    }

    /// The state folder at this path.
    pub(crate) fn at(root: &Path) -> Result<Self, Error> {
        let unusable =
            || Error::new(Kind::Internal, format!("the state folder {} can't be used", root.display()));
        let hint = "set DEVRUN_STATE_DIR to a folder of your own";
        files::create_folder(root).map_err(|e| unusable().source(e).hint(hint))?;
        match files::folder_objection(root) {
            Ok(None) => {}
            Ok(Some(objection)) => return Err(unusable().cause(objection).hint(hint)),
            Err(e) => return Err(unusable().source(e).hint(hint)),
        }
        for part in ["servers", "ports", "live"] {
            files::create_folder(&root.join(part)).map_err(|e| unusable().source(e).hint(hint))?;
        }
        Ok(Self { root: root.to_path_buf() })
    }

    /// The state folder.
    #[cfg(feature = "dashboard")]
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A file of the state folder that is no server's.
    #[cfg(feature = "dashboard")]
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The folder with a folder for each server.
    pub(crate) fn servers(&self) -> PathBuf {
        self.root.join("servers")
    }

    /// The folder of one server.
    pub(crate) fn server(&self, id: &ServerId) -> PathBuf {
        self.servers().join(&id.0)
    }

    /// The file that is locked while the port is leased, and tells whose port it is.
    pub(crate) fn port_file(&self, port: Port) -> PathBuf {
        self.root.join("ports").join(port.to_string())
    }

    /// One `Marker`, `<id>.<run>`, for each run that has not ended in order.
    pub(super) fn live(&self) -> PathBuf {
        self.root.join("live")
    }

    /// Whether the tree of the server lives.
    pub(crate) fn is_live(&self, id: &ServerId) -> bool {
        match files::open_regular(&self.server(id).join("lock"), Access::Read) {
            Ok(file) => lock::is_locked(&file).unwrap_or(false),
            Err(_) => false,
        }
    }

    /// The record of the server, if there is a usable one. A damaged one is set aside, unless a live devrun is
    /// about to replace it. One that can't be read just now is not: it may be sound.
    pub(crate) fn read(&self, id: &ServerId) -> Result<Option<Record>, Problem> {
        let damaged = |path: &Path, reason: &str| match self.is_live(id) {
            true => format!("{} is damaged ({reason})", path.display()),
            false => set_aside(path, reason),
        };
        self.read_or(id, damaged, unreadable)
    }

    /// The same without setting anything aside.
    pub(super) fn peek(&self, id: &ServerId) -> Result<Option<Record>, Problem> {
        self.read_or(id, |path, reason| format!("{} is damaged ({reason})", path.display()), unreadable)
    }

    /// The same for whoever holds the lock, and so is about to replace it.
    pub(super) fn read_locked(&self, id: &ServerId) -> Result<Option<Record>, Problem> {
        self.read_or(id, set_aside, set_aside)
    }

    fn read_or(
        &self,
        id: &ServerId,
        damaged: impl Fn(&Path, &str) -> String,
        unreadable: impl Fn(&Path, &str) -> String,
    ) -> Result<Option<Record>, Problem> {
        let path = self.server(id).join(RECORD);
        let problem = |trouble, text| Err(Problem { text, trouble });
        match read_bounded(&path).map(|json| Record::from_json(&json, id)) {
            Ok(Ok(record)) => Ok(Some(record)),
            Ok(Err(Unusable::Newer(version))) => {
                let text = format!(
                    "{} was written by a newer devrun (version {version}); left alone",
                    path.display()
                );
                problem(Trouble::Newer, text)
            }
            Ok(Err(Unusable::Damaged(reason))) => problem(Trouble::Damaged, damaged(&path, &reason)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) if is_no_record(&path, &e) => problem(Trouble::Damaged, damaged(&path, &e.to_string())),
            Err(e) => problem(Trouble::Unreadable, unreadable(&path, &e.to_string())),
        }
    }

    /// All servers by name, and warnings about records that can't be used.
    pub(crate) fn list(&self) -> (Vec<Entry>, Vec<String>) {
        let (mut entries, mut warnings) = (Vec::new(), Vec::new());
        let ids = self.folders().unwrap_or_else(|e| {
            warnings.push(unreadable(&self.servers(), &e.to_string()));
            Vec::new()
        });
        for entry in shared_out(&ids, |id| self.entry(id)).into_iter().flatten() {
            match entry {
                Ok(entry) => entries.push(entry),
                Err(problem) => warnings.push(problem.text),
            }
        }
        entries.sort_by(|a, b| (&a.record.name, &a.record.id).cmp(&(&b.record.name, &b.record.id)));
        (entries, warnings)
    }

    /// One server, if there is a record of it.
    pub(crate) fn entry(&self, id: &ServerId) -> Option<Result<Entry, Problem>> {
        // Only what was not written as ended can be alive: most records cost one file.
        let live = |record: &Record| !ended(record.state) && self.is_live(id);
        self.read(id).transpose().map(|read| read.map(|record| Entry { live: live(&record), record }))
    }

    /// The servers that have a folder, with a record or without.
    pub(crate) fn ids(&self) -> Vec<ServerId> {
        self.folders().unwrap_or_default()
    }

    fn folders(&self) -> io::Result<Vec<ServerId>> {
        let id = |entry: fs::DirEntry| server_id(entry.file_name().to_str()?);
        fs::read_dir(self.servers())?.filter_map(|entry| entry.map(id).transpose()).collect()
    }

    /// Replaces the record of the server whole: a reader, and whoever comes after a crash, sees the old one or
    /// the new one.
    pub(super) fn write(&self, record: &Record) -> Result<(), Error> {
        let folder = self.server(&record.id);
        let path = folder.join(RECORD);
        replace(&folder, &path, &record.to_json())
            .map_err(|e| Error::new(Kind::Internal, format!("{} can't be written", path.display())).source(e))
    }

    /// Whether the port is somebody's, running or not.
    pub(crate) fn is_owned(&self, port: Port) -> bool {
        fs::symlink_metadata(self.port_file(port)).is_ok_and(|file| file.is_file() && file.len() > 0)
    }

    /// Whose port this is, likewise.
    pub(crate) fn port_owner(&self, port: Port) -> Option<ServerId> {
        read_owner(&files::open_regular(&self.port_file(port), Access::Read).ok()?)
    }
}

/// What `work` makes of each; of many by all processors, in the same order.
fn shared_out<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    /// For fewer a thread is not worth its start.
    const SHARE: usize = 200;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut shares = all.chunks(all.len().div_ceil(processors).max(SHARE));
    let work = |share: &[T]| share.iter().map(&work).collect::<Vec<R>>();
    let first = shares.next().unwrap_or_default();
    std::thread::scope(|scope| {
        let others: Vec<_> = shares.map(|share| scope.spawn(|| work(share))).collect();
        let mut done = work(first);
        others.into_iter().for_each(|other| done.extend(other.join().expect("it panics where `work` does")));
        done
    })
}

/// Whether the state is one in which no process of the run is left.
fn ended(state: Phase) -> bool {
    match state {
        Phase::Stopped | Phase::Crashed => true,
        Phase::Starting | Phase::Ready | Phase::Stopping | Phase::Backoff => false,
    }
}

/// The server that a port file names.
pub(super) fn read_owner(file: impl Read) -> Option<ServerId> {
    let mut text = String::new();
    file.take(64).read_to_string(&mut text).ok()?;
    server_id(text.trim())
}

/// Sixteen hex digits, and so never a path out of the folder.
pub(crate) fn server_id(text: &str) -> Option<ServerId> {
    let is_id = text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    is_id.then(|| ServerId(text.to_string()))
}

/// Where the state folder is.
fn location(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, Error> {
    let nowhere = || {
        Error::new(Kind::Internal, "there is no place for the state folder")
            .cause("neither HOME nor XDG_STATE_HOME nor DEVRUN_STATE_DIR is set to an absolute path")
            .hint("set DEVRUN_STATE_DIR to a folder of your own")
    };
    match variable("DEVRUN_STATE_DIR") {
        Some(path) => std::path::absolute(path).map_err(|e| nowhere().source(e)),
        None => files::state_folder(variable).ok_or_else(nowhere),
    }
}

/// Whether the error is about what stands there. All others are about the moment, like a lack of descriptors.
fn is_no_record(path: &Path, error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
        || fs::symlink_metadata(path).is_ok_and(|there| !there.is_file())
}

fn unreadable(path: &Path, reason: &str) -> String {
    format!("{} can't be read: {reason}", path.display())
}

fn set_aside(path: &Path, reason: &str) -> String {
    let aside = path.with_file_name("server.json.corrupt");
    // Only a folder would be in the way of a rename, and only where a folder was set aside before.
    if aside.is_dir() {
        let _ = fs::remove_dir_all(&aside);
    }
    match fs::rename(path, &aside) {
        Ok(()) => format!("{} was damaged ({reason}); set aside as {}", path.display(), aside.display()),
        Err(e) => format!("{} is damaged ({reason}) and can't be set aside: {e}", path.display()),
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
pub(crate) mod tests;
