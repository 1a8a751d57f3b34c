//! What the front does when its guard was killed: the tree's members have become the front's own children, since
//! the front is a subreaper too, and it ends them as the guard would have.

use std::time::{Duration, Instant};

use rustix::process::WaitOptions;

use super::ending::{self, IMPATIENT, Killed};
use super::tree;
use crate::sys::SpareList;
use crate::sys::unix::group::Group;

/// How long it goes on before what does not die is left.
const LIMIT: Duration = Duration::from_secs(3);

/// From now on a process whose parents are gone becomes a child of this one, instead of init's
/// (PR_SET_CHILD_SUBREAPER(2const)). For a program that owns its process; a library does not.
pub(crate) fn adopt_orphans() {
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Does this while orphans become init's again. Those of a guard that is killed in these milliseconds are found by
/// the run's record.
pub(in crate::sys) fn without_adopting<T>(action: impl FnOnce() -> T) -> T {
    let before = rustix::process::child_subreaper().unwrap_or_default();
    let _ = rustix::process::set_child_subreaper(None);
    let done = action();
    let _ = rustix::process::set_child_subreaper(before);
    done
}

/// Kills every child of this process that is not spared, and theirs, until none is left, but for guards that live and
/// what is theirs. Returns how many. The tree's own sessions have these numbers.
///
/// Only after a guard's death, and only in a process whose children are guards and what they have left: what else it
/// starts is nobody's child (`start_apart`). Takes milliseconds; three seconds if one does not die.
pub(crate) fn end_adopted(spare: &SpareList, sessions: &[u32]) -> u32 {
    let me = rustix::process::getpid();
    let own: Vec<Group> = sessions.iter().map(|session| session.cast_signed()).collect();
    let mut killed = Killed::new();
    let mut kills = 0;
    let end = Instant::now() + LIMIT;
    while Instant::now() < end {
        while let Ok(Some((pid, _))) = rustix::process::wait(WaitOptions::NOHANG) {
            killed.remove(pid);
            tree::forget_guard(pid);
        }
        let impatient = Instant::now() + IMPATIENT > end;
        let round = ending::kill_children(me, &tree::guards(), spare, &own, &mut killed, impatient);
        if round.going == 0 {
            break;
        }
        kills += round.killed.unsigned_abs();
        std::thread::sleep(Duration::from_millis(1));
    }
    kills
}
