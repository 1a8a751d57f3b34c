//! The record of one server as it stands on disk. Data and its checking only: nothing here reads or writes it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::redact::redacted;
use super::text::Text;
use crate::event::Exit;
use crate::plan::{Plan, Port, PortSet, ServerId, Spare};
use crate::sys;
use crate::sys::files;
use crate::sys::process::{self, Identity};

/// The version that this devrun writes, and the highest that it reads.
const VERSION: u32 = 1;

/// What is known of a server: its last run, running or over. It outlives the run, which is how ports stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(super) version: u32,
    pub(crate) id: ServerId,
    pub(crate) name: String,
    pub(crate) cwd: Text,
    /// The disk that the folder is on, where disks have numbers.
    #[serde(default)]
    pub(super) device: Option<u64>,
    /// Without the values of arguments that are named like a secret.
    pub(crate) argv: Vec<Text>,
    /// The port leased to it, whatever port it listens on.
    pub(crate) port: Port,
    #[serde(default)]
    pub(crate) extra_ports: BTreeMap<String, Port>,
    /// Where it answers.
    pub(crate) url: String,
    /// devrun's own options, as `Plan::options`, without values that are named like a secret.
    #[serde(default)]
    pub(crate) options: Vec<Text>,
    /// `argv` or `options` held a secret that is not written: it can't be started from here.
    #[serde(default)]
    pub(crate) redacted: bool,
    /// The git branch, if the folder had one when it was started.
    #[serde(default)]
    pub(crate) branch: Option<String>,
    /// Its front is a program that uses the library: that is not devrun's to signal.
    #[serde(default)]
    pub(crate) hosted: bool,
    /// It runs in the background.
    #[serde(default)]
    pub(crate) detached: bool,
    pub(crate) state: Phase,
    /// The value of `DEVRUN_ID` in the environment of the run's processes.
    pub(crate) run: String,
    pub(crate) boot: Option<String>,
    pub(crate) front: Option<Identity>,
    pub(crate) guard: Option<Identity>,
    pub(crate) leader: Option<Identity>,
    /// The sessions in which it runs, by number: the front's, and the guard's where there is a terminal between. Not
    /// known of a run that an older devrun has started.
    #[serde(default)]
    pub(crate) sessions: Vec<u32>,
    /// What is left running when it is ended, likewise.
    #[serde(default)]
    pub(super) spare: Option<Spare>,
    /// Of the last look; a tree changes all the time.
    #[serde(default)]
    pub(crate) members: Vec<Identity>,
    /// Milliseconds since 1970.
    pub(crate) started_at: u64,
    /// Of the last change of the state, likewise.
    pub(crate) changed_at: u64,
    pub(crate) ready_ms: Option<u64>,
    /// `ready_ms` of the last starts, the newest last.
    #[serde(default)]
    pub(crate) startups: Vec<u64>,
    /// How often this run was started again.
    #[serde(default)]
    pub(crate) restarts: u32,
    /// While it waits to be started again: when that will be.
    #[serde(default)]
    pub(crate) next_start_at: Option<u64>,
    /// `Some(false)`: it is ready and does not answer any more. `None`: nobody asks.
    #[serde(default)]
    pub(crate) healthy: Option<bool>,
    /// Why it is unhealthy, waits to be started again, or crashed; in devrun's own words.
    #[serde(default)]
    pub(crate) reason: Option<String>,
    /// The grace period, in milliseconds.
    pub(crate) stop_ms: u64,
    pub(crate) exit: Option<RecordedExit>,
}

/// Where a run is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    Starting,
    Ready,
    Stopping,
    /// It ended, and waits to be started again.
    Backoff,
    /// It was asked to end, or exited with 0.
    Stopped,
    /// It ended by itself, otherwise than with 0, or its devrun was killed.
    Crashed,
}

impl Phase {
    /// The word for it on the terminal and in `--json`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::Ready => "ready",
            Phase::Stopping => "stopping",
            Phase::Backoff => "backoff",
            Phase::Stopped => "stopped",
            Phase::Crashed => "crashed",
        }
    }

    /// What a record in this phase means once its lock is free.
    pub(crate) fn once_dead(self) -> Self {
        match self {
            Phase::Starting | Phase::Ready | Phase::Stopping | Phase::Backoff => Phase::Crashed,
            Phase::Stopped => Phase::Stopped,
            Phase::Crashed => Phase::Crashed,
        }
    }
}

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RecordedExit {
    Code(i32),
    Signal(i32),
}

impl From<Exit> for RecordedExit {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Code(code) => Self::Code(code),
            Exit::Signal(signal) => Self::Signal(signal),
        }
    }
}

/// Why a record can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unusable {
    Damaged(String),
    /// Written by a devrun that knows this version.
    Newer(u32),
}

