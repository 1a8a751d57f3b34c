//! What a run has of the machine besides its processes: the claim on the server, the ports, the record. Lost
//! bookkeeping never ends a run: it is a warning, said once.

mod retry;
mod say;

use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::control::Control;
use crate::error::Error;
use crate::event::{Event, Exit, Left, LeftWhy, Seen, StopCause};
use crate::lifecycle::Ended;
use crate::plan::{Plan, Port, PortSet};
use crate::ports::{self, Leases};
use crate::registry::{Claim, Claiming, Phase, Record, Registry, end_run, new_run_id, now_ms, sweep};
use crate::sys::{self, Tree, process};

/// Of so many last starts the time to readiness is kept.
const STARTUPS: usize = 10;

/// A run's claim, ports and record.
pub(crate) struct Session {
    registry: Option<Registry>,
    claim: Option<Claim>,
    run: String,
    /// It is a part of the run of a devrun around it.
    is_inner: bool,
    leases: Leases,
    url: String,
    record: Record,
    asks_health: bool,
    /// Some of it could not be ended.
    has_left: bool,
    /// A failed write that nobody has been told of.
    unsaid: Option<Error>,
    /// A failed write was said.
    warned: bool,
    /// Servers that are forgotten, since their folder is gone; `None` before they are looked for.
    forgotten: Option<Receiver<Record>>,
}

/// What came of asking for the server.
pub(crate) enum Opened {
    Ours(Box<Session>),
    /// Another run has it.
    Held {
        registry: Registry,
        front: Option<u32>,
    },
}

impl Session {
    /// Ends ghosts, claims the server, leases its ports.
    pub(crate) fn open(plan: &Plan, say: &mut dyn FnMut(Event)) -> Result<Opened, Error> {
        let registry = match Registry::open() {
            Ok(registry) => Some(registry),
            Err(error) => {
                say::warn(say, &format!("{error}; the server runs without a record"));
                None
            }
        };
        if let Some(registry) = &registry {
            say::ghosts(registry, say);
        }
        let outer = std::env::var("DEVRUN_ID").ok();
        let mut run = new_run_id();
        let (mut claim, mut is_inner) = (None, false);
        match registry.as_ref().map(|registry| registry.claim(&plan.id, &run, &plan.spare)) {
            Some(Ok(Claiming::Ours(ours))) => claim = Some(ours),
            // A devrun in the script that another devrun runs: one server, and the outer one keeps its record.
            Some(Ok(Claiming::Held { run: Some(held), .. })) if Some(&held) == outer.as_ref() => {
                (run, is_inner) = (held, true);
            }
            Some(Ok(Claiming::Held { front, .. })) => {
                return Ok(Opened::Held { registry: registry.expect("it was asked"), front });
            }
            Some(Err(error)) => say::warn(say, &format!("{error}; the server runs without a record")),
            None => {}
        }
        if let Some(warning) = claim.as_ref().and_then(Claim::warning) {
            say::warn(say, warning);
        }
        let last = claim.as_ref().and_then(Claim::previous).map(Record::ports);
        let leases = ports::acquire(registry.as_ref(), &plan.id, &plan.ports, last.as_ref())
            .inspect_err(|_| claim.iter().for_each(Claim::forget))?;
        say::busy(&leases, say);
        let url = plan.url(leases.main.port());
        let mut record = Record::new(plan, &leases.ports(), &url, &run, process::boot_id());
        if let Some(previous) = claim.as_ref().and_then(Claim::previous) {
            record.startups.clone_from(&previous.startups);
        }
        Ok(Opened::Ours(Box::new(Self {
            registry,
            claim,
            run,
            is_inner,
            leases,
            url,
            record,
            asks_health: plan.health.is_some(),
            has_left: false,
            unsaid: None,
            warned: false,
            forgotten: None,
        })))
    }

    /// The control socket of this run, if it has a claim to put it under; requests go to `stop`.
    pub(crate) fn serve(&self, stop: UnboundedSender<StopCause>) -> Option<Control> {
        let registry = self.registry.as_ref().filter(|_| self.claim.is_some())?;
        Control::serve(registry, &self.record.id, &self.run, stop)
            .inspect_err(
                |error| tracing::warn!(target: "devrun::session", %error, "there is no control socket"),
            )
            .ok()
    }

    pub(crate) fn run_id(&self) -> &str {
        &self.run
    }

    pub(crate) fn port(&self) -> Port {
        self.leases.main.port()
    }

    pub(crate) fn port_set(&self) -> PortSet {
        self.leases.ports()
    }

    /// Where the server will answer, or does.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The server's log, if there is a claim to write it under.
    pub(crate) fn log_file(&self) -> Option<PathBuf> {
        let registry = self.registry.as_ref().filter(|_| self.claim.is_some())?;
        Some(registry.server(&self.record.id).join("log"))
    }

    /// What the guard holds until the tree is empty: the lock of the server, its leases and reservations.
    pub(crate) fn held(&self) -> std::io::Result<Vec<sys::Held>> {
        let lock = self.claim.iter().map(|claim| claim.lock().try_clone().map(sys::Held::from));
        lock.chain(self.leases.held()).collect()
    }

