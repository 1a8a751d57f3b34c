//! One server, one run: whoever comes while it runs is led to it, replaces it, or goes beside it, as it wants. A
//! server that is asked for twenty times at once is started once.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;

use crate::control;
use crate::error::{Error, Kind};
use crate::event::{Event, StopCause};
use crate::plan::{IfRunning, Plan};
use crate::registry::{Holder, Phase, Record, Registry, SUSPENDED, holder_state, is_suspended};
use crate::session::{Opened, Session};
use crate::supervise::{Outcome, nothing_started};

/// How often a server that another devrun is starting is looked at: at first, and later.
const LOOK: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));

/// After this time it is said that another devrun is waited for.
const SILENCE: Duration = Duration::from_secs(1);

/// So many servers of one project beside each other.
const BESIDE: u32 = 99;

/// What came of asking for the place.
pub(crate) enum Place {
    /// It is ours; the plan may have got a name with a number.
    Ours(Box<Plan>, Box<Session>),
    /// Another run has it, and we were led there, or gave up.
    Taken(Outcome),
}

/// Gets the place of this server, or leads to whoever has it.
pub(crate) async fn place(
    plan: &Plan,
    stops: &mut UnboundedReceiver<StopCause>,
    say: &mut dyn FnMut(Event),
) -> Result<Place, Error> {
    let mut plan = plan.clone();
    let mut number = 1;
    loop {
        let (registry, front) = match Session::open(&plan, say)? {
            Opened::Ours(session) => return Ok(Place::Ours(Box::new(plan), session)),
            Opened::Held { registry, front } => (registry, front),
        };
        let mut wait = Wait::new(&registry, &plan, front, stops, say);
        let outcome = match plan.if_running {
            IfRunning::Url => wait.for_readiness().await?,
            IfRunning::Replace => wait.for_stop().await?,
            // A run that is on its way out is as good as over.
            IfRunning::Error | IfRunning::New if wait.is_over() => wait.for_end().await?,
            IfRunning::Error => return Err(runs_already(&registry, &plan, front)),
            IfRunning::New => {
                number += 1;
                plan = beside(&plan, number)?;
                None
            }
        };
        if let Some(outcome) = outcome {
            return Ok(Place::Taken(outcome));
        }
    }
}

/// The same server beside so many others.
fn beside(plan: &Plan, number: u32) -> Result<Plan, Error> {
    match number <= BESIDE {
        true => Ok(plan.numbered(number)),
        false => Err(Error::new(Kind::Internal, format!("{BESIDE} servers of this project run already"))
            .hint("devrun stop --all")),
    }
}

/// The wait of one who found the place taken. Each way to wait gives `None` when the place is free.
struct Wait<'a> {
    registry: &'a Registry,
    plan: &'a Plan,
    /// The pid of the devrun that has the place, if that is known.
    front: Option<u32>,
    stops: &'a mut UnboundedReceiver<StopCause>,
    say: &'a mut dyn FnMut(Event),
    began: Instant,
    pause: Duration,
    /// It was said that somebody is waited for.
    told: bool,
}

impl<'a> Wait<'a> {
    fn new(
        registry: &'a Registry,
        plan: &'a Plan,
        front: Option<u32>,
        stops: &'a mut UnboundedReceiver<StopCause>,
        say: &'a mut dyn FnMut(Event),
    ) -> Self {
        Self { registry, plan, front, stops, say, began: Instant::now(), pause: LOOK.0, told: false }
    }

    fn holder(&self) -> Option<Holder> {
        holder_state(self.registry, &self.plan.id)
    }

    /// Until the server that another devrun runs is ready.
    async fn for_readiness(&mut self) -> Result<Option<Outcome>, Error> {
        let mut suspended = None;
        // The run that was seen starting: what becomes of that start is for us too. Not one that was on its way out
        // when we came.
        let mut starting = None;
        loop {
            // Before its record: a job that was suspended is written as ready, and answers nobody.
            match self.holder() {
                None => return ended_meanwhile(self.registry, self.plan, starting.as_deref()),
                Some(Holder::Suspended { pid }) => {
                    if suspended.get_or_insert_with(Instant::now).elapsed() >= SUSPENDED {
                        return Err(is_suspended(&self.plan.name, pid));
                    }
                }
                Some(Holder::Ends | Holder::Stops) => suspended = None,
                Some(Holder::Drains) => return self.for_stop().await,
                Some(Holder::Runs) => {
                    suspended = None;
                    let record = self.registry.live_record(&self.plan.id);
                    match record.as_ref().map(|record| record.state) {
                        None => starting = self.registry.live_run(&self.plan.id).or(starting),
                        Some(Phase::Starting | Phase::Backoff) => starting = record.map(|record| record.run),
                        Some(Phase::Ready) => return Ok(record.map(|record| self.led_to(record))),
                        Some(Phase::Stopping | Phase::Stopped | Phase::Crashed) => {}
                    }
                }
            }
            if let Some(outcome) = self.look_later().await? {
                return Ok(Some(outcome));
            }
        }
    }

    fn led_to(&mut self, ready: Record) -> Outcome {
        let pid = ready.front.map(|front| front.pid).or(self.front).unwrap_or_default();
        let (name, url) = (self.plan.name.clone(), ready.url.clone());
        (self.say)(Event::AlreadyRunning { name, url, pid });
        Outcome { already_running: Some(ready.url), ..nothing_started(None) }
    }

