//! Ending a tree whose members are known by their unique ids: the stop signal to each once, and rounds of kills
//! until none is left. Nothing here waits, and nobody is signalled whose identity was not looked at right before.
//! What the guard calls allocates nothing: all room is made in `Family::new`.

use super::kernel::{self, ARGUMENTS_ROOM};
use super::parse::{Birth, Ids, descend, words};
use super::process::{self, kill, session};
use crate::sys::types::SpareList;

/// More processes than macOS lets a machine have.
const PROCESSES: usize = 1 << 15;

/// Who belongs to a tree, as far as was ever seen.
#[derive(Debug)]
pub(super) struct Family {
    known: Ids,
    /// Those that have had the stop signal.
    asked: Ids,
    /// Those that were stopped in this round.
    stopped: Ids,
    /// Those that had to be killed.
    killed: Ids,
    /// `DEVRUN_ID=...` of this run, by which a member is known whose ancestors are lost.
    mark: Option<Vec<u8>>,
    spare: SpareList,
    pids: Vec<i32>,
    births: Vec<Birth>,
    members: Vec<Birth>,
    words: Vec<u8>,
}

impl Family {
    /// Nobody yet but those whose environment has this `DEVRUN_ID`.
    pub(super) fn new(run: Option<&str>, spare: SpareList) -> Self {
        let ids = || Ids::with_room(PROCESSES);
        Self {
            known: ids(),
            asked: ids(),
            stopped: ids(),
            killed: ids(),
            mark: run.map(|run| format!("DEVRUN_ID={run}").into_bytes()),
            spare,
            pids: vec![0; PROCESSES],
            births: Vec::with_capacity(PROCESSES),
            members: Vec::with_capacity(PROCESSES),
            words: vec![0; ARGUMENTS_ROOM],
        }
    }

    /// Makes the process a member, and with it whoever descends from it.
    pub(super) fn join(&mut self, id: u64) {
        self.known.add(id);
    }

    /// The members that run now by their ancestry; zombies don't. This forgets the dead.
    pub(super) fn descendants(&mut self) -> &[Birth] {
        kernel::births_into(&mut self.pids, &mut self.births);
        descend(&mut self.known, &self.births);
        self.known.keep_living(&self.births);
        self.list()
    }

    /// The members that run now, also those whose ancestors are lost.
    pub(super) fn members(&mut self) -> &[Birth] {
        self.descendants();
        if let Some(mark) = &self.mark {
            let me = std::process::id();
            for birth in &self.births {
                let marked = |words_of: &[u8]| words(words_of).any(|word| word == mark);
                if birth.pid != me
                    && !self.known.has(birth.id)
                    && kernel::arguments_into(birth.pid, &mut self.words).is_some_and(marked)
                    // The environment was read by pid.
                    && kernel::birth(birth.pid) == Some(*birth)
                {
                    self.known.add(birth.id);
                }
            }
            descend(&mut self.known, &self.births);
        }
        self.list()
    }

    fn list(&mut self) -> &[Birth] {
        self.members.clear();
        self.members.extend(self.births.iter().filter(|birth| self.known.has(birth.id)));
        &self.members
    }

    /// The members that run now and are to be ended.
    pub(super) fn doomed(&mut self) -> &[Birth] {
        self.members();
        let own = [session(std::process::id())];
        self.members.retain(|member| !self.spare.spares(member.pid, &own, &mut self.words));
        &self.members
    }

    /// Those left: (pid, spared, name).
    pub(super) fn left(&mut self) -> Vec<(u32, bool, String)> {
        let members = self.members().to_vec();
        let tell = |member: Birth| {
            let spared = self.spare.spares_pid(member.pid, &[session(std::process::id())]);
            Some((member.pid, spared, process::info(member.pid)?.name))
        };
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
        self.doomed();
        for member in &self.members {
            if !self.asked.add(member.id) {
                continue;
            }
            let group = kernel::about(member.pid).map(|about| about.bsd.pbi_pgid);
            if skip_group.is_none() || group != skip_group {
                send(*member, signal);
            }
            send(*member, libc::SIGCONT);
        }
    }

    /// One round: stops every member so that none gets away by forking, looks again until nobody new is found,
    /// then kills. Returns how many there were.
    pub(super) fn kill_round(&mut self) -> usize {
        self.stopped.clear();
        loop {
            self.doomed();
            let mut new = false;
            for member in &self.members {
                if self.stopped.add(member.id) {
                    new = true;
                    send(*member, libc::SIGSTOP);
                }
            }
            if new {
                continue;
            }
            for member in &self.members {
                send(*member, libc::SIGKILL);
                self.killed.add(member.id);
            }
            return self.members.len();
        }
    }
}

impl SpareList {
    /// Whether the process is left running, which is of a run whose own sessions have these numbers.
    pub(crate) fn spares_pid(&self, pid: u32, sessions: &[u32]) -> bool {
        self.spares(pid, sessions, &mut vec![0; ARGUMENTS_ROOM])
    }

    /// The same in room for its arguments.
    fn spares(&self, pid: u32, sessions: &[u32], room: &mut [u8]) -> bool {
        if self.always.is_empty() && self.own_session.is_empty() {
            return false;
        }
        let mut path = [0; kernel::EXECUTABLE_ROOM];
        let Some(path) = kernel::executable_into(pid, &mut path) else { return false };
        let own = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        let named = |list: &[Vec<u8>]| list.iter().any(|name| name == own);
        // A browser that a program drives is that program's, not the user's.
        let drives =
            |word: &[u8]| word.starts_with(b"--remote-debugging-p") || word.starts_with(b"--headless");
        let driven = |answer: &[u8]| words(answer).any(drives);
        if named(&self.always) {
            return true;
        }
        let shared = named(&self.own_session);
        let mut texts = self.run_by.iter().filter(|(program, _)| program == own).map(|(_, text)| text);
        if !(shared || texts.clone().next().is_some()) || sessions.contains(&session(pid)) {
            return false;
        }
        let Some(answer) = kernel::arguments_into(pid, room) else { return shared };
        let mut holds = |text: &Vec<u8>| answer.windows(text.len()).any(|part| part == text.as_slice());
        (shared || texts.any(&mut holds)) && !driven(answer)
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

/// Nor do they become this process's meanwhile.
pub(in crate::sys) fn without_adopting<T>(action: impl FnOnce() -> T) -> T {
    action()
}

/// Guards are nobody's parents here.
pub(crate) fn living_guards() -> Vec<u32> {
    Vec::new()
}

/// A lost guard has adopted nobody: the front ends the tree itself.
pub(crate) fn end_adopted(_spare: &SpareList, _sessions: &[u32]) -> u32 {
    0
}
