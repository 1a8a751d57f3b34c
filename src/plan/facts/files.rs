//! The project's files: found here or above, and believed only from who may say what this user runs.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Kind};
use crate::plan::config;
use crate::plan::request::Request;
use crate::sys::files::stranger;

/// The folder, canonical; an error that tells a deleted one from one that was never there.
pub(super) fn canonical(path: &Path) -> Result<PathBuf, Error> {
    match path.canonicalize() {
        Ok(path) if path.is_dir() => Ok(path),
        Ok(path) => Err(Error::new(Kind::Usage, format!("{} is not a folder", path.display()))),
        Err(error) if path == Path::new(".") => Err(Error::new(Kind::Usage, "the current folder is gone")
            .source(error)
            .hint("cd to a folder that exists")),
        Err(error) => {
            Err(Error::new(Kind::Usage, format!("cannot use the folder {}", path.display())).source(error))
        }
    }
}

/// A folder, seen as part of the project around it.
pub(super) struct Project<'a> {
    cwd: &'a Path,
    notes: &'a mut Vec<String>,
}

impl<'a> Project<'a> {
    pub(super) fn new(cwd: &'a Path, notes: &'a mut Vec<String>) -> Self {
        Self { cwd, notes }
    }

    /// Settings of files, `devrun.toml` before `package.json`, and the folder that a relative `cwd` in them starts
    /// from.
    pub(super) fn settings(&mut self) -> Result<(Request, Option<PathBuf>), Error> {
        let mut settings = Request::default();
        let mut base = None;
        if let Some((dir, text)) = self.up("devrun.toml") {
            settings = config::from_toml(&dir.join("devrun.toml"), &text)?;
            base = settings.cwd.is_some().then_some(dir);
        }
        if let Some((dir, text)) = self.up("package.json")
            && let Ok(value) = serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}'))
            && !value["devrun"].is_null()
        {
            let package = config::from_package(&dir.join("package.json"), &text, &value["devrun"])?;
            settings = settings.over(package);
            base = base.or(settings.cwd.is_some().then_some(dir));
        }
        Ok((settings, base))
    }

    /// The nearest file of this name, here or above, within the repository; with the folder it is in. One that
    /// somebody else put above the project is none, and a note.
    pub(super) fn up(&mut self, name: &str) -> Option<(PathBuf, String)> {
        for dir in self.cwd.ancestors() {
            let file = dir.join(name);
            if let Ok(bytes) = std::fs::read(&file) {
                let Some(owner) = stranger(&file, self.cwd) else {
                    return Some((dir.to_path_buf(), String::from_utf8_lossy(&bytes).into_owned()));
                };
                let note = format!("{} is ignored: it belongs to {owner}", file.display());
                if !self.notes.contains(&note) {
                    self.notes.push(note);
                }
            }
            if dir.join(".git").exists() {
                return None;
            }
        }
        None
    }
}
