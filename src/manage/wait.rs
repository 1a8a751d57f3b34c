//! Waiting until a server is ready. Nothing here starts or stops one.

use std::time::{Duration, Instant};

use crate::error::{Error, Kind};
use crate::event::Event;
use crate::plan::{Port, ServerId};
use crate::registry::{Holder, Phase, Record, RecordedExit, Registry, SUSPENDED, holder_state, is_suspended};
use crate::sys::FolderWatch;

/// How often liveness is looked at: it is a lock, and no file changes with it.
const LOOK: Duration = Duration::from_millis(50);

/// How a wait for readiness ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Waited {
    Ready(Box<Record>),
    /// It ran, and ended before it was ready.
    Ended(Option<Box<Record>>),
    /// It did not run, and was not started within the time given for that. What is known of its last run.
    NeverRan(Option<Box<Record>>),
    TimedOut(Option<Box<Record>>),
    /// The devrun with this pid runs it, and was suspended.
    Suspended(u32),
}

/// Waits until the server is ready. One that does not run, or is on its way out, gets the time `to_appear` once nobody
/// runs it; no patience is for ever.
pub(crate) fn until_ready(
    registry: &Registry,
    id: &ServerId,
    to_appear: Duration,
    patience: Option<Duration>,
) -> Waited {
    let is_ready = |record: &Record| record.state == Phase::Ready && record.healthy != Some(false);
    until(&is_ready, registry, id, to_appear, patience)
}

/// The same until the record of the live server is as wanted.
pub(super) fn until(
    wanted: &dyn Fn(&Record) -> bool,
    registry: &Registry,
    id: &ServerId,
    to_appear: Duration,
    patience: Option<Duration>,
) -> Waited {
    let start = Instant::now();
    let left = |of: Duration| of.saturating_sub(start.elapsed());
    let mut watch = folder(registry, id);
    let (mut ran, mut last_held, mut suspended) = (false, start, None);
    loop {
        let holder = holder_state(registry, id);
        let live = holder.is_some();
        let record = if live { registry.live_record(id) } else { registry.read(id).ok().flatten() };
        let mut record = record.map(Box::new);
        match holder {
            // Without its name on the lock it has only just come, or lets go.
            Some(Holder::Runs) => (ran, suspended) = (ran || registry.live_run(id).is_some(), None),
            Some(Holder::Suspended { pid }) => {
                (ran, suspended) = (true, suspended.or(Some((pid, Instant::now()))));
            }
            Some(Holder::Ends) => {
                // What it says is over.
                record.iter_mut().for_each(|record| record.state = record.state.once_dead());
                suspended = None;
            }
            Some(Holder::Stops | Holder::Drains) => {
                // Of one that failed it can be said why.
                let failed = |record: &Record| record.state == Phase::Crashed;
                (ran, suspended) = (ran || record.as_deref().is_some_and(failed), None);
            }
            None => suspended = None,
        }
        last_held = if live { Instant::now() } else { last_held };
        let is_over = patience.is_some_and(|patience| left(patience).is_zero());
        match (record, suspended) {
            (Some(record), _) if holder == Some(Holder::Runs) && wanted(&record) => {
                return Waited::Ready(record);
            }
            (record, _) if ran && !live => return Waited::Ended(record),
            (record, _) if !live && last_held.elapsed() >= to_appear => {
                return Waited::NeverRan(record);
            }
            (_, Some((pid, since))) if is_over || since.elapsed() >= SUSPENDED => {
                return Waited::Suspended(pid);
            }
            (record, None) if is_over => return Waited::TimedOut(record),
            _ => {}
        }
        let nap = patience.map_or(LOOK, |patience| left(patience).min(LOOK));
        match &watch {
            Some(watch) => watch.wait(&[], Some(nap)),
            None => {
                std::thread::sleep(nap);
                watch = folder(registry, id);
            }
        }
    }
}

/// Its folder, if it has one by now.
fn folder(registry: &Registry, id: &ServerId) -> Option<FolderWatch> {
    FolderWatch::new(&registry.server(id)).ok()
}

impl Waited {
    /// The record of the ready server, or what came in between as an error.
    pub(crate) fn ready(self, name: &str) -> Result<Record, Error> {
        match self {
            Waited::Ready(record) => Ok(*record),
            Waited::Ended(record) => {
                let error = Error::new(Kind::NotRunning, format!("{name} ended before it was ready"))
                    .hint(format!("devrun logs {name}"));
                Err(with_cause(
                    error,
                    record.and_then(|record| record.reason.or(record.exit.map(how_it_ended))),
                ))
            }
            Waited::NeverRan(record) => {
                let error = Error::new(Kind::NotRunning, format!("{name} is not running"))
                    .hint(format!("devrun start {name}"));
                let crashed = record.filter(|record| record.state == Phase::Crashed);
                Err(with_cause(error, crashed.and_then(|record| record.reason)))
            }
            Waited::Suspended(pid) => Err(is_suspended(name, pid)),
            Waited::TimedOut(record) => {
                let error = Error::new(Kind::NotReady, format!("{name} is not ready in time"))
                    .hint(format!("devrun logs {name}"));
                let state = |record: Box<Record>| {
                    record.reason.unwrap_or_else(|| format!("it is {}", record.state.word()))
                };
                Err(with_cause(error, record.map(state)))
            }
        }
    }
}

fn with_cause(error: Error, cause: Option<String>) -> Error {
    match cause {
        Some(cause) => error.cause(cause),
        None => error,
    }
}

/// The event that the server's own devrun told when it became ready.
pub(crate) fn ready_event(record: &Record) -> Event {
    // It may listen on another port than it was given.
    let listens = Port::written_in(&record.url).and_then(|port| port.parse().ok());
    Event::Ready {
        url: record.url.clone(),
        port: listens.unwrap_or(record.port),
        pid: record.leader.map_or(0, |leader| leader.pid),
        ms: record.ready_ms.unwrap_or_default(),
    }
}

/// `status 1`, `signal 9`.
pub(crate) fn how_it_ended(exit: RecordedExit) -> String {
    match exit {
        RecordedExit::Code(code) => format!("status {code}"),
        RecordedExit::Signal(signal) => format!("signal {signal}"),
    }
}
