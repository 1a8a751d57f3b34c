//! Ending a tree: the stop signal to every member once, and the hard loop that kills every child until none is
//! left. Without a single allocation, as `walk`. Nothing here waits.

use core::mem::MaybeUninit;
use core::time::Duration;

use rustix::process::{Pid, Signal};

use super::stat::read_short;
use super::walk;
use super::wire::Report;
use crate::sys::SpareList;
use crate::sys::unix::group::{self, Group};

impl SpareList {
    /// Whether the process is left running, which is of a run whose own sessions have these numbers.
    pub(crate) fn spares_pid(&self, pid: u32, sessions: &[u32]) -> bool {
        let sessions: Vec<Group> = sessions.iter().map(|session| session.cast_signed()).collect();
        Pid::from_raw(pid.cast_signed()).is_some_and(|pid| self.spares(pid, &sessions))
    }

    /// Whether this process is left running. Names are the executable's and the one it goes by, never argv alone:
    /// that is for everybody to write.
    pub(super) fn spares(&self, pid: Pid, own: &[Group]) -> bool {
        let session = || group::session_of(pid.as_raw_nonzero().get());
        let of_another_session = || !session().is_some_and(|session| own.contains(&session));
        // Mostly this is answered by one system call.
        if self.always.is_empty() && (self.own_session.is_empty() || !of_another_session()) {
            return false;
        }
        let (mut exe, mut comm) = ([MaybeUninit::uninit(); 512], [0; 32]);
        let exe = walk::executable(pid, &mut exe);
        let comm = walk::command_name(pid, &mut comm);
        let named =
            |list: &[Vec<u8>]| list.iter().any(|n| exe == Some(n) || comm.is_some_and(|c| is_comm_of(c, n)));
        let run_by = || {
            self.run_by
                .iter()
                .any(|(program, text)| exe == Some(program) && walk::arguments_contain(pid, text))
        };
        named(&self.always)
            || ((named(&self.own_session) || run_by())
                && of_another_session()
                // A browser that a program drives is that program's, not the user's.
                && !walk::arguments_contain(pid, b"--remote-debugging-p")
                && !walk::arguments_contain(pid, b"--headless"))
    }
}

/// comm is cut after 15 bytes, and tmux calls itself `tmux: server`.
fn is_comm_of(comm: &[u8], name: &[u8]) -> bool {
    comm == &name[..name.len().min(15)] || comm.strip_prefix(name).is_some_and(|rest| rest.starts_with(b":"))
}

/// Which pids have had their signal; as many bits as the system has pids, reserved before the fork.
pub(super) struct Signalled(pub(super) Vec<u64>);

impl Signalled {
    pub(super) fn new() -> Self {
        let most = read_short("/proc/sys/kernel/pid_max").ok().and_then(|text| walk::number(&text));
        // calloc of this size is untouched memory: it costs address space until a bit is set.
        Self(vec![0; most.unwrap_or(4_194_304).unsigned_abs() as usize / 64 + 1])
    }

    /// Forgets a pid that was waited for: from now on it can be somebody else's.
    pub(super) fn remove(&mut self, pid: Pid) {
        let pid = pid.as_raw_nonzero().get() as usize;
        if let Some(word) = self.0.get_mut(pid / 64) {
            *word &= !(1 << (pid % 64));
        }
    }

    fn contains(&self, pid: Pid) -> bool {
        let pid = pid.as_raw_nonzero().get() as usize;
        self.0.get(pid / 64).is_some_and(|word| word & (1 << (pid % 64)) != 0)
    }

