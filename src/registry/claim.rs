//! One run's hold on its server: the lock that lives as long as the tree, and the record written under it.
//! Nothing here decides what to do about a server that runs already.

use std::cell::Cell;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::hunt::Found;
use super::record::Record;
use super::store::{Problem, Registry, Trouble};
use super::whole::UNFINISHED;
use crate::error::{Error, Kind};
use crate::plan::{ServerId, Spare};
use crate::sys::files::{self, Access};
use crate::sys::lock;
use crate::sys::process::{self, Identity};

/// The hold. The lock is free once every copy of its descriptor is closed, those of forked processes included.
#[derive(Debug)]
pub(crate) struct Claim {
    registry: Registry,
    lock: File,
    run: String,
    spare: Spare,
    marker: PathBuf,
    /// Who holds the lock is written down.
    noted: Cell<bool>,
    previous: Option<Record>,
    problem: Option<Problem>,
}

/// The answer to `Registry::claim`.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "made once and taken apart at once")]
pub(crate) enum Claiming {
    Ours(Claim),
    /// Another run has it.
    Held {
        /// The id of that run, unless it has just begun.
        run: Option<String>,
        /// The pid of its front, likewise.
        front: Option<u32>,
    },
}

/// No more of a marker is read: a thousand processes.
const MARKER_BYTES: u64 = 100_000;

/// What a run's marker says: enough to find what is left of a run that was killed before its first record; and once that
/// was looked for, whom the next one has to look at, whatever has become of the record.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Marker {
    pub(super) boot: Option<String>,
    pub(super) front: Option<Identity>,
    /// What is left running when the run is ended; not known of one that an older devrun has started.
    #[serde(default)]
    pub(super) spare: Option<Spare>,
    /// Of the server, once somebody was left.
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) left: Vec<Identity>,
    #[serde(default)]
    pub(super) in_doubt: Vec<Identity>,
}

impl Marker {
    /// `None` where the disk was full, or somebody else wrote it.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        let mut text = Vec::new();
        files::open_regular(path, Access::Read)?.take(MARKER_BYTES).read_to_end(&mut text)?;
        Ok(Self::parse(&text))
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// The marker of a run of which these are left.
    pub(super) fn of_left(boot: Option<String>, front: Option<Identity>, name: &str, found: &Found) -> Self {
        let Found { left, in_doubt, .. } = found.clone();
        Self { boot, front, spare: None, name: Some(name.to_string()), left, in_doubt }
    }

    /// Whom an earlier look has left.
    pub(super) fn left(&self) -> Found {
        Found { left: self.left.clone(), in_doubt: self.in_doubt.clone(), ..Found::default() }
    }

    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = files::open_regular(path, Access::Write)?;
        let json = serde_json::to_vec(self)?;
        file.write_all(&json)?;
        // Not to nothing before it is written: ext4 would write it to the disk at once.
        file.set_len(json.len() as u64)
    }
}

/// Removes what devruns have left that were killed while they wrote into this folder. Only for who alone may write
/// there.
pub(crate) fn remove_unfinished(folder: &Path) {
    let unfinished =
        |entry: &fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten().filter(unfinished) {
        let _ = fs::remove_file(entry.path());
    }
}

/// A name for a run that no other run has, and that nobody guesses: the value of `DEVRUN_ID`.
pub(crate) fn new_run_id() -> String {
    // Each `RandomState` has a key of its own from the system's randomness.
    let half = |salt: u32| RandomState::new().hash_one((salt, std::process::id(), std::time::Instant::now()));
    format!("{:016x}{:016x}", half(0), half(1))
}

