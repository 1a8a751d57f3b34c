//! Ends what a run has left whose front and guard were both killed. Nobody is signalled but through a handle
//! whose process was verified, never for its pid, its port or its name alone; and nobody while the lock is held.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::claim::Marker;
use super::record::Record;
use super::store::{Registry, server_id};
use crate::plan::ServerId;
use crate::sys::process::{self, Identity, Info, Process};

/// Between the request to end and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);
/// A tree that grows faster than it can be killed is given up on, and that is said.
const HARD_STOP: Duration = Duration::from_secs(5);

/// What was left of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ghosts {
    pub(crate) name: String,
    pub(crate) cwd: String,
    pub(crate) ended: Vec<u32>,
    /// Not allowed to signal them, or they did not go.
    pub(crate) left: Vec<u32>,
}

/// A run that did not end in order: what is known of its processes.
struct Remains {
    name: String,
    cwd: String,
    boot: Option<String>,
    run: Run,
}

/// By what a process of a run is recognised.
struct Run {
    /// The value of `DEVRUN_ID` in its environment.
    id: String,
    known: Vec<Identity>,
    /// Nothing of it is older than this, in the unit of `Identity::start`.
    began: u64,
}

impl Run {
    fn of(record: &Record) -> Self {
        // The front of a hosted server is the program that uses the library, and not a part of the run.
        let front = record.front.iter().filter(|_| !record.hosted);
        let known = front.chain(&record.guard).chain(&record.leader).chain(&record.members);
        Self {
            id: record.run.clone(),
            known: known.copied().collect(),
            began: record.leader.map_or(u64::MAX, |leader| leader.start),
        }
    }
}

/// Ends the ghosts of all runs; `spared` are left alone. Where nothing is wrong this reads one short folder.
/// With `dry_run` nothing is signalled or forgotten.
pub(crate) fn end_ghosts(registry: &Registry, spared: &dyn Fn(&Info) -> bool, dry_run: bool) -> Vec<Ghosts> {
    let boot = process::boot_id();
    // One look at all processes tells of every run; after a crash of many, all of them are started again at once.
    let carried = LazyCell::new(carried_ids);
    let mut found = Vec::new();
    for marker in markers(registry) {
        let remains = remains(registry, &marker)
            .filter(|remains| boot.is_some() && remains.boot == boot)
            .filter(|Remains { run, .. }| run.known.iter().any(is_alive) || carried.contains(&run.id));
        if let Some(Remains { name, cwd, run, .. }) = remains {
            let seek = || verified(&run, spared);
            let (ended, left) = if dry_run { (seek().into_keys().collect(), Vec::new()) } else { end(&seek) };
            if !ended.is_empty() || !left.is_empty() {
                found.push(Ghosts { name, cwd, ended, left });
            }
        }
        if !dry_run {
            // The name holds the id of the run: no other run's marker can be hit.
            let _ = fs::remove_file(&marker.path);
        }
    }
    found
}

/// Ends what is left of this run, which was seen to have lost its guard: those ended, and those that could not be.
pub(crate) fn end_run(record: &Record, spared: &dyn Fn(&Info) -> bool) -> (Vec<u32>, Vec<u32>) {
    let run = Run::of(record);
    end(&|| verified(&run, spared))
}

/// The marker of a run that has lost its front and its guard.
struct Marked {
    path: PathBuf,
    id: ServerId,
    run: String,
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
        // Somebody has removed its lock: it is no ghost, and looks after its tree itself.
        let front = Marker::read(&marker.path()).and_then(|marker| marker.front);
        if front.is_some_and(|front| is_alive(&front)) {
            return None;
        }
        Some(Marked { path: marker.path(), id, run: run.to_string() })
    });
    lost.collect()
}

/// What is known of a run; `None` if its record is damaged, and so nothing for sure.
fn remains(registry: &Registry, Marked { path, id, run }: &Marked) -> Option<Remains> {
    let record = registry.peek(id).ok()?;
    let (name, cwd) = record.as_ref().map_or_else(
        || (id.0.clone(), String::new()),
        |record| (record.name.clone(), record.cwd.lossy().into_owned()),
    );
    if let Some(record) = record.filter(|record| record.run == *run) {
        return Some(Remains { name, cwd, boot: record.boot.clone(), run: Run::of(&record) });
    }
    // It was killed before it had written its first record. Whatever it started is younger than its front.
    let Marker { boot, front } = Marker::read(path)?;
    let front = front?;
    Some(Remains { name, cwd, boot, run: Run { id: run.clone(), known: Vec::new(), began: front.start } })
}

