//! The runs whose front and guard were both killed: found by the markers that they have left, and what is left of each
//! is ended. Nobody is looked for while the lock is held. Who belongs to a run, and how it is ended, stands in `hunt`.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::claim::Marker;
use super::hunt::{Found, Run, is_alive, try_again};
use super::store::{Problem, Registry, Trouble, server_id};
use crate::plan::ServerId;
use crate::sys::process::{self, Identity};

/// What was left of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ghosts {
    pub(crate) name: String,
    pub(crate) found: Found,
    /// An earlier look has left them.
    pub(crate) again: bool,
}

impl Ghosts {
    /// Who is still there, in words.
    pub(crate) fn remaining(&self) -> Option<String> {
        let named = |identity: &Identity| {
            let name = process::info(identity.pid).map_or_else(String::new, |info| info.name);
            format!("{} ({name})", identity.pid)
        };
        let list = |all: &[Identity]| all.iter().map(named).collect::<Vec<_>>().join(", ");
        let Found { left, in_doubt, .. } = &self.found;
        let can_not = || format!("left processes that can't be ended: {}", list(left));
        let perhaps = || format!("may have left: {}", list(in_doubt));
        let what = match (left.is_empty(), in_doubt.is_empty()) {
            (true, true) => return None,
            (false, true) => can_not(),
            (true, false) => perhaps(),
            (false, false) => format!("{}; it {}", can_not(), perhaps()),
        };
        Some(format!("a crash of {} {what}", self.name))
    }
}

/// Ends the ghosts of all runs. Where nothing is wrong this reads one short folder. A run of which somebody is left keeps
/// its marker, where they are written down: each start tries again, which costs a look at each of them.
/// With `dry_run` nothing is signalled or forgotten.
pub(crate) fn end_ghosts(registry: &Registry, dry_run: bool) -> Vec<Ghosts> {
    let marked = markers(registry);
    // Who can't look at itself, for want of descriptors, sees nobody: no run is taken for gone because of that.
    if marked.is_empty() || process::identity(std::process::id()).is_none() {
        return Vec::new();
    }
    let boot = process::boot_id();
    let is_now = |of: &Option<String>| boot.is_some() && *of == boot;
    // One look at all processes tells of every run; after a crash of many, all of them are started again at once.
    let carried = LazyCell::new(carried_ids);
    let mut all = Vec::new();
    for Marked { path, id, run, says } in marked {
        let says = says.unwrap_or_default();
        let again = says.name.is_some();
        let found = match &says.name {
            Some(name) => {
                Ok(is_now(&says.boot).then(|| (name.clone(), try_again(&run, &says.left(), dry_run))))
            }
            None => remains(registry, &id, &run, &says).map(|remains| {
                let Remains { name, run, .. } =
                    remains.filter(|remains| is_now(&remains.boot)).filter(|Remains { run, .. }| {
                        run.known.iter().any(is_alive) || carried.contains(&run.id)
                    })?;
                Some((name, if dry_run { run.look() } else { run.end() }))
            }),
        };
        // The name holds the id of the run: no other run's marker can be hit.
        match &found {
            _ if dry_run => {}
            Ok(Some((name, found))) if !found.left.is_empty() || !found.in_doubt.is_empty() => {
                let _ = Marker::of_left(boot.clone(), says.front, name, found).write(&path);
            }
            // That devrun knows more of it; or another start will, when there are descriptors again.
            Err(Problem { trouble: Trouble::Newer, .. }) if is_now(&says.boot) => {}
            Err(Problem { trouble: Trouble::Unreadable, .. }) => {}
            Ok(_) | Err(_) => drop(fs::remove_file(&path)),
        }
        let ghosts = found.ok().flatten().map(|(name, found)| Ghosts { name, found, again });
        all.extend(ghosts.filter(|ghosts| ghosts.found != Found::default()));
    }
    all
}

/// The marker of a run that has lost its front and its guard.
struct Marked {
    path: PathBuf,
    id: ServerId,
    run: String,
    says: Option<Marker>,
}

/// The runs that are marked as living, and whose lock is free or another run's.
fn markers(registry: &Registry) -> Vec<Marked> {
    let markers = fs::read_dir(registry.live()).into_iter().flatten().flatten();
    let lost = markers.filter_map(|marker| {
        let name = marker.file_name();
        let (id, run) = name.to_str()?.split_once('.')?;
        let id = server_id(id)?;
        // A run that has the lock and has not said which it is may be this one.
        if registry.is_live(&id) && registry.live_run(&id).is_none_or(|live| live == run) {
            return None;
        }
        // One that can't be read is left to a later start: its lock was perhaps no more to be had, for want of
        // descriptors.
        let says = Marker::read(&marker.path()).ok()?;
        // Somebody has removed its lock: it is no ghost, and looks after its tree itself.
        if says.as_ref().and_then(|says| says.front).is_some_and(|front| is_alive(&front)) {
            return None;
        }
        Some(Marked { path: marker.path(), id, run: run.to_string(), says })
    });
    lost.collect()
}

/// A run that did not end in order: what is known of its processes.
struct Remains {
    name: String,
    boot: Option<String>,
    run: Run,
}

/// What is known of a run; nothing for sure if its record can't be used.
fn remains(registry: &Registry, id: &ServerId, run: &str, says: &Marker) -> Result<Option<Remains>, Problem> {
    let record = registry.peek(id)?;
    let name = record.as_ref().map_or_else(|| id.0.clone(), |record| record.name.clone());
    if let Some(record) = record.filter(|record| record.run == *run) {
        return Ok(Some(Remains { name, boot: record.boot.clone(), run: Run::of(&record) }));
    }
    // It was killed before it had written its first record. Whatever it started is younger than its front.
    let of_front = |front: Identity| Run::unrecorded(run, front.start, says.spare.as_ref());
    Ok(says.front.map(of_front).map(|run| Remains { name, boot: says.boot.clone(), run }))
}

/// The runs that processes of this user belong to, by the ids in their environment.
fn carried_ids() -> BTreeSet<String> {
    let pids = process::pids_of_user(process::user());
    pids.into_iter().flat_map(|pid| process::environment_values(pid, "DEVRUN_ID")).collect()
}

#[cfg(test)]
#[path = "ghosts_tests.rs"]
mod tests;