impl Registry {
    /// Takes the server for this run, which leaves these running, unless a live tree has it.
    pub(crate) fn claim(&self, id: &ServerId, run: &str, spare: &Spare) -> Result<Claiming, Error> {
        let path = self.server(id).join("lock");
        let failed = |e: io::Error| {
            Error::new(Kind::Internal, format!("{} can't be locked", path.display())).source(e)
        };
        files::create_folder(&self.server(id)).map_err(failed)?;
        let lock = files::open_regular(&path, Access::Write).map_err(failed)?;
        if !lock::try_lock(&lock).map_err(failed)? {
            let (run, front) = held_by(&lock);
            return Ok(Claiming::Held { run, front });
        }
        // What a killed run left here must not be taken for the id of this one.
        lock.set_len(0).map_err(failed)?;
        remove_unfinished(&self.server(id));
        let (previous, problem) = match self.read_locked(id) {
            Ok(previous) => (previous, None),
            Err(problem) => (None, Some(problem)),
        };
        let marker = self.live().join(format!("{}.{run}", id.0));
        let (registry, run, noted) = (self.clone(), run.to_string(), Cell::new(false));
        let spare = spare.clone();
        let claim = Claim { registry, lock, run, spare, marker, noted, previous, problem };
        // The lock is worth having on a full disk too. The record will fail there as well, and that is said.
        if let Err(error) = claim.note() {
            tracing::warn!(target: "devrun::registry", %error, "who holds the lock could not be written");
        }
        Ok(Claiming::Ours(claim))
    }

    /// Which run holds the lock of the server, if one does and has said so.
    pub(crate) fn live_run(&self, id: &ServerId) -> Option<String> {
        let file = files::open_regular(&self.server(id).join("lock"), Access::Read).ok()?;
        if lock::is_locked(&file).unwrap_or(false) { held_by(&file).0 } else { None }
    }

    /// The record of the run that holds the lock: `None` while that run has not written one.
    pub(crate) fn live_record(&self, id: &ServerId) -> Option<Record> {
        let run = self.live_run(id)?;
        self.read(id).ok().flatten().filter(|record| record.run == run)
    }
}

impl Claim {
    /// The lock: the guard keeps a copy of it for as long as the tree lives.
    pub(crate) fn lock(&self) -> &File {
        &self.lock
    }

    /// The record of the run before.
    pub(crate) fn previous(&self) -> Option<&Record> {
        self.previous.as_ref()
    }

    /// What was wrong with the record of the run before.
    pub(crate) fn warning(&self) -> Option<&str> {
        self.problem.as_ref().map(|problem| problem.text.as_str())
    }

    /// Replaces the record. A record of a newer version stays, and that is said once, by `warning`.
    pub(crate) fn write(&self, record: &Record) -> Result<(), Error> {
        if self.problem.as_ref().is_some_and(|problem| problem.trouble == Trouble::Newer) {
            return Ok(());
        }
        self.note().map_err(|e| {
            Error::new(Kind::Internal, format!("{} can't be written", self.marker.display())).source(e)
        })?;
        self.registry.write(record)
    }

    /// Writes down who holds the lock, the marker first: a run that can be seen can be looked for.
    fn note(&self) -> io::Result<()> {
        if !self.noted.get() {
            let (boot, front) = (process::boot_id(), process::identity(std::process::id()));
            let spare = Some(self.spare.clone());
            Marker { boot, front, spare, ..Marker::default() }.write(&self.marker)?;
            // The lock file tells it because the record may still be that of the run before.
            (&self.lock).seek(SeekFrom::Start(0))?;
            (&self.lock).write_all(format!("{} {}\n", self.run, std::process::id()).as_bytes())?;
            self.noted.set(true);
        }
        Ok(())
    }

    /// Writes the last record of a run whose tree is empty: nobody will look for its ghosts.
    pub(crate) fn end(&self, record: &Record) -> Result<(), Error> {
        let written = self.write(record);
        self.forget();
        written
    }

    /// Takes back who holds the lock, of a run that has nothing that could be looked for.
    pub(crate) fn forget(&self) {
        // Left behind, either costs a later start a look and nothing more.
        let _ = fs::remove_file(&self.marker).and_then(|()| self.lock.set_len(0));
    }
}

/// What the lock file says of who holds it.
pub(super) fn held_by(lock: impl Read) -> (Option<String>, Option<u32>) {
    let mut text = String::new();
    let read = lock.take(100).read_to_string(&mut text);
    // Without the line's end it is being written just now.
    let Some((run, front)) = read.ok().and_then(|_| text.strip_suffix('\n')?.split_once(' ')) else {
        return (None, None);
    };
    (Some(run.to_string()), front.parse().ok())
}