/// The runs that processes of this user belong to, by the ids in their environment.
fn carried_ids() -> BTreeSet<String> {
    let pids = process::pids_of_user(process::user());
    pids.into_iter().flat_map(|pid| process::environment_values(pid, "DEVRUN_ID")).collect()
}

fn is_alive(identity: &Identity) -> bool {
    Process::open(identity).ok().flatten().is_some_and(|process| process.is_alive())
}

/// Handles on every process of the run that is sure to be one, by pid.
fn verified(run: &Run, spared: &dyn Fn(&Info) -> bool) -> BTreeMap<u32, Process> {
    let mine: BTreeSet<u32> = process::ancestors(std::process::id())
        .iter()
        .map(|info| info.pid)
        .chain([std::process::id()])
        .collect();
    let marked = |pid| process::environment_values(pid, "DEVRUN_ID").contains(&run.id);
    let mut found = BTreeMap::new();
    for identity in &run.known {
        if let Ok(Some(process)) = Process::open(identity)
            && (process.is_certain() || marked(identity.pid))
        {
            found.insert(identity.pid, process);
        }
    }
    // Whoever was started after the last look at the tree carries the run's own random id.
    for pid in process::pids_of_user(process::user()) {
        if !found.contains_key(&pid)
            && marked(pid)
            && let Ok(Some(process)) = Process::of_pid(pid)
            && process.identity().start >= run.began
            && marked(pid)
        {
            found.insert(pid, process);
        }
    }
    add_descendants(&mut found);
    found.retain(|pid, process| {
        process.is_alive() && !mine.contains(pid) && !process::info(*pid).is_some_and(|info| spared(&info))
    });
    found
}

/// Children of a verified process that lives while they are looked at are its own.
fn add_descendants(found: &mut BTreeMap<u32, Process>) {
    let mut parents: Vec<u32> = found.keys().copied().collect();
    while let Some(parent) = parents.pop() {
        for child in process::children(parent) {
            if found.contains_key(&child) {
                continue;
            }
            let Ok(Some(handle)) = Process::of_pid(child) else { continue };
            if process::parent(child) == Some(parent) && found[&parent].is_alive() {
                found.insert(child, handle);
                parents.push(child);
            }
        }
    }
}

/// Asks, waits, then kills until nobody is found any more. Who ended, and who did not.
fn end(seek: &dyn Fn() -> BTreeMap<u32, Process>) -> (Vec<u32>, Vec<u32>) {
    let (mut ended, mut refused) = (BTreeSet::new(), BTreeSet::new());
    let mut round = |processes: BTreeMap<u32, Process>, signals: &[i32], patience: Duration| {
        for (pid, process) in &processes {
            let sent = signals.iter().try_for_each(|signal| process.signal(*signal));
            if sent.is_err_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied) {
                refused.insert(*pid);
            }
        }
        let waited: Vec<&Process> =
            processes.iter().filter(|(pid, _)| !refused.contains(pid)).map(|(_, process)| process).collect();
        wait_for_exit(&waited, patience);
        ended.extend(
            waited.iter().filter(|process| !process.is_alive()).map(|process| process.identity().pid),
        );
        !waited.is_empty()
    };
    // A stopped process can't hear the request before it is woken.
    round(seek(), &[process::SIGTERM, process::SIGCONT], GRACE);
    let deadline = Instant::now() + HARD_STOP;
    while round(seek(), &[process::SIGKILL], Duration::from_millis(200)) && Instant::now() < deadline {}
    let left = seek().into_keys().collect();
    (ended.into_iter().collect(), left)
}

/// Returns once all have exited, or at the end of the patience.
pub(crate) fn wait_for_exit(processes: &[&Process], patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        let living: Vec<_> = processes.iter().filter(|process| process.is_alive()).collect();
        let Some(first) = living.first() else { return true };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        first.wait(left);
    }
}

#[cfg(test)]
#[path = "ghosts_tests.rs"]
mod tests;
