//! What a run has of the machine besides its processes: the claim on the server, the ports, the record. Lost
//! bookkeeping never ends a run: it is a warning, said once.

use std::path::PathBuf;

use crate::error::Error;
use crate::event::{Event, Exit, StopCause};
use crate::lifecycle::Retry;
use crate::plan::{Plan, Port, PortSet};
use crate::ports::{self, Leases};
use crate::registry::{Claim, Claiming, Phase, Record, Registry, end_ghosts, end_run, new_run_id};
use crate::spare;
use crate::sys::{self, SpareList, Tree, process};

/// A run's claim, ports and record.
pub(crate) struct Session {
    registry: Option<Registry>,
    claim: Option<Claim>,
    run: String,
    leases: Leases,
    url: String,
    record: Record,
    /// A failed write was said.
    warned: bool,
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
                warn(say, &format!("{error}; the server runs without a record"));
                None
            }
        };
        if let Some(registry) = &registry {
            say_ghosts(registry, plan, say);
        }
        let outer = std::env::var("DEVRUN_ID").ok();
        let mut run = new_run_id();
        let mut claim = None;
        match registry.as_ref().map(|registry| registry.claim(&plan.id, &run)) {
            Some(Ok(Claiming::Ours(ours))) => claim = Some(ours),
            // A devrun in the script that another devrun runs: one server, and the outer one keeps its record.
            Some(Ok(Claiming::Held { run: Some(held), .. })) if Some(&held) == outer.as_ref() => run = held,
            Some(Ok(Claiming::Held { front, .. })) => {
                return Ok(Opened::Held { registry: registry.expect("it was asked"), front });
            }
            Some(Err(error)) => warn(say, &format!("{error}; the server runs without a record")),
            None => {}
        }
        if let Some(warning) = claim.as_ref().and_then(Claim::warning) {
            warn(say, warning);
        }
        let last = claim.as_ref().and_then(Claim::previous).map(Record::ports);
        let leases = ports::acquire(registry.as_ref(), &plan.id, &plan.ports, last.as_ref())?;
        say_busy(&leases, say);
        let url = plan.url(leases.main.port());
        let record = Record::new(plan, &leases.ports(), &url, &run, process::boot_id());
        Ok(Opened::Ours(Box::new(Self { registry, claim, run, leases, url, record, warned: false })))
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

    pub(crate) fn started(&mut self, tree: &Tree, say: &mut dyn FnMut(Event)) {
        self.record.front = process::identity(std::process::id());
        self.record.guard = process::identity(tree.guard());
        self.record.leader = process::identity(tree.leader());
        self.record.enter(Phase::Starting);
        if let Err(error) = self.write()
            && !self.warned
        {
            self.warned = true;
            warn(say, &format!("{error}; the server runs without a record"));
        }
    }

    pub(crate) fn ready(&mut self, url: &str, ms: u64, tree: &Tree) {
        self.url = url.to_string();
        self.record.url = url.to_string();
        self.record.ready_ms = Some(ms);
        self.record.enter(Phase::Ready);
        self.saw_members(tree);
    }

    pub(crate) fn stopping(&mut self) {
        self.record.enter(Phase::Stopping);
        self.write_quietly();
    }

    /// Writes down who belongs to the tree now.
    pub(crate) fn saw_members(&mut self, tree: &Tree) {
        self.record.members =
            process::members(tree.guard()).into_iter().filter_map(process::identity).collect();
        self.write_quietly();
    }

    /// The last record of the run: nobody has to look for its ghosts.
    pub(crate) fn ended(&mut self, exit: Exit, cause: Option<&StopCause>) {
        let asked = !matches!(cause, None | Some(StopCause::LeaderExited));
        let stopped = asked || exit == Exit::Code(0);
        self.record.exit = Some(exit.into());
        self.record.enter(if stopped { Phase::Stopped } else { Phase::Crashed });
        if let Some(claim) = &self.claim
            && let Err(error) = claim.end(&self.record)
        {
            tracing::warn!(target: "devrun::session", %error, "the record could not be written");
        }
    }

    /// The guard was killed: whatever of this run is not below it any more is found by the record.
    pub(crate) fn hunt(&self, spare: &SpareList) {
        if self.claim.is_some() {
            let (ended, left) = end_run(&self.record, &|info| spare.spares_pid(info.pid));
            tracing::info!(target: "devrun::session", ?ended, ?left, "looked for what the guard left");
        }
    }

    pub(crate) fn has_reservation(&self) -> bool {
        self.leases.main.is_reserved()
    }

    /// Whether a process outside this run listens on the port; asked when the tree is empty.
    pub(crate) fn somebody_listens(&self) -> bool {
        sys::listeners().is_ok_and(|all| all.iter().any(|l| l.port == self.port().get()))
    }

    /// Makes the ports fit for another try, and says so.
    pub(crate) fn change_ports(
        &mut self,
        plan: &Plan,
        retry: Retry,
        say: &mut dyn FnMut(Event),
    ) -> Result<(), Error> {
        let reason = match retry {
            Retry::WithoutReservation => {
                self.leases.drop_reservations();
                "the command can't bind over the port's reservation".to_string()
            }
            Retry::NextPort => {
                let taken = self.port();
                // The old lease is still held, so it is not given again.
                self.leases = ports::acquire(self.registry.as_ref(), &plan.id, &plan.ports, None)?;
                self.url = plan.url(self.port());
                format!("port {taken} was taken by another program")
            }
        };
        self.record.port = self.port();
        self.record.url.clone_from(&self.url);
        say(Event::Retrying { reason, port: self.port() });
        Ok(())
    }

    fn write(&self) -> Result<(), Error> {
        self.claim.as_ref().map_or(Ok(()), |claim| claim.write(&self.record))
    }

    fn write_quietly(&self) {
        if let Err(error) = self.write() {
            tracing::warn!(target: "devrun::session", %error, "the record could not be written");
        }
    }
}

fn warn(say: &mut dyn FnMut(Event), text: &str) {
    say(Event::Warning { text: text.to_string(), hint: None });
}

fn say_ghosts(registry: &Registry, plan: &Plan, say: &mut dyn FnMut(Event)) {
    let spare = spare::list(&plan.spare);
    for ghosts in end_ghosts(registry, &|info| spare.spares_pid(info.pid), false) {
        if !ghosts.ended.is_empty() {
            say(Event::GhostsEnded { name: ghosts.name.clone(), pids: ghosts.ended });
        }
        if !ghosts.left.is_empty() {
            let pids: Vec<String> = ghosts.left.iter().map(u32::to_string).collect();
            warn(
                say,
                &format!(
                    "a crash of {} left processes that can't be ended: {}",
                    ghosts.name,
                    pids.join(", ")
                ),
            );
        }
    }
}

fn say_busy(leases: &Leases, say: &mut dyn FnMut(Event)) {
    if let Some(busy) = &leases.busy {
        say(Event::PortBusy { wanted: busy.wanted, got: leases.main.port(), holder: busy.holder.clone() });
    }
}
