//! The front's side: forks the guard, hears what becomes of the tree, tells the guard when to end it. How the
//! tree is ended stands in `guard`; when, above.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};
use rustix::process::{Pid, WaitOptions};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::exec::Prepared;
use super::fork;
use super::wire::{self, Order, Report, Step};
use crate::sys::types::{Spawn, SpawnError, TreeEvent};

/// The guards of this process that nobody has waited for: their pids are their own.
static GUARDS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

fn all_guards() -> MutexGuard<'static, Vec<Pid>> {
    GUARDS.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn guards() -> Vec<Pid> {
    all_guards().clone()
}

/// The guards of this process: whoever is below one is looked after.
pub(crate) fn living_guards() -> Vec<u32> {
    all_guards().iter().map(|guard| guard.as_raw_nonzero().get().unsigned_abs()).collect()
}

/// It is being waited for, or was.
pub(super) fn forget_guard(pid: Pid) {
    all_guards().retain(|guard| *guard != pid);
}

/// A running command and all that it starts. Dropping it closes the line to the guard, which then ends the tree
/// by itself, after the grace period at the latest.
#[derive(Debug)]
pub(crate) struct Tree {
    socket: AsyncFd<OwnedFd>,
    guard: Pid,
    leader: Pid,
    left: Vec<(u32, bool, String)>,
    over: bool,
}

impl Tree {
    /// Starts the command. Must be called in a tokio runtime with I/O.
    ///
    /// The guard is a fork without exec. Between fork and exec, and in the guard for all of its life, only
    /// async-signal-safe calls are made, so it does not matter which threads the program has.
    pub(crate) fn spawn(spawn: Spawn) -> Result<Self, SpawnError> {
        let (ours, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(system)?;
        let prepared = Prepared::new(&spawn.program, &spawn.argv, &spawn.environment, &spawn.cwd)
            .map_err(SpawnError::Execute)?;
        let guard = fork::fork_guard(&spawn, &prepared, theirs, &ours).map_err(SpawnError::System)?;
        all_guards().push(guard);
        let first = wire::receive(&ours, RecvFlags::empty()).map_err(system)?;
        let leader = match first.as_ref().and_then(Report::decode) {
            Some(Report::Started { leader }) => Pid::from_raw(leader),
            Some(Report::Failed { errno, step }) => {
                wait_for(guard);
                let error = io::Error::from_raw_os_error(errno);
                return Err(match step {
                    Step::Fork => SpawnError::System(error),
                    Step::Folder => SpawnError::Folder(error),
                    Step::Execute => SpawnError::Execute(error),
                });
            }
            _ => None,
        };
        let Some(leader) = leader else {
            wait_for(guard);
            return Err(SpawnError::System(io::Error::other(
                "the guard ended before it could start the command",
            )));
        };
        rustix::io::ioctl_fionbio(&ours, true).map_err(system)?;
        // SAFETY: the socket is owned by what it is registered with, and nobody replaces it there.
        let socket = unsafe { AsyncFd::register_with_interest(ours, Interest::READABLE) }
            .map_err(|error| SpawnError::System(error.into()))?;
        Ok(Self { socket, guard, leader, left: Vec::new(), over: false })
    }

    /// The pid of the command.
    pub(crate) fn leader(&self) -> u32 {
        self.leader.as_raw_nonzero().get().unsigned_abs()
    }

    /// The pid of the guard: its descendants are the members of the tree.
    pub(crate) fn guard(&self) -> u32 {
        self.guard.as_raw_nonzero().get().unsigned_abs()
    }

    /// The next thing that becomes of the tree. After `Empty` or `GuardLost` it never returns. Cancel-safe.
    pub(crate) async fn next(&mut self) -> TreeEvent {
        while !self.over {
            let received = self
                .socket
                .async_io(Interest::READABLE, |socket| {
                    wire::receive(socket, RecvFlags::DONTWAIT).map_err(io::Error::from)
                })
                .await;
            match received.ok().flatten() {
                Some(bytes) => {
                    if let Some(event) = Report::decode(&bytes).and_then(|report| self.event(report)) {
                        return event;
                    }
                }
                None => {
                    self.over = true;
                    wait_for(self.guard);
                    return TreeEvent::GuardLost;
                }
            }
        }
        std::future::pending().await
    }

    fn event(&mut self, report: Report) -> Option<TreeEvent> {
        match report {
            Report::Exited { code } => Some(TreeEvent::LeaderExited(code)),
            Report::Signalled { signal } => Some(TreeEvent::LeaderSignalled(signal)),
            // SIGSTOP is no job control: whoever sent it means that one process.
            Report::Stopped { signal } => (signal != libc::SIGSTOP).then_some(TreeEvent::LeaderStopped),
            Report::Blind => Some(TreeEvent::Blind),
            Report::Scans => Some(TreeEvent::Scans),
            Report::Left { pid, spared, name } => {
                let name = String::from_utf8_lossy(&name).trim_end_matches('\0').to_string();
                self.left.push((pid.unsigned_abs(), spared, name));
                None
            }
            Report::Empty { killed } => {
                self.over = true;
                wait_for(self.guard);
                Some(TreeEvent::Empty { killed: killed.unsigned_abs(), left: std::mem::take(&mut self.left) })
            }
            Report::Started { .. } | Report::Failed { .. } => None,
        }
    }

    /// Asks every member to end with this signal and kills what is left after the grace period.
    /// `spare_foreground`: the members in the terminal's foreground process group have had the signal from it.
    pub(crate) fn stop(&self, signal: i32, grace: Duration, spare_foreground: bool) {
        let grace_ms = grace.as_millis().try_into().unwrap_or(i32::MAX);
        wire::send(self.socket.get_ref(), &Order::Stop { signal, grace_ms, spare_foreground }.encode());
    }

    /// Lets the command's process group go on that its terminal stopped.
    pub(crate) fn resume(&self) {
        wire::send(self.socket.get_ref(), &Order::Continue.encode());
    }

    /// Kills every member now.
    pub(crate) fn kill(&self) {
        wire::send(self.socket.get_ref(), &Order::Kill.encode());
    }
}

fn system(error: Errno) -> SpawnError {
    SpawnError::System(error.into())
}

fn wait_for(guard: Pid) {
    forget_guard(guard);
    let _ = rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(guard), WaitOptions::empty()));
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