    /// Sets the bit and says whether it was new.
    fn insert(&mut self, pid: Pid) -> bool {
        let pid = pid.as_raw_nonzero().get() as usize;
        let Some(word) = self.0.get_mut(pid / 64) else { return false };
        let bit = 1 << (pid % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

/// Sends the stop signal to every member that is not spared and has not had it, then wakes it if it is stopped.
///
/// `skip_group`: the members of this process group have the signal already, from the terminal; they are only
/// woken. Listings shift while members come and go, so it looks again until nobody new is found.
pub(super) fn ask(
    root: Pid,
    signal: Signal,
    skip_group: Option<Group>,
    spare: &SpareList,
    own: &[Group],
    signalled: &mut Signalled,
) {
    for _ in 0..5 {
        let mut found = false;
        walk::each_member(root, &mut |pid, fd| {
            if signalled.contains(pid) {
                return true;
            }
            if spare.spares(pid, own) {
                return false; // nor is what is below it ours
            }
            signalled.insert(pid);
            found = true;
            let has_it = skip_group.is_some() && group::group_of(pid.as_raw_nonzero().get()) == skip_group;
            if !has_it {
                let _ = rustix::process::pidfd_send_signal(fd, signal);
            }
            let _ = rustix::process::pidfd_send_signal(fd, Signal::CONT);
            true
        });
        if !found {
            break;
        }
    }
}

/// So long before the hard loop's end, a child that is not gone yet is taken for one that stays.
pub(super) const IMPATIENT: Duration = Duration::from_secs(1);

/// Who was sent SIGKILL.
pub(super) struct Killed {
    children: Signalled,
    /// Everybody, for the count alone: one further down may go, and its number come again, without our hearing of it.
    counted: Signalled,
}

impl Killed {
    pub(super) fn new() -> Self {
        Self { children: Signalled::new(), counted: Signalled::new() }
    }

    /// As that of `Signalled`.
    pub(super) fn remove(&mut self, pid: Pid) {
        self.children.remove(pid);
        self.counted.remove(pid);
    }
}

/// What a round of the hard loop met.
#[derive(Default, Debug)]
pub(super) struct Round {
    /// Members sent SIGKILL for the first time.
    pub(super) killed: i32,
    /// Members that will go: killed now or before.
    pub(super) going: u32,
    /// Those of them that are below a child that stays.
    pub(super) below: u32,
    /// Children left on purpose.
    pub(super) spared: u32,
    /// Children that the system does not let us kill.
    pub(super) refused: u32,
}

/// Sends SIGKILL to every child of ours that is not spared and none of `others`. A child that was not waited for keeps
/// its pid, so no stranger can be hit; what it started becomes our child when it goes and is met by the next round.
///
/// Not if it stays: the system does not let us kill it, or it hangs in the kernel, which only those suspect who are
/// `impatient`. Then all below it are killed.
pub(super) fn kill_children(
    me: Pid,
    others: &[Pid],
    spare: &SpareList,
    own: &[Group],
    killed: &mut Killed,
    impatient: bool,
) -> Round {
    let mut round = Round::default();
    walk::each_child(me, &mut |pid| {
        if others.contains(&pid) {
            return;
        }
        let mut stays = impatient;
        if killed.children.contains(pid) {
            round.going += 1;
        } else if spare.spares(pid, own) {
            round.spared += 1;
            return;
        } else if rustix::process::kill_process(pid, Signal::KILL).is_err() {
            round.refused += 1;
            stays = true;
        } else {
            round.going += 1;
            killed.children.insert(pid);
            round.killed += i32::from(killed.counted.insert(pid));
        }
        if stays {
            kill_below(pid, spare, own, &mut killed.counted, &mut round);
        }
    });
    round
}

/// Sends SIGKILL to every descendant of a child of ours, but for those that are spared and whoever is below them.
fn kill_below(child: Pid, spare: &SpareList, own: &[Group], counted: &mut Signalled, round: &mut Round) {
    walk::each_member(child, &mut |pid, fd| {
        if spare.spares(pid, own) {
            return false;
        }
        if rustix::process::pidfd_send_signal(fd, Signal::KILL).is_ok() {
            round.going += 1;
            round.below += 1;
            round.killed += i32::from(counted.insert(pid));
        }
        true
    });
}

/// How many of those that are left are named. A front that is stopped reads nothing, and the last report of all has to
/// find room in the socket, which takes 278.
const NAMED: u32 = 100;

/// Reports every child of ours that was left, and who is below one that is not spared.
pub(super) fn each_left(me: Pid, spare: &SpareList, own: &[Group], tell: &mut dyn FnMut(Report)) {
    let mut room = NAMED;
    let mut left = |pid| {
        let (mut name, mut buffer) = ([0; 16], [0; 32]);
        if let Some(comm) = walk::command_name(pid, &mut buffer) {
            let length = comm.len().min(16);
            name[..length].copy_from_slice(&comm[..length]);
        }
        let spared = spare.spares(pid, own);
        if room > 0 {
            room -= 1;
            tell(Report::Left { pid: pid.as_raw_nonzero().get(), spared, name });
        }
        !spared
    };
    walk::each_child(me, &mut |pid| {
        if left(pid) {
            walk::each_member(pid, &mut |pid, _| left(pid));
        }
    });
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn below_a_child_that_stays_all_but_the_spared_and_theirs_are_killed() {
        let script = "timeout --foreground 60 sleep 60 & sleep 60 & wait";
        let mut child = Command::new("sh");
        let mut child = child.args(["-c", script]).stdin(Stdio::null()).process_group(0).spawn().unwrap();
        let root = Pid::from_child(&child);
        let names = || {
            let mut names = Vec::new();
            walk::each_member(root, &mut |pid, _| {
                names.extend(walk::command_name(pid, &mut [0; 32]).map(<[u8]>::to_vec));
                true
            });
            names.sort();
            names.join(&b' ')
        };
        crate::testing::eventually("all run", || names() == b"sleep sleep timeout");
        let spare = SpareList { always: vec![b"timeout".to_vec()], ..SpareList::default() };
        let mut round = Round::default();
        kill_below(root, &spare, &[], &mut Signalled::new(), &mut round);
        assert_eq!((round.killed, round.going, round.below), (1, 1, 1));
        crate::testing::eventually("one is gone", || names() == b"sleep timeout");
        rustix::process::kill_process_group(root, Signal::KILL).unwrap();
        child.wait().unwrap();
    }
}
