//! Whether whoever holds a server's lock can answer at all. Nothing here waits for an answer.

use std::time::Duration;

use super::claim::held_by;
use super::record::Phase;
use super::store::Registry;
use crate::error::{Error, Kind};
use crate::plan::ServerId;
use crate::sys::files::{self, Access};
use crate::sys::lock;
use crate::sys::process::{self, Identity, Process};

/// In which state the holder of a lock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// It runs, or cannot be told yet.
    Runs,
    /// It was asked to stop, or to start again, and ends its tree; or that is done, and it is about to let go.
    Stops,
    /// It was suspended (SIGSTOP, Ctrl-Z) and does nothing before it is continued.
    Suspended { pid: u32 },
    /// Its front is dead and its guard ends the tree: what the record says is over.
    Ends,
    /// Nobody of its tree is left. Its front waits for a reader of the output.
    Drains,
}

/// A devrun that is seen suspended for so long is not waited for.
pub(crate) const SUSPENDED: Duration = Duration::from_millis(1500);

/// Why nobody waits for the server of this name.
pub(crate) fn is_suspended(name: &str, pid: u32) -> Error {
    Error::new(Kind::Internal, format!("{name} is held by a devrun that is stopped (pid {pid})"))
        .cause("a process that is stopped, by Ctrl-Z or a debugger, does not go on by itself")
        .hint(format!("kill -CONT {pid}"))
}

/// The state of the server's front, or where that is dead, of its guard; `None` while nobody holds the lock.
pub(crate) fn holder_state(registry: &Registry, id: &ServerId) -> Option<Holder> {
    let file = files::open_regular(&registry.server(id).join("lock"), Access::Read).ok()?;
    if !lock::is_locked(&file).unwrap_or(false) {
        return None;
    }
    let (run, front) = held_by(&file);
    let record = registry.peek(id).ok().flatten().filter(|record| Some(&record.run) == run.as_ref());
    // Before its first record a run is known by the pid in the lock alone.
    let phase = record.as_ref().map(|record| record.state);
    let recorded = record.map(|record| [record.front, record.guard]);
    let identities = recorded.unwrap_or_else(|| [front.and_then(process::identity), None]);
    let [front_is_dead, guard_is_dead] = identities.map(|identity| {
        identity.is_some_and(|identity| match Process::open(&identity) {
            Ok(found) => found.is_none_or(|found| !found.is_alive()),
            Err(_) => false,
        })
    });
    let living = identities.into_iter().flatten().find_map(|identity| state(&identity));
    Some(match living {
        Some((pid, 'T' | 't')) => Holder::Suspended { pid },
        Some(_) | None if front_is_dead => Holder::Ends,
        Some(_) | None => match phase {
            Some(Phase::Stopping) if guard_is_dead => Holder::Drains,
            Some(Phase::Stopping | Phase::Stopped | Phase::Crashed) => Holder::Stops,
            Some(Phase::Starting | Phase::Ready | Phase::Backoff) | None => Holder::Runs,
        },
    })
}

/// The pid and state of exactly this process while it lives.
fn state(identity: &Identity) -> Option<(u32, char)> {
    let process = Process::open(identity).ok().flatten()?;
    let info = process::info(identity.pid)?;
    process.is_alive().then_some((info.pid, info.state))
}

#[cfg(test)]
mod tests {
    use super::super::store::tests::{record, registry};
    use super::*;
    use crate::plan::Spare;
    use crate::registry::{Claiming, Phase, Record};
    use std::process::{Command, Stdio};

    #[test]
    fn a_suspended_front_is_named_and_a_suspended_guard_once_the_front_is_dead() {
        if !cfg!(unix) {
            return; // no process is suspended there
        }
        let (_folder, registry) = registry();
        let id = record(7, "aa").id;
        assert_eq!(holder_state(&registry, &id), None);
        let Claiming::Ours(claim) = registry.claim(&id, "aa", &Spare::default()).unwrap() else {
            panic!("held")
        };
        assert_eq!(holder_state(&registry, &id), Some(Holder::Runs), "this process, by the lock alone");
        let start = || Command::new("sleep").arg("300").stdin(Stdio::null()).spawn().unwrap();
        let mut both = [start(), start()];
        let [front, guard] = both.each_ref().map(|child| process::identity(child.id()));
        claim.write(&Record { state: Phase::Ready, front, guard, ..record(7, "aa") }).unwrap();
        assert_eq!(holder_state(&registry, &id), Some(Holder::Runs));
        for state in [Phase::Stopping, Phase::Stopped, Phase::Crashed] {
            claim.write(&Record { state, front, guard, ..record(7, "aa") }).unwrap();
            assert_eq!(holder_state(&registry, &id), Some(Holder::Stops));
        }
        claim.write(&Record { state: Phase::Ready, front, guard, ..record(7, "aa") }).unwrap();
        for (child, once_dead) in both.iter_mut().zip(["its guard is left", "nobody that is known lives"]) {
            let stop = Command::new("kill").args(["-STOP", &child.id().to_string()]).status();
            assert!(stop.unwrap().success());
            let suspended = Some(Holder::Suspended { pid: child.id() });
            crate::testing::eventually("suspended", || holder_state(&registry, &id) == suspended);
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(holder_state(&registry, &id), Some(Holder::Ends), "{once_dead}");
        }
    }
}
