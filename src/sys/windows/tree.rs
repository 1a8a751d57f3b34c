//! A running command and all that it starts, as a job. Whatever becomes of this process, the kernel ends the tree.
//! Nothing here asks a single process to end: Windows has no signals, only the keys of a console.

use std::io;
use std::os::windows::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use windows_sys::Win32::System::Threading::{CREATE_NEW_PROCESS_GROUP, CREATE_SUSPENDED};

use super::job::Job;
use super::signals::{KILLED, press_break};
use crate::sys::types::{SpareList, Spawn, SpawnError, TreeEvent};

/// How long the job is left unasked when it tells nothing.
const UNTOLD: Duration = Duration::from_millis(500);

/// The exit code of what is ended, as taskkill has it.
const ENDED: u32 = 1;

/// A running command and all that it starts. Dropping it ends the tree at once.
#[derive(Debug)]
pub(crate) struct Tree {
    shared: Arc<Shared>,
    leader: u32,
    own_group: bool,
    events: UnboundedReceiver<TreeEvent>,
    /// When what is left is ended; `None` also after a stop whose grace period is longer than time goes.
    deadline: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Shared {
    job: Job,
    killed: AtomicU32,
    leader_killed: AtomicBool,
}

impl Shared {
    fn end(&self, leader: u32) {
        let members = self.job.members().unwrap_or_default();
        self.leader_killed.fetch_or(members.contains(&leader), Ordering::Relaxed);
        self.killed.fetch_add(u32::try_from(members.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.job.terminate(ENDED);
    }
}

impl Tree {
    /// Starts the command in a job of its own. `orphaned` and `spare` have no meaning here: the kernel ends the
    /// tree when this process is gone, all of it and at once.
    pub(crate) fn spawn(spawn: Spawn) -> Result<Self, SpawnError> {
        if !spawn.cwd.is_dir() {
            return Err(SpawnError::Folder(io::ErrorKind::NotADirectory.into()));
        }
        let Spawn {
            program,
            argv,
            environment,
            cwd,
            own_group,
            outputs,
            hold,
            spare: _,
            orphaned: _,
            terminal,
            pty: _,
        } = spawn;
        let mut command = Command::new(program);
        command.args(argv.get(1..).unwrap_or_default()).env_clear().envs(environment).current_dir(cwd);
        command.creation_flags(CREATE_SUSPENDED | if own_group { CREATE_NEW_PROCESS_GROUP } else { 0 });
        let [out, err] = outputs;
        if let Some(out) = out {
            command.stdout(Stdio::from(out));
        }
        if let Some(err) = err {
            command.stderr(Stdio::from(err));
        }
        let mut child = command.spawn().map_err(SpawnError::Execute)?;
        drop(command); // and with it our copies of the streams
        let job = match Job::of(&child) {
            Ok(job) => job,
            Err(error) => {
                let _ = child.kill();
                return Err(SpawnError::System(error));
            }
        };
        let leader = child.id();
        let shared =
            Arc::new(Shared { job, killed: AtomicU32::new(0), leader_killed: AtomicBool::new(false) });
        let (tell, events) = unbounded_channel();
        let watching = shared.clone();
        let watch = move || {
            // A process handle is waited for without a limit: an idle tree costs nothing.
            let code = child.wait().ok().and_then(|status| status.code());
            watch(&watching, code, &tell);
            if let Some(terminal) = terminal {
                terminal.restore();
            }
            drop(hold);
            let _ = tell.send(empty(&watching));
        };
        std::thread::Builder::new().name("tree".into()).spawn(watch).map_err(SpawnError::System)?;
        Ok(Self { shared, leader, own_group, events, deadline: Mutex::new(None) })
    }

    /// The pid of the command.
    pub(crate) fn leader(&self) -> u32 {
        self.leader
    }

    /// By what `process::members` finds the members of the tree: the leader, after which the job is named.
    pub(crate) fn guard(&self) -> u32 {
        self.leader
    }

    /// The next thing that becomes of the tree. After `Empty` it never returns. Cancel-safe.
    pub(crate) async fn next(&mut self) -> TreeEvent {
        loop {
            let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
            let expired = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => return event,
                    None => std::future::pending().await,
                },
                () = expired => self.kill(),
            }
        }
    }

    /// Asks the tree to end, as far as there is a way, and ends what is left after the grace period.
    ///
    /// `spare_foreground`: Ctrl-C was typed, and every process of the console has heard of it. Otherwise Ctrl-Break
    /// reaches a command that leads a process group of its own and shares our console. Who can't be asked is
    /// ended at once: nothing would change in the grace period.
    pub(crate) fn stop(&self, signal: i32, grace: Duration, spare_foreground: bool) {
        let asked = spare_foreground || (self.own_group && press_break(self.leader).is_ok());
        if signal == KILLED || !asked {
            return self.kill();
        }
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now().checked_add(grace);
    }

    /// Nothing is stopped by a terminal here.
    pub(crate) fn resume(&self) {}

    /// Ends every member now.
    pub(crate) fn kill(&self) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.shared.end(self.leader);
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // The thread holds the job too, so its close would not come.
        self.shared.job.terminate(ENDED);
    }
}

/// Tells of the leader's end, then waits until the job is empty.
fn watch(shared: &Shared, code: Option<i32>, tell: &UnboundedSender<TreeEvent>) {
    let _ = tell.send(match code {
        Some(code) if !shared.leader_killed.load(Ordering::Relaxed) => TreeEvent::LeaderExited(code),
        Some(_) | None => TreeEvent::LeaderSignalled(KILLED),
    });
    while shared.job.members().is_ok_and(|members| !members.is_empty()) {
        shared.job.wait(UNTOLD);
    }
}

fn empty(shared: &Shared) -> TreeEvent {
    TreeEvent::Empty { killed: shared.killed.load(Ordering::Relaxed), left: Vec::new() }
}

impl SpareList {
    /// Never: a process can't be let out of a job, so nothing in one can be left running.
    pub(crate) fn spares_pid(&self, _pid: u32, _sessions: &[u32]) -> bool {
        false
    }
}

/// The kernel ends a job whose owner is gone: nobody's orphans have to be adopted.
pub(crate) fn adopt_orphans() {}

/// There are none: the kernel looks after a tree.
pub(crate) fn living_guards() -> Vec<u32> {
    Vec::new()
}

/// There is no guard that could be lost.
pub(crate) fn end_adopted(_spare: &SpareList, _sessions: &[u32]) -> u32 {
    0
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
