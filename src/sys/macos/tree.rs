//! A running command and all that it starts. Two threads of this process look after it: one waits for the command,
//! one ends the tree when it is told to or when the `Tree` is dropped. When this process is killed, the guard ends it.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitOptions, waitpid};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::end::Family;
use super::guard::Guard;
use super::kernel;
use crate::sys::Held;
use crate::sys::types::{Spawn, SpawnError, TreeEvent};
use crate::sys::unix::group::own_group;

/// How long the hard rounds go on before what does not die is named.
pub(super) const HARD_LIMIT: Duration = Duration::from_secs(3);

/// How often a tree that is ending, and one without its leader, is looked at. A running one is never.
pub(super) const ENDING: Duration = Duration::from_millis(5);
const LEADERLESS: Duration = Duration::from_millis(200);

/// By what the members of a tree are known.
#[derive(Debug, Clone)]
pub(super) struct Known {
    leader: u32,
    /// The unique id of the leader; `None` if it had ended before it could be asked for.
    pub(super) id: Option<u64>,
    /// The `DEVRUN_ID` of the members.
    pub(super) run: Option<String>,
}

/// The trees of this process: the kernel tells nothing of a leader any more once that was waited for, and its members
/// may live on.
static TREES: Mutex<Vec<Known>> = Mutex::new(Vec::new());

fn all_trees() -> MutexGuard<'static, Vec<Known>> {
    TREES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known of the tree of this process that has this leader.
pub(super) fn led_by(leader: u32) -> Option<Known> {
    all_trees().iter().find(|tree| tree.leader == leader).cloned()
}

/// A running command and all that it starts. Dropping it ends the tree, after the grace period at the latest.
#[derive(Debug)]
pub(crate) struct Tree {
    leader: u32,
    orders: Sender<Order>,
    events: UnboundedReceiver<TreeEvent>,
}

#[derive(Debug)]
enum Order {
    Stop {
        signal: i32,
        grace: Duration,
        skip_group: Option<u32>,
    },
    Kill,
    /// Nobody holds the tree any more.
    Dropped,
    LeaderGone,
}

impl Tree {
    /// Starts the command.
    pub(crate) fn spawn(spawn: Spawn) -> Result<Self, SpawnError> {
        if !spawn.cwd.is_dir() {
            return Err(SpawnError::Folder(io::ErrorKind::NotADirectory.into()));
        }
        let run = spawn.environment.iter().find(|(name, _)| name == "DEVRUN_ID");
        let run = run.and_then(|(_, value)| value.to_str()).map(str::to_owned);
        let mut command = Command::new(&spawn.program);
        command
            .args(spawn.argv.get(1..).unwrap_or_default())
            .env_clear()
            .envs(spawn.environment)
            .current_dir(&spawn.cwd);
        if let Some(name) = spawn.argv.first() {
            command.arg0(name);
        }
        if spawn.own_group {
            command.process_group(0);
        }
        let [out, err] = spawn.outputs;
        if let Some(out) = out {
            command.stdout(Stdio::from(out));
        }
        if let Some(err) = err {
            command.stderr(Stdio::from(err));
        }
        let mut family = Family::new(run.as_deref(), spawn.spare.clone());
        let guards = Family::new(run.as_deref(), spawn.spare);
        // Before there is a command. Should this process die before the guard has heard who leads, it finds the
        // tree by its environment.
        let guard = Guard::start(guards, spawn.orphaned, &spawn.hold, spawn.terminal.as_ref())
            .map_err(SpawnError::System)?;
        let leader = command.spawn().map_err(SpawnError::Execute)?.id();
        drop(command); // and with it our copies of the streams
        // Nobody has waited for it yet: the pid is the leader's.
        let birth = kernel::birth(leader);
        if let Some(birth) = birth {
            family.join(birth.id);
            guard.tell_leader(birth);
        }
        all_trees().push(Known { leader, id: birth.map(|birth| birth.id), run });
        let (tell, events) = unbounded_channel();
        let (orders, received) = channel();
        let keeper = Keeper {
            leader,
            family,
            orders: received,
            tell: tell.clone(),
            orphaned: spawn.orphaned,
            guard,
            hold: spawn.hold,
        };
        let gone = orders.clone();
        let start = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.into()).spawn(run).map_err(SpawnError::System)
        };
        start("tree", Box::new(move || keeper.run()))?;
        start("leader", Box::new(move || wait_for_leader(leader, &tell, &gone)))?;
        Ok(Self { leader, orders, events })
    }

    /// The pid of the command.
    pub(crate) fn leader(&self) -> u32 {
        self.leader
    }

    /// By whom `process::members` finds the members of the tree: the leader.
    pub(crate) fn guard(&self) -> u32 {
        self.leader
    }

    /// The next thing that becomes of the tree. After `Empty` it never returns. Cancel-safe.
    pub(crate) async fn next(&mut self) -> TreeEvent {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    /// Asks every member to end with this signal and kills what is left after the grace period.
    /// `spare_foreground`: the members in our own process group have had the signal from the terminal.
    pub(crate) fn stop(&self, signal: i32, grace: Duration, spare_foreground: bool) {
        let group = own_group().cast_unsigned();
        let _ =
            self.orders.send(Order::Stop { signal, grace, skip_group: spare_foreground.then_some(group) });
    }

    /// Nothing is stopped by a terminal of its own here.
    pub(crate) fn resume(&self) {}

    /// Kills every member now.
    pub(crate) fn kill(&self) {
        let _ = self.orders.send(Order::Kill);
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // The thread that waits for the leader has a sender too, so a hang-up would not come.
        let _ = self.orders.send(Order::Dropped);
    }
}

