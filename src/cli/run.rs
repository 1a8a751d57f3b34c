//! `devrun COMMAND`: the run in the foreground. Signals go in, events come out as lines, and the exit status is
//! the command's.

use std::ffi::OsString;
use std::process::ExitCode;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::render::{self, Style};
use super::script_shell;
use crate::attempt::Context;
use crate::detach;
use crate::error::{Error, Kind};
use crate::event::{Event, Exit, StopCause};
use crate::plan::{self, Facts, Plan, Request, Sources};
use crate::supervise::{self, Outcome};
use crate::sys::{self, Received};
use crate::then;

/// Runs the server until its tree is empty; ends as the command ended.
pub(crate) fn run(mut request: Request) -> ExitCode {
    let style = Style::new(request.json == Some(true), request.quiet == Some(true));
    if script_shell::bypassed() {
        return fail(style, &bypass(&request));
    }
    let background = detach::is_background();
    if background {
        // Whoever started this one reads what it says, and has said already that it is to be here.
        request.json = Some(true);
        request.detach = Some(true);
    } else if request.detach.is_none() && std::env::var_os("DEVRUN_ID").is_some() {
        // What a file or the environment says of it was for the devrun around this one.
        request.detach = Some(false);
    }
    let facts = match Facts::gather(&request, Sources::All) {
        Ok(facts) => facts,
        Err(error) => return fail(style, &error),
    };
    let merged = request.clone().over(facts.settings.clone());
    let style = Style::new(merged.json == Some(true), merged.quiet == Some(true));
    if merged.detach == Some(true) && !background {
        return super::detach::run(style, merged.open == Some(true));
    }
    super::trace::start(merged.verbose == Some(true));
    match supervise_here(request, &facts, style) {
        Ok(outcome) => end(outcome, style),
        Err(error) => fail(style, &error),
    }
}

/// `DEVRUN=0`: becomes the command as it stands. Returns only if that fails.
fn bypass(request: &Request) -> Error {
    match Facts::gather(request, Sources::None) {
        Ok(facts) => script_shell::bypass(request, &facts),
        Err(error) => error,
    }
}

pub(super) fn fail(style: Style, error: &Error) -> ExitCode {
    let status = error.kind().exit_code();
    render::error(style, error, Exit::Code(status.into()));
    ExitCode::from(status)
}

fn supervise_here(request: Request, facts: &Facts, style: Style) -> Result<Outcome, Error> {
    supervise_plan(&plan::make(request, facts)?, Vec::new(), style)
}

/// Runs what the plan says, as this program's only work; these variables go over the command's environment.
pub(super) fn supervise_plan(
    plan: &Plan,
    environment: Vec<(OsString, OsString)>,
    style: Style,
) -> Result<Outcome, Error> {
    sys::adopt_orphans();
    let (stop, stops) = unbounded_channel();
    listen_for_signals(stop.clone())?;
    let mut open = plan.open && !plan.detached;
    let mut say = |event: Event| {
        render::event(style, &event);
        if let Event::Ready { url, .. } = &event
            && std::mem::take(&mut open)
        {
            super::browser::open(url);
        }
    };
    let context = Context { stops, stop, environment, owns_process: true };
    supervise::block_on(then::run(plan, context, &mut say))
}

fn listen_for_signals(stop: UnboundedSender<StopCause>) -> Result<(), Error> {
    sys::on_ending_signals(move |received| {
        let _ = stop.send(cause(received));
    })
    .map_err(|error| Error::new(Kind::Internal, "signals can't be listened for").source(error))
}

fn cause(received: Received) -> StopCause {
    if received.is_hang_up() {
        StopCause::HangUp
    } else if received.by_terminal {
        StopCause::Keyboard(received.signal)
    } else {
        StopCause::Signal(received.signal)
    }
}

/// Ends this process as the command ended.
pub(super) fn end(outcome: Outcome, style: Style) -> ExitCode {
    let status = status(&outcome);
    if let Some(error) = &outcome.error {
        render::error(style, error, status);
    }
    exit(status)
}

/// Ends this process so.
pub(super) fn exit(how: Exit) -> ExitCode {
    match how {
        Exit::Code(code) => sys::exit(code),
        Exit::Signal(signal) => sys::die_of(signal),
    }
}

/// The status of a run: the command's own, unless devrun has a reason of its own to end.
fn status(outcome: &Outcome) -> Exit {
    let own = |kind: Kind| Exit::Code(kind.exit_code().into());
    match (&outcome.cause, outcome.exit) {
        (Some(StopCause::ReadyTimeout | StopCause::Stranger), exit) => {
            outcome.error.as_ref().map_or(exit, |error| own(error.kind()))
        }
        _ if outcome.guard_lost => own(Kind::Internal),
        // The command died of the signal that we sent on, or of the kill after it: the caller sees the signal
        // that it sent.
        (Some(StopCause::Keyboard(signal) | StopCause::Signal(signal)), Exit::Signal(_)) => {
            Exit::Signal(*signal)
        }
        (Some(StopCause::HangUp), Exit::Signal(_)) => Exit::Signal(sys::HANG_UP),
        // Servers that find their port taken, or are stopped, exit with 0: nobody who waits for one may take that
        // for success.
        (_, Exit::Code(0)) if outcome.error.is_some() => Exit::Code(1),
        (
            None
            | Some(
                StopCause::Keyboard(_)
                | StopCause::Signal(_)
                | StopCause::HangUp
                | StopCause::OwnerGone(_)
                | StopCause::LeaderExited
                | StopCause::Asked
                | StopCause::Restart
                | StopCause::Unhealthy
                | StopCause::ThenEnded,
            ),
            exit,
        ) => exit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_the_commands_unless_devrun_has_a_reason_of_its_own() {
        let outcome =
            |cause, exit| Outcome { exit, cause, error: None, guard_lost: false, already_running: None };
        let given_up = || Some(Error::new(Kind::NotRunning, "given up"));
        let late = Some(Error::new(Kind::NotReady, "late"));
        let (code, signal) = (Exit::Code, Exit::Signal);
        let table = [
            (outcome(None, code(3)), code(3)),
            (outcome(Some(StopCause::LeaderExited), signal(11)), signal(11)),
            (outcome(Some(StopCause::Keyboard(2)), code(0)), code(0)),
            (outcome(Some(StopCause::Keyboard(2)), signal(2)), signal(2)),
            (outcome(Some(StopCause::Signal(2)), signal(15)), signal(2)),
            (outcome(Some(StopCause::Signal(15)), signal(9)), signal(15)),
            (Outcome { error: late, ..outcome(Some(StopCause::ReadyTimeout), signal(15)) }, code(124)),
            (Outcome { error: given_up(), ..outcome(Some(StopCause::Unhealthy), code(0)) }, code(1)),
            (Outcome { error: given_up(), ..outcome(Some(StopCause::Unhealthy), signal(15)) }, signal(15)),
            (Outcome { error: given_up(), ..outcome(Some(StopCause::ThenEnded), code(0)) }, code(1)),
            (Outcome { error: given_up(), ..outcome(None, code(0)) }, code(1)),
            (Outcome { guard_lost: true, ..outcome(None, signal(9)) }, code(125)),
        ];
        for (outcome, expected) in table {
            assert_eq!(status(&outcome), expected, "{outcome:?}");
        }
    }
}