    /// `hosted`: this process is a program that uses the library.
    pub(crate) fn started(&mut self, tree: &Tree, hosted: bool, say: &mut dyn FnMut(Event)) {
        self.record.hosted = hosted;
        self.record.started(tree.guard(), tree.leader());
        self.write();
        self.say_news(say);
        if let Some(registry) = self.registry.as_ref().filter(|_| self.forgotten.is_none()) {
            self.forgotten = Some(sweep(registry));
        }
    }

    /// Says what came up beside the run: warns once that the record on disk is not this run's, or not of now, and
    /// names the servers that were forgotten.
    pub(crate) fn say_news(&mut self, say: &mut dyn FnMut(Event)) {
        if let Some(error) = self.unsaid.take()
            && !self.warned
        {
            self.warned = true;
            say::warn(say, &format!("{error}; the server runs without a record"));
        }
        say::forgotten(self.forgotten.iter().flat_map(Receiver::try_iter), say);
    }

    /// Whoever hears that it is ready, and looks, finds it so: this is before it is said. Who belongs to it is written
    /// down after that, by `saw_members`.
    pub(crate) fn ready(&mut self, url: &str, ms: u64) {
        self.url = url.to_string();
        self.record.url = url.to_string();
        self.record.ready_ms = Some(ms);
        self.record.startups.push(ms);
        let more = self.record.startups.len().saturating_sub(STARTUPS);
        self.record.startups.drain(..more);
        self.record.healthy = self.asks_health.then_some(true);
        self.record.enter(Phase::Ready);
        self.write();
    }

    /// It does not answer any more, or with `None` it does again.
    pub(crate) fn health(&mut self, hung: Option<Seen>) {
        self.record.healthy = Some(hung.is_none());
        self.record.reason = hung.map(|seen| seen.in_words());
        self.record.changed_at = now_ms();
        self.write();
    }

    /// The tree is empty, and another one will take its place after this time.
    pub(crate) fn waits(&mut self, after: Duration, reason: &str) {
        self.record.restarts += 1;
        self.record.reason = Some(reason.to_string());
        self.record.next_start_at = Some(now_ms() + u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        self.record.members.clear();
        self.record.enter(Phase::Backoff);
        self.write();
    }

    pub(crate) fn restarts(&self) -> u32 {
        self.record.restarts
    }

    pub(crate) fn stopping(&mut self) {
        self.record.enter(Phase::Stopping);
        self.write();
    }

    /// Writes down who belongs to the tree now, if that has changed.
    pub(crate) fn saw_members(&mut self, tree: &Tree) {
        let members = process::members(tree.guard()).into_iter().filter_map(process::identity).collect();
        if self.record.members != members {
            self.record.members = members;
            self.write();
        }
    }

    /// The last record of the run: nobody has to look for its ghosts.
    pub(crate) fn ended(&mut self, ended: &Ended, error: Option<&Error>) {
        let stopped = error.is_none() && (ended.for_good || ended.exit == Exit::Code(0));
        self.record.exit = Some(ended.exit.into());
        self.record.reason = match (stopped, error) {
            (true, _) => None,
            (false, Some(error)) => Some(error.what().to_string()),
            (false, None) => Some(format!("it ended by itself ({})", ended.exit)),
        };
        self.record.next_start_at = None;
        self.close(if stopped { Phase::Stopped } else { Phase::Crashed });
    }

    /// It was asked to stop before its command was started: the record stays that of the run before.
    pub(crate) fn not_started(&self) {
        if let Some(claim) = &self.claim {
            claim.forget();
        }
    }

    /// It could not be started once more.
    pub(crate) fn failed(&mut self, error: &Error) {
        self.record.reason = Some(error.what().to_string());
        self.close(Phase::Crashed);
    }

    fn close(&mut self, phase: Phase) {
        self.record.enter(phase);
        // Whoever is left is looked for once more by the next start.
        let end = if self.has_left { Claim::write } else { Claim::end };
        if let Some(claim) = &self.claim
            && let Err(error) = end(claim, &self.record)
        {
            tracing::warn!(target: "devrun::session", %error, "the record could not be written");
        }
    }

    /// The guard was killed: whatever of this run is not below it any more is found by the record. Who has ended.
    pub(crate) fn hunt(&mut self) -> (Vec<u32>, Vec<Left>) {
        if self.is_inner {
            return Default::default();
        }
        let found = end_run(&self.record);
        self.has_left = !found.left.is_empty();
        let unkillable = found.left.iter().map(|identity| (identity, LeftWhy::Unkillable));
        let all = unkillable.chain(found.spared.iter().map(|identity| (identity, LeftWhy::Spared)));
        let name = |pid| process::info(pid).map_or_else(String::new, |info| info.name);
        let left = all.map(|(who, why)| Left { pid: who.pid, name: name(who.pid), why }).collect();
        (found.ended, left)
    }

    /// The sessions in which it runs.
    pub(crate) fn sessions(&self) -> &[u32] {
        &self.record.sessions
    }

    pub(crate) fn has_reservation(&self) -> bool {
        self.leases.main.is_reserved()
    }

    /// Whether a process outside this run listens on the port; asked when the tree is empty.
    pub(crate) fn somebody_listens(&self) -> bool {
        sys::listeners().is_ok_and(|all| all.iter().any(|l| l.port == self.port().get()))
    }

    fn write(&mut self) {
        self.unsaid = self.claim.as_ref().and_then(|claim| claim.write(&self.record).err());
        if let Some(error) = &self.unsaid {
            tracing::warn!(target: "devrun::session", %error, "the record could not be written");
        }
    }
}