/// Waits for the command and tells what becomes of it.
fn wait_for_leader(leader: u32, tell: &UnboundedSender<TreeEvent>, gone: &Sender<Order>) {
    let Some(pid) = i32::try_from(leader).ok().and_then(Pid::from_raw) else { return };
    loop {
        match rustix::io::retry_on_intr(|| waitpid(Some(pid), WaitOptions::UNTRACED)) {
            Ok(Some((_, status))) if status.stopped() => drop(tell.send(TreeEvent::LeaderStopped)),
            Ok(Some((_, status))) => {
                let event = match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => TreeEvent::LeaderExited(code),
                    (None, signal) => TreeEvent::LeaderSignalled(signal.unwrap_or(libc::SIGKILL)),
                };
                let _ = tell.send(event);
                break;
            }
            Ok(None) => {}
            Err(_) => break, // somebody else waited for it
        }
    }
    let _ = gone.send(Order::LeaderGone);
}

/// How far the end has come.
#[derive(Clone, Copy)]
enum Phase {
    Running,
    /// The stop signal was sent; killing starts then, or never where that is further off than time goes.
    Grace(Option<Instant>),
    /// Killing; what is left then is named.
    Hard(Instant),
}

/// Looks after the tree on a thread of its own.
struct Keeper {
    leader: u32,
    family: Family,
    orders: Receiver<Order>,
    tell: UnboundedSender<TreeEvent>,
    orphaned: (i32, Duration),
    guard: Guard,
    /// Closed when the tree is gone, here and in the guard.
    hold: Vec<Held>,
}

impl Keeper {
    fn run(mut self) {
        let mut phase = Phase::Running;
        let mut leader_gone = false;
        loop {
            // Until the leader was waited for, its status is still to be told.
            if leader_gone && self.family.doomed().is_empty() {
                break;
            }
            match phase {
                Phase::Running => {}
                Phase::Grace(end) if end.is_none_or(|end| Instant::now() < end) => {}
                Phase::Grace(_) => phase = Phase::Hard(Instant::now() + HARD_LIMIT),
                Phase::Hard(end) if Instant::now() < end => {
                    self.family.kill_round();
                }
                Phase::Hard(_) => break,
            }
            let order = match (phase, leader_gone) {
                (Phase::Running, false) => self.orders.recv().map_err(RecvTimeoutError::from),
                (Phase::Running, true) => self.orders.recv_timeout(LEADERLESS),
                (Phase::Grace(_) | Phase::Hard(_), _) => self.orders.recv_timeout(ENDING),
            };
            phase = match order {
                Err(RecvTimeoutError::Timeout) => phase,
                Ok(Order::LeaderGone) => {
                    leader_gone = true;
                    phase
                }
                Ok(Order::Kill) => Phase::Hard(Instant::now() + HARD_LIMIT),
                Ok(Order::Dropped) | Err(RecvTimeoutError::Disconnected) => match phase {
                    Phase::Running => self.stop(self.orphaned.0, self.orphaned.1, None),
                    Phase::Grace(_) | Phase::Hard(_) => phase,
                },
                Ok(Order::Stop { signal, grace, skip_group }) => self.stop(signal, grace, skip_group),
            };
        }
        let (killed, left) = (self.family.killed(), self.family.left());
        all_trees().retain(|tree| tree.leader != self.leader);
        drop((self.guard, self.hold));
        let _ = self.tell.send(TreeEvent::Empty { killed, left });
    }

    fn stop(&mut self, signal: i32, grace: Duration, skip_group: Option<u32>) -> Phase {
        let now = Instant::now();
        if signal == libc::SIGKILL {
            return Phase::Hard(now + HARD_LIMIT);
        }
        self.family.ask(signal, skip_group);
        Phase::Grace(now.checked_add(grace))
    }
}
