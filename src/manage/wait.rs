//! Waiting until a server is ready. Nothing here starts or stops one.

use std::time::{Duration, Instant};

use crate::error::{Error, Kind};
use crate::event::Event;
use crate::plan::{Port, ServerId};
use crate::registry::{Phase, Record, RecordedExit, Registry};
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
}

/// Waits until the server is ready. One that does not run gets the time `to_appear`; no patience is for ever.
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
    let mut watch = FolderWatch::new(&registry.server(id)).ok();
    let mut ran = false;
    loop {
        let live = registry.is_live(id);
        let record = if live { registry.live_record(id) } else { registry.read(id).ok().flatten() };
        let record = record.map(Box::new);
        ran |= live;
        match record {
            Some(record) if live && wanted(&record) => return Waited::Ready(record),
            record if ran && !live => return Waited::Ended(record),
            record if !live && left(to_appear).is_zero() => return Waited::NeverRan(record),
            record if patience.is_some_and(|patience| left(patience).is_zero()) => {
                return Waited::TimedOut(record);
            }
            _ => {}
        }
        let nap = patience.map_or(LOOK, |patience| left(patience).min(LOOK));
        match &watch {
            Some(watch) => watch.wait(&[], Some(nap)),
            None => {
                std::thread::sleep(nap);
                watch = FolderWatch::new(&registry.server(id)).ok();
            }
        }
    }
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
