//! One server, one run: whoever comes while it runs is led to it, replaces it, or goes beside it, as it wants. A
//! server that is asked for twenty times at once is started once.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;

use crate::control;
use crate::error::{Error, Kind};
use crate::event::{Event, Exit, StopCause};
use crate::plan::{IfRunning, Plan};
use crate::registry::{Holder, Phase, Record, Registry, holder_state};
use crate::session::{Opened, Session};
use crate::supervise::Outcome;

/// How often a server that another devrun is starting is looked at: at first, and later.
const LOOK: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));

/// After this time it is said that another devrun is waited for.
const SILENCE: Duration = Duration::from_secs(1);

/// A devrun that is seen stopped for so long is not waited for.
const STOPPED: Duration = Duration::from_millis(1500);

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
        match plan.if_running {
            IfRunning::Url => {
                if let Some(outcome) = join(&registry, &plan, front, stops, say).await? {
                    return Ok(Place::Taken(outcome));
                }
            }
            IfRunning::Replace => {
                if let Some(outcome) = replace(&registry, &plan, stops, say).await? {
                    return Ok(Place::Taken(outcome));
                }
            }
            IfRunning::Error => return Err(runs_already(&registry, &plan, front)),
            IfRunning::New if number < BESIDE => {
                number += 1;
                plan = plan.numbered(number);
            }
            IfRunning::New => {
                return Err(Error::new(
                    Kind::Internal,
                    format!("{BESIDE} servers of this project run already"),
                )
                .hint("devrun stop --all"));
            }
        }
    }
}

/// Waits until the server that another devrun runs is ready. `None`: the place is free.
async fn join(
    registry: &Registry,
    plan: &Plan,
    front: Option<u32>,
    stops: &mut UnboundedReceiver<StopCause>,
    say: &mut dyn FnMut(Event),
) -> Result<Option<Outcome>, Error> {
    let began = Instant::now();
    let (mut pause, mut told, mut stopped) = (LOOK.0, false, None);
    let run = registry.live_run(&plan.id);
    loop {
        // Before its record: a job that was suspended is written as ready, and answers nobody.
        match holder_state(registry, &plan.id) {
            None => return ended_meanwhile(registry, plan, run.as_deref()),
            Some(Holder::Stopped { pid }) => {
                if stopped.get_or_insert_with(Instant::now).elapsed() >= STOPPED {
                    return Err(is_stopped(plan, pid));
                }
            }
            Some(Holder::Ends) => stopped = None,
            Some(Holder::Runs) => {
                stopped = None;
                let record = registry.live_record(&plan.id);
                if let Some(record) = record.filter(|record| record.state == Phase::Ready) {
                    let pid = record.front.map(|front| front.pid).or(front).unwrap_or_default();
                    let url = record.url;
                    say(Event::AlreadyRunning { name: plan.name.clone(), url: url.clone(), pid });
                    return Ok(Some(nothing_started(Exit::Code(0), None, Some(url))));
                }
            }
        }
        if !told && began.elapsed() >= SILENCE {
            told = true;
            let by = front.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            let text = match holder_state(registry, &plan.id) {
                Some(Holder::Ends) => {
                    format!("the {} of a devrun that was killed{by} ends; waiting for it", plan.name)
                }
                Some(Holder::Runs | Holder::Stopped { .. }) | None => {
                    format!("{} is being started by another devrun{by}; waiting for it", plan.name)
                }
            };
            say(Event::Note { text });
        }
        tokio::select! {
            cause = stops.recv() => return Ok(Some(gave_up(cause))),
            () = tokio::time::sleep(pause) => pause = (pause * 5 / 4).min(LOOK.1),
        }
    }
}

/// The run that was waited for is over. One that told so has failed for all who waited; a killed one has told
/// nothing, and the next one starts.
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

/// Stops the run that has the place. `None`: the place is free.
async fn replace(
    registry: &Registry,
    plan: &Plan,
    stops: &mut UnboundedReceiver<StopCause>,
    say: &mut dyn FnMut(Event),
) -> Result<Option<Outcome>, Error> {
    let mut pause = LOOK.0;
    loop {
        if !registry.is_live(&plan.id) {
            return Ok(None);
        }
        if let Some(record) = registry.live_record(&plan.id) {
            let pid = record.front.map(|front| format!(" (pid {})", front.pid)).unwrap_or_default();
            say(Event::Note { text: format!("stopping the {} that runs{pid}", plan.name) });
            let registry = registry.clone();
            let stop = tokio::task::spawn_blocking(move || control::stop(&registry, &record));
            return tokio::select! {
                cause = stops.recv() => Ok(Some(gave_up(cause))),
                stopped = stop => match stopped {
                    Ok(stopped) => stopped.map(|()| None),
                    Err(panicked) => {
                        Err(Error::new(Kind::Internal, format!("{} could not be stopped", plan.name)).source(panicked))
                    }
                },
            };
        }
        // It holds the lock and has no record yet: so it is only just starting.
        tokio::select! {
            cause = stops.recv() => return Ok(Some(gave_up(cause))),
            () = tokio::time::sleep(pause) => pause = (pause * 5 / 4).min(LOOK.1),
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

fn is_stopped(plan: &Plan, pid: u32) -> Error {
    Error::new(Kind::Internal, format!("{} is held by a devrun that is stopped (pid {pid})", plan.name))
        .cause("a process that is stopped, by Ctrl-Z or a debugger, does not go on by itself")
        .hint(format!("kill -CONT {pid}"))
}

fn gave_up(cause: Option<StopCause>) -> Outcome {
    let exit = match &cause {
        Some(StopCause::Keyboard(signal) | StopCause::Signal(signal)) => Exit::Signal(*signal),
        _ => Exit::Code(0),
    };
    nothing_started(exit, cause, None)
}

fn nothing_started(exit: Exit, cause: Option<StopCause>, already_running: Option<String>) -> Outcome {
    Outcome { exit, cause, error: None, guard_lost: false, already_running }
}
