//! One server from its claim to its last empty tree: opens the session, starts the command, and starts it again
//! where `lifecycle` says so.
//!
//! Nothing here knows of the console, of clap or of a platform: what happens goes out as [`Event`]s, what is
//! wanted comes in as [`StopCause`]s.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::attempt::{Attempt, Context, End};
use crate::error::{Error, Kind};
use crate::event::{Event, Exit, StopCause};
use crate::lifecycle::{self, Next, Starts};
use crate::output;
use crate::plan::Plan;
use crate::session::Session;
use crate::single::{self, Place};

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

/// Does that on a runtime of one thread. What still blocks then, such as a question to a name server, is not waited for.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Error::new(Kind::Internal, "no runtime could be made to supervise the server").source(error)
    })?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
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
    let (plan, mut session) = match single::place(plan, &mut context.stops, say).await? {
        Place::Ours(plan, session) => (plan, session),
        Place::Taken(outcome) => return Ok(outcome),
    };
    let control = session.serve(context.stop.clone());
    let mut tell = |event: Event| {
        if let Some(control) = &control {
            control.tell(&event);
        }
        say(event);
    };
    let ended = again_and_again(&plan, &mut session, &mut context, &mut tell).await;
    if let Some(control) = control {
        control.finish().await;
    }
    ended
}

/// From the first start to the end of the last tree.
async fn again_and_again(
    plan: &Plan,
    session: &mut Session,
    context: &mut Context,
    say: &mut dyn FnMut(Event),
) -> Result<Outcome, Error> {
    let mut starts = Starts::default();
    if let Some(cause) = asked(&mut context.stops) {
        session.not_started();
        return Ok(nothing_started(Some(cause)));
    }
    loop {
        let attempt = match Attempt::start(plan, session, context, say) {
            Ok(attempt) => attempt,
            Err(error) => {
                session.failed(&error);
                return Err(error);
            }
        };
        let end = attempt.supervise(&mut context.stops, say).await;
        let (next, later) = lifecycle::after(plan.restart, &end.ended, starts, jitter());
        starts = later;
        match next {
            Next::Over => return Ok(over(session, end, say)),
            Next::GiveUp { quick } => return Ok(give_up(plan, session, end, quick, say)),
            Next::ForPort(retry) => {
                if let Err(error) = session.change_ports(plan, retry, say) {
                    session.failed(&error);
                    return Err(error);
                }
                if let Some(cause) = asked(&mut context.stops) {
                    return Ok(over(session, ended_between(end, cause), say));
                }
            }
            Next::Again { after } => {
                let reason = reason(&end);
                session.waits(after, &reason);
                let in_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                say(Event::Restarting { reason, in_ms, restarts: session.restarts() });
                if let Some(cause) = backoff(after, &mut context.stops).await {
                    return Ok(over(session, ended_between(end, cause), say));
                }
            }
        }
    }
}

/// Waits before the next start; what has ended the wait for good, if something has.
async fn backoff(after: Duration, stops: &mut UnboundedReceiver<StopCause>) -> Option<StopCause> {
    tokio::select! {
        biased;
        Some(cause) = stops.recv() => (cause != StopCause::Restart).then_some(cause).or_else(|| asked(stops)),
        () = tokio::time::sleep(after) => None,
    }
}

/// What has asked for a stop while nothing ran, if something has: then nothing is started.
fn asked(stops: &mut UnboundedReceiver<StopCause>) -> Option<StopCause> {
    std::iter::from_fn(|| stops.try_recv().ok()).find(|cause| *cause != StopCause::Restart)
}

/// The outcome of a run that started no command: it was asked to stop before (`None`: there was nothing to start).
pub(crate) fn nothing_started(cause: Option<StopCause>) -> Outcome {
    let exit = cause.as_ref().and_then(signal_of).unwrap_or(Exit::Code(0));
    Outcome { exit, cause, error: None, guard_lost: false, already_running: None }
}

fn signal_of(cause: &StopCause) -> Option<Exit> {
    match cause {
        StopCause::Keyboard(signal) | StopCause::Signal(signal) => Some(Exit::Signal(*signal)),
        _ => None,
    }
}

/// Nothing ran when it was stopped: its end is that of the stop.
fn ended_between(end: End, cause: StopCause) -> End {
    let exit = signal_of(&cause).unwrap_or(end.ended.exit);
    let ended = lifecycle::Ended { exit, cause: Some(cause), for_good: true, ..end.ended };
    End { ended, error: None, killed: 0, left: Vec::new(), ..end }
}

fn over(session: &mut Session, end: End, say: &mut dyn FnMut(Event)) -> Outcome {
    let End { ended, killed, left, error, .. } = end;
    session.ended(&ended, error.as_ref());
    session.say_news(say);
    say(Event::Ended { exit: ended.exit, killed, left });
    Outcome {
        exit: ended.exit,
        cause: ended.cause,
        error,
        guard_lost: ended.guard_lost,
        already_running: None,
    }
}

fn give_up(plan: &Plan, session: &mut Session, end: End, quick: u32, say: &mut dyn FnMut(Event)) -> Outcome {
    let last = reason(&end);
    let reason = format!("{} times in a row it ended soon; the last time {last}", quick + 1);
    say(Event::GaveUp { reason: reason.clone(), output: output::last_lines(&end.tail) });
    let kind = end.error.as_ref().map_or(Kind::NotRunning, Error::kind);
    let error = Error::new(kind, format!("{} is not started again", plan.name))
        .cause(reason)
        .hint("mend what its output says, then start it again");
    over(session, End { error: Some(error), ..end }, say)
}

/// Why a tree ended, as a part of a sentence.
fn reason(end: &End) -> String {
    match (&end.ended.cause, &end.error) {
        (Some(StopCause::Restart), _) => "a restart was asked for".into(),
        (Some(StopCause::Unhealthy), _) => "it did not answer any more".into(),
        (_, Some(error)) => error.what().to_string(),
        (_, None) => format!("it ended with {}", end.ended.exit),
    }
}

/// From 0 to 1, by the system's randomness.
fn jitter() -> f64 {
    (RandomState::new().hash_one(std::process::id()) >> 40) as f64 / f64::from(1 << 24)
}
