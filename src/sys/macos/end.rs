//! Ending a tree whose members are known by their unique ids: the stop signal to each once, and rounds of kills
//! until none is left. Nothing here waits, and nobody is signalled whose identity was not looked at right before.

use std::collections::HashSet;

use super::kernel;
use super::parse::Birth;
use super::process::{self, family, kill, session};
use crate::sys::types::SpareList;

/// Who belongs to a tree, as far as was ever seen.
#[derive(Debug)]
pub(super) struct Family {
    known: HashSet<u64>,
    /// Those that have had the stop signal.
    asked: HashSet<u64>,
    /// Those that had to be killed.
    killed: HashSet<u64>,
    run: Option<String>,
    spare: SpareList,
}

impl Family {
    /// The family of the leader, which must not have been waited for yet. `run`: its `DEVRUN_ID`.
    pub(super) fn of(leader: u32, run: Option<String>, spare: SpareList) -> Self {
        Self {
            known: kernel::birth(leader).map(|birth| birth.id).into_iter().collect(),
            asked: HashSet::new(),
            killed: HashSet::new(),
            run,
            spare,
        }
    }

    /// The members that run now; zombies don't.
    pub(super) fn members(&mut self) -> Vec<Birth> {
        family(&mut self.known, self.run.as_deref())
    }

    /// The members that run now and are to be ended.
    pub(super) fn doomed(&mut self) -> Vec<Birth> {
        let members = self.members();
        members.into_iter().filter(|member| !self.spares(member.pid)).collect()
    }

    /// Those left: (pid, spared, name).
    pub(super) fn left(&mut self) -> Vec<(u32, bool, String)> {
        let members = self.members();
        let tell =
            |member: Birth| Some((member.pid, self.spares(member.pid), process::info(member.pid)?.name));
        members.into_iter().filter_map(tell).collect()
    }

    /// How many had to be killed.
    pub(super) fn killed(&self) -> u32 {
        u32::try_from(self.killed.len()).unwrap_or(u32::MAX)
    }

    /// Sends the stop signal to every member that has not had it, and wakes the stopped ones.
    ///
    /// `skip_group`: the members of this process group have it already, from the terminal.
    pub(super) fn ask(&mut self, signal: i32, skip_group: Option<u32>) {
        for member in self.doomed() {
            if !self.asked.insert(member.id) {
                continue;
            }
            let group = kernel::about(member.pid).map(|about| about.bsd.pbi_pgid);
            if skip_group.is_none() || group != skip_group {
                send(member, signal);
            }
            send(member, libc::SIGCONT);
        }
    }

    /// One round: stops every member so that none gets away by forking, looks again until nobody new is found,
    /// then kills. Returns how many there were.
    pub(super) fn kill_round(&mut self) -> usize {
        let mut stopped = HashSet::new();
        loop {
            let doomed = self.doomed();
            let mut new = false;
            for member in &doomed {
                if stopped.insert(member.id) {
                    new = true;
                    send(*member, libc::SIGSTOP);
                }
            }
            if new {
                continue;
            }
            for member in &doomed {
                send(*member, libc::SIGKILL);
                self.killed.insert(member.id);
            }
            return doomed.len();
        }
    }

    fn spares(&self, pid: u32) -> bool {
        self.spare.spares_pid(pid)
    }
}

impl SpareList {
    /// Whether this process is left running.
    pub(crate) fn spares_pid(&self, pid: u32) -> bool {
        if self.always.is_empty() && self.own_session.is_empty() {
            return false;
        }
        let Some(info) = process::info(pid) else { return false };
        let named = |list: &[Vec<u8>]| list.iter().any(|name| *name == info.name.as_bytes());
        let driven = |arg: &std::ffi::OsString| {
            // A browser that a program drives is that program's, not the user's.
            arg.to_str()
                .is_some_and(|arg| arg.starts_with("--remote-debugging-p") || arg.starts_with("--headless"))
        };
        named(&self.always)
            || (named(&self.own_session)
                && info.sid != session(std::process::id())
                && !info.argv.iter().any(driven))
    }
}

/// Sends the signal if the pid is still this process's.
fn send(member: Birth, signal: i32) {
    if kernel::birth(member.pid) == Some(member) {
        let _ = kill(member.pid, signal);
    }
}

/// Orphans can't be adopted here: they go to launchd.
pub(crate) fn adopt_orphans() {}

/// There is no guard that could be lost.
pub(crate) fn end_adopted(_spare: &SpareList) -> u32 {
    0
}
