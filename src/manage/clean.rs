//! Cleaning up: what crashed runs have left is ended, servers whose folder is gone are stopped and forgotten. One that
//! runs in a folder that exists, or whose disk is away, is never touched.

use super::stop;
use crate::error::Error;
use crate::registry::{Ghosts, Record, Registry, end_ghosts, is_gone};

/// What was done, or with a dry run would be.
#[derive(Debug)]
pub(crate) struct Cleaned {
    /// Of each crashed run what was ended, and what can't be.
    pub(crate) ghosts: Vec<Ghosts>,
    pub(crate) forgotten: Vec<Record>,
    /// Why one was not forgotten; it does not keep the others.
    pub(crate) failed: Vec<Error>,
    /// Records that can't be used.
    pub(crate) problems: Vec<String>,
}

/// Cleans up; with `dry_run` nothing is ended or forgotten.
pub(crate) fn clean(registry: &Registry, dry_run: bool) -> Cleaned {
    let ghosts = end_ghosts(registry, dry_run);
    let (entries, problems) = registry.list();
    let (mut forgotten, mut failed) = (Vec::new(), Vec::new());
    for record in entries.into_iter().map(|entry| entry.record).filter(is_gone) {
        let done =
            if dry_run { Ok(()) } else { stop(registry, &record).and_then(|()| registry.forget(&record)) };
        match done {
            Ok(()) => forgotten.push(record),
            Err(error) => failed.push(error),
        }
    }
    Cleaned { ghosts, forgotten, failed, problems }
}
