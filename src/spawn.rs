//! From a command line to a running tree: finds the program, puts the environment together, names what went
//! wrong. How a tree is made stands in `sys`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use crate::detach;
use crate::error::{Error, Kind};
use crate::event::StopCause;
use crate::owner;
use crate::plan::{CommandLine, Owner};
use crate::sys::files::stranger;
use crate::sys::{self, SpawnError};

/// The file to execute for `program`: from PATH, else from a `node_modules/.bin` of this folder or one above it.
///
/// Errs with [`Kind::NotFound`] and the nearest name that exists, or with [`Kind::CannotExecute`].
pub(crate) fn find_program(program: &OsStr, path: Option<&OsStr>, cwd: &Path) -> Result<PathBuf, Error> {
    let shown = program.to_string_lossy();
    let is_path = Path::new(program).components().count() > 1;
    if let Ok(found) = which::which_in(program, path, cwd) {
        return Ok(found);
    }
    if is_path {
        let file = cwd.join(program);
        return Err(match file.metadata() {
            Ok(meta) if meta.is_dir() => not_executable(&shown, "it is a folder"),
            Ok(_) => not_executable(&shown, "it has no permission to be executed")
                .hint(format!("chmod +x {shown}")),
            Err(error) => Error::new(Kind::NotFound, format!("{shown} was not found")).source(error),
        });
    }
    let refused = match local_program(program, cwd) {
        Ok(found) => return Ok(found),
        Err(refused) => refused,
    };
    let folders: Vec<PathBuf> = path.map(|p| std::env::split_paths(p).collect()).unwrap_or_default();
    if let Some(file) = folders.iter().map(|f| f.join(program)).find(|f| f.is_file()) {
        let file = file.display();
        return Err(not_executable(&shown, &format!("{file} has no permission to be executed"))
            .hint(format!("chmod +x {file}")));
    }
    let nowhere = || "no folder of PATH and no node_modules/.bin holds a program of that name".to_string();
    let error =
        Error::new(Kind::NotFound, format!("{shown} was not found")).cause(refused.unwrap_or_else(nowhere));
    Err(match nearest(&shown, folders.into_iter().chain(local_bins(cwd))) {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None if cwd.join("package.json").is_file() => error.hint("npm install"),
        None => error,
    })
}

/// The program from a `node_modules/.bin` of this folder or of one above it; else why one that is there is not used.
pub(crate) fn local_program(program: &OsStr, cwd: &Path) -> Result<PathBuf, Option<String>> {
    let mut refused = None;
    for bin in bins(cwd) {
        let Ok(found) = which::which_in(program, Some(&bin), cwd) else { continue };
        match stranger_of(&bin, cwd).or_else(|| stranger(&found, cwd)) {
            None => return Ok(found),
            Some(owner) => {
                let why = format!("{} is ignored: it belongs to {owner}", found.display());
                refused.get_or_insert(why);
            }
        }
    }
    Err(refused)
}

/// Every `node_modules/.bin` of this folder and of those above it, whether it is there or not, but for those that
/// somebody else has put above it.
pub(crate) fn local_bins(cwd: &Path) -> impl Iterator<Item = PathBuf> {
    bins(cwd).filter(move |bin| stranger_of(bin, cwd).is_none())
}

fn bins(cwd: &Path) -> impl Iterator<Item = PathBuf> {
    cwd.ancestors().map(|folder| folder.join("node_modules").join(".bin"))
}

/// Who has put this `node_modules/.bin` there, if that is somebody else.
fn stranger_of(bin: &Path, cwd: &Path) -> Option<String> {
    stranger(bin.parent()?, cwd).or_else(|| stranger(bin, cwd))
}

fn not_executable(shown: &str, why: &str) -> Error {
    Error::new(Kind::CannotExecute, format!("{shown} can't be executed")).cause(why)
}

/// The program whose name is most like this one, if any is.
fn nearest(name: &str, folders: impl Iterator<Item = PathBuf>) -> Option<String> {
    folders
        .filter_map(|folder| folder.read_dir().ok())
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .map(|other| (strsim::damerau_levenshtein(name, &other), other))
        .filter(|(distance, _)| *distance <= 1 + name.len() / 5)
        .min()
        .map(|(_, other)| other)
}

/// The inherited environment with the command line's changes and, over them, the caller's.
pub(crate) fn environment(
    command: &CommandLine,
    run_id: &str,
    over: &[(OsString, OsString)],
) -> Vec<(OsString, OsString)> {
    let mut all: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    all.remove(OsStr::new(detach::BACKGROUND)); // that was for us
    for (name, value) in &command.env {
        match value {
            Some(value) => all.insert(name.clone(), value.clone()),
            None => all.remove(name),
        };
    }
    all.insert("DEVRUN_ID".into(), run_id.into());
    all.extend(over.iter().cloned());
    all.into_iter().collect()
}

/// The watch over the processes that the server dies with, for as long as the run: they are looked for once, since who
/// is above a program whose parent has ended is somebody else. Dropping it ends the watch.
#[must_use]
pub(crate) struct OwnerWatch(JoinHandle<()>);

impl OwnerWatch {
    /// Asks for a stop when the first of them ends. To be called on the runtime that supervises.
    pub(crate) fn start(owner: Owner, stop: UnboundedSender<StopCause>) -> Result<Self, Error> {
        let owners =
            owner::open(owner, owner::Start::now(sys::hang_up_is_ignored())).map_err(
                |refused| match refused {
                    owner::Refused::Error(error) => error,
                    owner::Refused::Gone(pid) => Error::new(
                        Kind::Internal,
                        format!("process {pid}, which started devrun, has ended; nothing was started"),
                    ),
                },
            )?;
        Ok(Self(tokio::spawn(async move {
            let pid = sys::first_to_end(&owners).await;
            let _ = stop.send(StopCause::OwnerGone(pid));
        })))
    }
}

impl Drop for OwnerWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a failed start means to the user.
pub(crate) fn explain(error: SpawnError, program: &Path, cwd: &Path) -> Error {
    let program = program.display();
    match error {
        SpawnError::Folder(source) => {
            Error::new(Kind::Internal, format!("the folder {} can't be entered", cwd.display()))
                .source(source)
        }
        SpawnError::Execute(source) if source.kind() == io::ErrorKind::NotFound => {
            Error::new(Kind::NotFound, format!("{program} can't be executed"))
                .cause("the program that its first line names, or its loader, was not found")
                .source(source)
        }
        SpawnError::Execute(source) => {
            Error::new(Kind::CannotExecute, format!("{program} can't be executed")).source(source)
        }
        SpawnError::System(source) => {
            Error::new(Kind::Internal, format!("no process could be made for {program}")).source(source)
        }
    }
}
