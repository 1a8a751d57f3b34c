//! Ends what a run has left whose front and guard were both killed. Nobody is signalled but through a handle
//! whose process was verified, never for its pid, its port or its name alone; and nobody while the lock is held.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use super::record::Record;
use super::store::{Registry, server_id};
use crate::sys::process::{self, Info, Process};

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

/// A run that did not end in order.
struct Remains {
    record: Option<Record>,
}

/// Ends the ghosts of all runs; `spared` are left alone. Where nothing is wrong this reads one short folder.
/// With `dry_run` nothing is signalled or forgotten.
pub(crate) fn end_ghosts(registry: &Registry, spared: &dyn Fn(&Info) -> bool, dry_run: bool) -> Vec<Ghosts> {
    let boot = process::boot_id();
    let mut found = Vec::new();
    for (remains, marker) in remains(registry) {
        let same_boot = |record: &Record| boot.is_some() && record.boot == boot;
        if let Some(record) = remains.record.as_ref().filter(|record| same_boot(record)) {
            let seek = || verified(record, spared);
            let (ended, left) = if dry_run { (seek().into_keys().collect(), Vec::new()) } else { end(&seek) };
            if !ended.is_empty() || !left.is_empty() {
                found.push(Ghosts { name: record.name.clone(), cwd: record.cwd.lossy().into(), ended, left });
            }
        }
        if !dry_run {
            // The name holds the id of the run: no other run's marker can be hit.
            let _ = fs::remove_file(&marker);
        }
    }
    found
}

/// Ends what is left of this run, which was seen to have lost its guard: those ended, and those that could not be.
pub(crate) fn end_run(record: &Record, spared: &dyn Fn(&Info) -> bool) -> (Vec<u32>, Vec<u32>) {
    end(&|| verified(record, spared))
}

/// The runs that are marked as living, and whose lock is free or another run's.
fn remains(registry: &Registry) -> Vec<(Remains, std::path::PathBuf)> {
    let markers = fs::read_dir(registry.live()).into_iter().flatten().flatten();
    let runs = markers.filter_map(|marker| {
        let name = marker.file_name();
        let (id, run) = name.to_str()?.split_once('.')?;
        let id = server_id(id)?;
        // A run that has the lock and has not said which it is may be this one.
        if registry.is_live(&id) && registry.live_run(&id).is_none_or(|live| live == run) {
            return None;
        }
        let record = registry.read(&id).ok().flatten().filter(|record| record.run == run);
        Some((Remains { record }, marker.path()))
    });
    runs.collect()
}

/// Handles on every process of the run that is sure to be one, by pid.
fn verified(record: &Record, spared: &dyn Fn(&Info) -> bool) -> BTreeMap<u32, Process> {
    let mine: BTreeSet<u32> = process::ancestors(std::process::id())
        .iter()
        .map(|info| info.pid)
        .chain([std::process::id()])
        .collect();
    let marked = |pid| process::environment_has(pid, "DEVRUN_ID", &record.run) == Some(true);
    let mut found = BTreeMap::new();
    let front = record.front.iter().filter(|_| !record.hosted);
    let recorded = front.chain(&record.guard).chain(&record.leader).chain(&record.members);
    for identity in recorded {
        if let Ok(Some(process)) = Process::open(identity)
            && (process.is_certain() || marked(identity.pid))
        {
            found.insert(identity.pid, process);
        }
    }
    // Whoever was started after the last look at the tree carries the run's own random id.
    let began = record.leader.map_or(u64::MAX, |leader| leader.start);
    for pid in process::pids_of_user(process::user()) {
        if !found.contains_key(&pid)
            && marked(pid)
            && let Ok(Some(process)) = Process::of_pid(pid)
            && process.identity().start >= began
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