    /// Stops the run that has the place.
    async fn for_stop(&mut self) -> Result<Option<Outcome>, Error> {
        let name = &self.plan.name;
        loop {
            if !self.registry.is_live(&self.plan.id) {
                return Ok(None);
            }
            if let Some(record) = self.registry.live_record(&self.plan.id) {
                let pid = record.front.map(|front| format!(" (pid {})", front.pid)).unwrap_or_default();
                (self.say)(Event::Note { text: format!("stopping the {name} that runs{pid}") });
                let registry = self.registry.clone();
                let failed = || Error::new(Kind::Internal, format!("{name} could not be stopped"));
                let (tell, stopped) = tokio::sync::oneshot::channel();
                // On a thread of its own, which nobody waits for who is asked to stop meanwhile.
                std::thread::Builder::new()
                    .name("stop".into())
                    .spawn(move || tell.send(control::stop(&registry, &record)))
                    .map_err(|error| failed().source(error))?;
                return tokio::select! {
                    cause = self.stops.recv() => Ok(Some(nothing_started(cause))),
                    stopped = stopped => stopped.map_err(|gone| failed().source(gone))?.map(|()| None),
                };
            }
            // It holds the lock and has no record yet: so it is only just starting.
            if let Some(outcome) = self.look_later().await? {
                return Ok(Some(outcome));
            }
        }
    }

    /// Whether nobody has the place, or has it for long.
    fn is_over(&self) -> bool {
        match self.holder() {
            None | Some(Holder::Stops | Holder::Ends | Holder::Drains) => true,
            Some(Holder::Runs | Holder::Suspended { .. }) => false,
        }
    }

    /// Until nothing is left of a run that stops or was killed, or that only waits for a reader of its output. If it
    /// begins again instead, that is seen by the next try.
    async fn for_end(&mut self) -> Result<Option<Outcome>, Error> {
        let mut nameless = None;
        loop {
            let ends = match self.holder() {
                Some(Holder::Stops | Holder::Ends) => true,
                Some(Holder::Drains) => return self.for_stop().await,
                // Before it lets go it takes its name off; whoever comes next has written none yet.
                Some(Holder::Runs) if self.registry.live_run(&self.plan.id).is_none() => {
                    nameless.get_or_insert_with(Instant::now).elapsed() < SILENCE
                }
                Some(Holder::Runs | Holder::Suspended { .. }) | None => false,
            };
            if !ends {
                return Ok(None);
            }
            if let Some(outcome) = self.look_later().await? {
                return Ok(Some(outcome));
            }
        }
    }

    /// Waits until it is time for the next look; `Some`: this run was asked to stop meanwhile. Errs when the server
    /// would have had to be ready by now.
    async fn look_later(&mut self) -> Result<Option<Outcome>, Error> {
        let waited = self.began.elapsed();
        if let Some(limit) = self.plan.ready_timeout.filter(|limit| waited >= *limit) {
            let name = &self.plan.name;
            return Err(Error::new(Kind::NotReady, format!("{name} was not ready within {limit:?}"))
                .cause(self.who_is_waited_for())
                .hint(format!("devrun status {name}")));
        }
        if !self.told && waited >= SILENCE {
            self.told = true;
            let text = format!("{}; waiting for it", self.who_is_waited_for());
            (self.say)(Event::Note { text });
        }
        tokio::select! {
            cause = self.stops.recv() => return Ok(Some(nothing_started(cause))),
            () = tokio::time::sleep(self.pause) => self.pause = (self.pause * 5 / 4).min(LOOK.1),
        }
        Ok(None)
    }

    fn who_is_waited_for(&self) -> String {
        let name = &self.plan.name;
        let by = self.front.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
        match self.holder() {
            Some(Holder::Stops) => format!("the {name} of another devrun{by} is being stopped"),
            Some(Holder::Ends) => format!("the {name} of a devrun that was killed{by} ends"),
            Some(Holder::Drains) => {
                format!("the {name} of another devrun{by} has ended, and what it wrote is still being read")
            }
            Some(Holder::Runs | Holder::Suspended { .. }) | None => {
                format!("{name} is being started by another devrun{by}")
            }
        }
    }
}

/// The run that had the place is over. One whose start was waited for and that told how it ended has done so for all
/// who waited, also when it was asked to stop: they would undo that. Otherwise the next one starts: a killed one has
/// told nothing, and one that was being stopped already nobody has waited for.
fn ended_meanwhile(registry: &Registry, plan: &Plan, run: Option<&str>) -> Result<Option<Outcome>, Error> {
    let record = registry.read(&plan.id).ok().flatten();
    let told = |record: &Record| match record.state {
        Phase::Stopped | Phase::Crashed => run == Some(record.run.as_str()),
        Phase::Starting | Phase::Ready | Phase::Stopping | Phase::Backoff => false,
    };
    match record.filter(told) {
        None => Ok(None),
        Some(record) => {
            let what = format!("{} was started by another devrun and ended before it was ready", plan.name);
            let error = Error::new(Kind::NotRunning, what).hint(format!("devrun logs {}", plan.name));
            Err(match record.reason {
                Some(reason) => error.cause(reason),
                None => error.cause("it was stopped"),
            })
        }
    }
}

fn runs_already(registry: &Registry, plan: &Plan, front: Option<u32>) -> Error {
    let record = registry.live_record(&plan.id);
    let at = record.map(|record| format!(" at {}", record.url)).unwrap_or_default();
    let by = front.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    Error::new(Kind::Internal, format!("{} runs already{at}{by}", plan.name))
        .cause("--if-running error forbids to be led there")
        .hint(format!("devrun stop {}", plan.name))
}
