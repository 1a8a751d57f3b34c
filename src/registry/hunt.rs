//! Who is left of one run that has lost its guard, and their end. Nobody is signalled but through a handle whose process
//! was verified, never for its pid, its port or its name alone; and nobody whom the run was to leave running, or who is
//! below such a one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::record::Record;
use crate::plan::Spare;
use crate::spare;
use crate::sys::process::{self, Identity, Process};
use crate::sys::{SpareList, living_guards};

/// Between the request to end and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);
/// A tree that grows faster than it can be killed is given up on, and that is said.
const HARD_STOP: Duration = Duration::from_secs(5);

/// What came of a hunt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Who has ended; without a signal to anybody, who would be asked to.
    pub(crate) ended: Vec<u32>,
    /// Not allowed to signal them, or they did not go.
    pub(crate) left: Vec<Identity>,
    /// Left running on purpose.
    pub(crate) spared: Vec<Identity>,
    /// Perhaps they are to be left running.
    pub(crate) in_doubt: Vec<Identity>,
}

/// By what a process of a run is recognised, and which of them is left running.
pub(super) struct Run {
    /// The value of `DEVRUN_ID` in its environment.
    pub(super) id: String,
    pub(super) known: Vec<Identity>,
    /// Nothing of it is older than this, in the unit of `Identity::start`.
    began: u64,
    spare: SpareList,
    /// The numbers of its own sessions, if that is known.
    sessions: Option<Vec<u32>>,
}

impl Run {
    pub(super) fn of(record: &Record) -> Self {
        // The front of a hosted server is the program that uses the library, and not a part of the run.
        let front = record.front.iter().filter(|_| !record.hosted);
        let known = front.chain(&record.guard).chain(&record.leader).chain(&record.members);
        // Everything is below the first process: whoever says that it was a member is wrong.
        let known = known.filter(|identity| identity.pid > 1);
        let began = record.leader.map_or(u64::MAX, |leader| leader.start);
        // A number whose leader is younger than the run is another session's by now.
        let own = |session: &&u32| process::identity(**session).is_none_or(|leader| leader.start <= began);
        let sessions = record.sessions.iter().filter(own).copied().collect();
        Self {
            id: record.run.clone(),
            known: known.copied().collect(),
            began,
            spare: list(record.spare.as_ref()),
            sessions: (!record.sessions.is_empty()).then_some(sessions),
        }
    }

    /// A run of which only its id and this is known.
    pub(super) fn unrecorded(id: &str, began: u64, spare: Option<&Spare>) -> Self {
        Self { id: id.to_string(), known: Vec::new(), began, spare: list(spare), sessions: None }
    }

    fn marks(&self, pid: u32) -> bool {
        process::environment_values(pid, "DEVRUN_ID").contains(&self.id)
    }

    /// Whether the process is left running; where its session may be the run's own or not, it is.
    fn spares(&self, pid: u32) -> bool {
        self.spare.spares_pid(pid, self.sessions.as_deref().unwrap_or_default())
    }

    /// Who would be ended.
    pub(super) fn look(&self) -> Found {
        let mut hunt = Hunt { run: self, kept: BTreeMap::new() };
        let ended = hunt.seek().into_keys().collect();
        hunt.found(ended, Vec::new())
    }

    /// Ends what is left of the run.
    pub(super) fn end(&self) -> Found {
        Hunt { run: self, kept: BTreeMap::new() }.end()
    }
}

/// The usual list where none is known.
fn list(spare: Option<&Spare>) -> SpareList {
    spare.map_or_else(|| spare::list(&Spare::default()), spare::list)
}

/// Ends what is left of this run, which was seen to have lost its guard; but for what another guard of this process
/// has below it.
pub(crate) fn end_run(record: &Record) -> Found {
    let run = Run::of(record);
    let own = record.guard.map(|guard| guard.pid);
    let guards = living_guards().into_iter().filter(|guard| Some(*guard) != own);
    let kept = guards.filter_map(|guard| Some((guard, Process::of_pid(guard).ok()??))).collect();
    let found = Hunt { run: &run, kept }.end();
    tracing::info!(target: "devrun::registry", ?found, "looked for what a lost guard has left");
    found
}

/// Tries once more, and without waiting for anybody, to end those that an earlier look has left.
pub(super) fn try_again(id: &str, before: &Found, dry_run: bool) -> Found {
    let marked = |pid| process::environment_values(pid, "DEVRUN_ID").iter().any(|run| run == id);
    let living = |all: &[Identity]| all.iter().filter(|one| is_alive(one)).copied().collect::<Vec<_>>();
    let (mut ended, mut left) = (Vec::new(), Vec::new());
    for identity in living(&before.left) {
        let Ok(Some(process)) = Process::open(&identity) else { continue };
        let proven = process.is_certain() || marked(identity.pid);
        if !dry_run && proven && process.signal(process::SIGKILL).is_ok() && process.wait(AGAIN) {
            ended.push(identity.pid);
        } else {
            left.push(identity);
        }
    }
    Found { ended, left, spared: Vec::new(), in_doubt: living(&before.in_doubt) }
}

