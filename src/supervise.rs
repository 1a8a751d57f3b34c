//! One server from its claim to its empty tree: opens the session, starts the command, and starts it once more
//! where only its port was the trouble.
//!
//! Nothing here knows of the console, of clap or of a platform: what happens goes out as [`Event`]s, what is
//! wanted comes in as [`StopCause`]s.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::attempt::{Attempt, Context};
use crate::error::Error;
use crate::event::{Event, Exit, StopCause};
use crate::lifecycle;
use crate::plan::{Plan, ServerId};
use crate::registry::{Phase, Registry};
use crate::session::{Opened, Session};

/// How often a server that another devrun is starting is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    /// `None`: the tree ended by itself.
    pub(crate) cause: Option<StopCause>,
    /// What has to be said besides: not ready in time, a stranger on the port, the guard lost.
    pub(crate) error: Option<Error>,
    pub(crate) guard_lost: bool,
    /// Nothing was started, since the server runs already and is ready at this URL.
    pub(crate) already_running: Option<String>,
}

/// Runs the server until its tree is empty. Whatever happens is told to `say`, in the order in which it happens.
///
/// Errs when the server could not be started. When it could, and something went wrong later, that is part of the
/// outcome, since by then the command has an exit status.
pub(crate) async fn run(
    plan: &Plan,
    mut context: Context,
    say: &mut dyn FnMut(Event),
) -> Result<Outcome, Error> {
    for note in &plan.notes {
        say(Event::Note { text: note.clone() });
    }
    let mut session = loop {
        match Session::open(plan, say)? {
            Opened::Ours(session) => break session,
            Opened::Held { registry, front } => {
                if let Some(outcome) = join(&registry, plan, front, &mut context.stops, say).await {
                    return Ok(outcome);
                }
            }
        }
    };
    let mut tries = 1;
    loop {
        let attempt = Attempt::start(plan, &mut session, &context, say)?;
        let end = attempt.supervise(&mut context.stops, say).await;
        if let Some(retry) = lifecycle::retry(&end.early, tries) {
            tries += 1;
            session.change_ports(plan, retry, say)?;
            continue;
        }
        session.ended(end.exit, end.cause.as_ref());
        say(Event::Ended { exit: end.exit, killed: end.killed, left: end.left });
        return Ok(Outcome {
            exit: end.exit,
            cause: end.cause,
            error: end.error,
            guard_lost: end.guard_lost,
            already_running: None,
        });
    }
}

/// Waits until the server that another devrun runs is ready. `None`: that one has ended, the place is free.
async fn join(
    registry: &Registry,
    plan: &Plan,
    front: Option<u32>,
    stops: &mut UnboundedReceiver<StopCause>,
    say: &mut dyn FnMut(Event),
) -> Option<Outcome> {
    loop {
        if let Some(url) = ready_url(registry, &plan.id) {
            say(Event::AlreadyRunning {
                name: plan.name.clone(),
                url: url.clone(),
                pid: front.unwrap_or_default(),
            });
            return Some(nothing_started(Exit::Code(0), None, Some(url)));
        }
        if !registry.is_live(&plan.id) {
            return None;
        }
        tokio::select! {
            cause = stops.recv() => {
                let exit = match &cause {
                    Some(StopCause::Keyboard(signal) | StopCause::Signal(signal)) => Exit::Signal(*signal),
                    _ => Exit::Code(0),
                };
                return Some(nothing_started(exit, cause, None));
            }
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

fn ready_url(registry: &Registry, id: &ServerId) -> Option<String> {
    registry.live_record(id).filter(|record| record.state == Phase::Ready).map(|record| record.url)
}

fn nothing_started(exit: Exit, cause: Option<StopCause>, already_running: Option<String>) -> Outcome {
    Outcome { exit, cause, error: None, guard_lost: false, already_running }
}