impl Record {
    /// The first record of a run, before anything was started.
    pub(crate) fn new(plan: &Plan, ports: &PortSet, url: &str, run: &str, boot: Option<String>) -> Self {
        let now = now_ms();
        let (argv, options) = (redacted(&plan.argv), redacted(&plan.options));
        Self {
            version: VERSION,
            id: plan.id.clone(),
            name: plan.name.clone(),
            cwd: Text(plan.cwd.clone().into_os_string()),
            device: files::device(&plan.cwd),
            redacted: argv != plan.argv || options != plan.options,
            argv: argv.into_iter().map(Text).collect(),
            options: options.into_iter().map(Text).collect(),
            branch: plan.branch.clone(),
            hosted: false,
            detached: plan.detached,
            port: ports.main,
            extra_ports: ports.extra.iter().cloned().collect(),
            url: url.to_string(),
            state: Phase::Starting,
            run: run.to_string(),
            boot,
            front: None,
            guard: None,
            leader: None,
            sessions: Vec::new(),
            spare: Some(plan.spare.clone()),
            members: Vec::new(),
            started_at: now,
            changed_at: now,
            ready_ms: None,
            startups: Vec::new(),
            restarts: 0,
            next_start_at: None,
            healthy: None,
            reason: None,
            stop_ms: u64::try_from(plan.stop.timeout.as_millis()).unwrap_or(u64::MAX),
            exit: None,
        }
    }

    /// Notes that this process has started the command under this guard.
    pub(crate) fn started(&mut self, guard: u32, leader: u32) {
        self.front = process::identity(std::process::id());
        self.guard = process::identity(guard);
        self.leader = process::identity(leader);
        self.sessions = process::info(guard).map(|guard| guard.sid).into_iter().collect();
        self.sessions.push(sys::own_session());
        self.sessions.dedup();
        self.enter(Phase::Starting);
        (self.ready_ms, self.reason, self.next_start_at) = (None, None, None);
        self.healthy = None;
    }

    /// Moves the run to another phase, now.
    pub(crate) fn enter(&mut self, state: Phase) {
        self.state = state;
        self.changed_at = now_ms();
    }

    pub(crate) fn folder(&self) -> PathBuf {
        PathBuf::from(&self.cwd.0)
    }

    /// The grace period of the run.
    pub(crate) fn stop_timeout(&self) -> Duration {
        Duration::from_millis(self.stop_ms)
    }

    /// The ports that the run had.
    pub(crate) fn ports(&self) -> PortSet {
        PortSet { main: self.port, extra: self.extra_ports.clone().into_iter().collect() }
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a record has string keys and no failing field")
    }

    /// Reads what `to_json` wrote for this server.
    pub(crate) fn from_json(json: &[u8], id: &ServerId) -> Result<Self, Unusable> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let damaged = |e: serde_json::Error| Unusable::Damaged(e.to_string());
        // Mostly it is one of ours, and is read once.
        let record = serde_json::from_slice::<Self>(json);
        let versioned = || serde_json::from_slice::<Versioned>(json).map(|versioned| versioned.version);
        match record.as_ref().map_or_else(|_| versioned(), |record| Ok(record.version)).map_err(damaged)? {
            VERSION => {}
            newer if newer > VERSION => return Err(Unusable::Newer(newer)),
            other => return Err(Unusable::Damaged(format!("there never was a version {other}"))),
        }
        let record = record.map_err(damaged)?;
        if record.id != *id {
            return Err(Unusable::Damaged(format!("it is the record of another server, {}", record.id.0)));
        }
        Ok(record)
    }
}

/// Milliseconds since 1970, by a clock that can be set back.
pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_a_run_that_ended_well_is_stopped_once_dead() {
        for phase in [Phase::Starting, Phase::Ready, Phase::Stopping, Phase::Crashed] {
            assert_eq!(phase.once_dead(), Phase::Crashed);
        }
        assert_eq!(Phase::Stopped.once_dead(), Phase::Stopped);
    }

    proptest! {
        #![proptest_config(crate::testing::properties())]

        #[test]
        fn a_damaged_record_is_refused_in_words(cut in 0.0..1.0, at in 0.0..1.0, byte: u8, junk: Vec<u8>) {
            let record = crate::registry::test_record(7, "run");
            let json = record.to_json();
            let place = |share: f64| (share * json.len() as f64) as usize;
            prop_assert!(Record::from_json(&json[..place(cut)], &record.id).is_err());
            prop_assert!(Record::from_json(&junk, &record.id).is_err());
            let mut changed = json.clone();
            changed[place(at)] = byte;
            // Whatever is taken for a record is one: it can be written and read again.
            if let Ok(read) = Record::from_json(&changed, &record.id) {
                prop_assert_eq!(Record::from_json(&read.to_json(), &record.id), Ok(read));
            }
        }
    }
}