/// How long a process that would not go is waited for, whenever that is tried again.
const AGAIN: Duration = Duration::from_millis(10);

pub(super) fn is_alive(identity: &Identity) -> bool {
    Process::open(identity).ok().flatten().is_some_and(|process| process.is_alive())
}

/// The search for one run's processes, as often as it takes.
struct Hunt<'a> {
    run: &'a Run,
    /// Who is left running, and who was ever seen below one of them: also when that one is gone.
    kept: BTreeMap<u32, Process>,
}

impl Hunt<'_> {
    /// Handles on every process of the run that is sure to be one and is to be ended, by pid.
    fn seek(&mut self) -> BTreeMap<u32, Process> {
        self.kept.retain(|_, process| process.is_alive());
        let mut found = BTreeMap::new();
        for (pid, process) in proven(self.run) {
            self.add(&mut found, pid, process);
        }
        self.add_descendants(&mut found);
        let below: BTreeSet<u32> = self.kept.keys().flat_map(|pid| process::members(*pid)).collect();
        let above = process::ancestors(std::process::id());
        let mine = |pid| pid == std::process::id() || above.iter().any(|info| info.pid == pid);
        let (kept, ended): (BTreeMap<_, _>, _) = found
            .into_iter()
            .filter(|(pid, process)| process.is_alive() && !mine(*pid))
            .partition(|(pid, _)| below.contains(pid));
        self.kept.extend(kept);
        ended
    }

    /// Whether it is to be ended.
    fn add(&mut self, found: &mut BTreeMap<u32, Process>, pid: u32, process: Process) -> bool {
        if self.kept.contains_key(&pid) {
            return false;
        }
        let spared = self.run.spares(pid);
        (if spared { &mut self.kept } else { found }).insert(pid, process);
        !spared
    }

    /// Children of a verified process that lives while they are looked at are its own.
    fn add_descendants(&mut self, found: &mut BTreeMap<u32, Process>) {
        let mut parents: Vec<u32> = found.keys().copied().collect();
        while let Some(parent) = parents.pop() {
            for child in process::children(parent) {
                if found.contains_key(&child) {
                    continue;
                }
                let Ok(Some(handle)) = Process::of_pid(child) else { continue };
                let is_its_own = process::parent(child) == Some(parent) && found[&parent].is_alive();
                if is_its_own && self.add(found, child, handle) {
                    parents.push(child);
                }
            }
        }
    }

    fn end(mut self) -> Found {
        let (ended, left) = end(&mut || self.seek());
        self.found(ended, left)
    }

    /// With those that are left running; where the run's session is not known, they are in doubt.
    fn found(&self, ended: Vec<u32>, left: Vec<Identity>) -> Found {
        let kept = self.kept.values().map(Process::identity);
        let kept = kept.filter(|identity| is_alive(identity) && self.run.spares(identity.pid)).collect();
        match self.run.sessions {
            Some(_) => Found { ended, left, spared: kept, in_doubt: Vec::new() },
            None => Found { ended, left, spared: Vec::new(), in_doubt: kept },
        }
    }
}

/// Handles on every process of the run that is proven to be one by itself.
fn proven(run: &Run) -> BTreeMap<u32, Process> {
    let mut found = BTreeMap::new();
    for identity in &run.known {
        if let Ok(Some(process)) = Process::open(identity)
            && (process.is_certain() || run.marks(identity.pid))
        {
            found.insert(identity.pid, process);
        }
    }
    // Whoever was started after the last look at the tree carries the run's own random id.
    for pid in process::pids_of_user(process::user()) {
        if !found.contains_key(&pid)
            && run.marks(pid)
            && let Ok(Some(process)) = Process::of_pid(pid)
            && process.identity().start >= run.began
            && run.marks(pid)
        {
            found.insert(pid, process);
        }
    }
    found
}

/// Asks, waits, then kills until nobody is found any more. Who ended, and who did not.
fn end(seek: &mut dyn FnMut() -> BTreeMap<u32, Process>) -> (Vec<u32>, Vec<Identity>) {
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
    let left = seek().values().map(Process::identity).collect();
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
mod tests {
    use super::*;
    use crate::registry::test_record;

    #[test]
    fn the_first_process_is_never_a_member() {
        let first = process::identity(1);
        let record = Record { front: first, guard: first, leader: first, ..test_record(7, "first") };
        assert!(Run::of(&record).known.is_empty());
    }

    #[test]
    fn the_number_of_a_session_that_is_anothers_by_now_is_not_the_runs() {
        let me = process::identity(std::process::id());
        let session = crate::sys::own_session();
        let record = Record { leader: me, sessions: vec![session], ..test_record(7, "session") };
        assert_eq!(Run::of(&record).sessions, Some(vec![session]));
        // The run began before the leader of the session that has the number now.
        let older = Record { leader: me.map(|me| Identity { start: 0, ..me }), ..record };
        let others = session != 0 && process::identity(session).is_some();
        assert_eq!(Run::of(&older).sessions, Some(if others { vec![] } else { vec![session] }));
        assert_eq!(Run::of(&test_record(7, "an older devrun's")).sessions, None);
    }
}
