//! What has to be said at the end of a run that did not go well. Pure.

use crate::error::{Error, Kind};
use crate::event::{Exit, Left, LeftWhy, Seen, StopCause};
use crate::lifecycle::Early;
use crate::output::Diagnosis;
use crate::plan::{Plan, Port, ReadyCheck};

/// What is known at the end of a run.
pub(crate) struct Facts<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) port: Port,
    pub(crate) cause: Option<&'a StopCause>,
    pub(crate) exit: Exit,
    pub(crate) early: Early,
    pub(crate) seen: Seen,
    /// Why it will not become ready.
    pub(crate) why: Option<&'a str>,
    pub(crate) guard_lost: bool,
    /// Who could not be ended, or is left running.
    pub(crate) left: &'a [Left],
    pub(crate) diagnosis: Option<Diagnosis>,
}

/// The error to tell, if there is one.
pub(crate) fn error(facts: &Facts) -> Option<Error> {
    let (name, port) = (&facts.plan.name, facts.port);
    if facts.guard_lost {
        let all = facts.left.iter().all(|left| left.why == LeftWhy::Spared);
        let ended = if all { "its processes were ended" } else { "not all of its processes could be ended" };
        return Some(
            Error::new(Kind::Internal, format!("the guard of {name} was killed; {ended}"))
                .cause("something sent SIGKILL to the process called tree-guard, or memory ran out"),
        );
    }
    match facts.cause {
        Some(StopCause::ReadyTimeout) => Some(not_ready(facts)),
        Some(StopCause::Stranger) => Some(
            Error::new(Kind::PortTaken, format!("another program answers on port {port}"))
                .cause(facts.why.unwrap_or("it is no process that devrun started").to_string())
                .hint("devrun ls"),
        ),
        None | Some(StopCause::LeaderExited)
            if !facts.early.was_ready && facts.plan.ready != ReadyCheck::None =>
        {
            Some(exited_early(facts))
        }
        None
        | Some(
            StopCause::LeaderExited
            | StopCause::Keyboard(_)
            | StopCause::Signal(_)
            | StopCause::HangUp
            | StopCause::OwnerGone(_)
            | StopCause::Asked
            | StopCause::Restart
            | StopCause::Unhealthy
            | StopCause::ThenEnded,
        ) => None,
    }
}

fn not_ready(facts: &Facts) -> Error {
    if let Some(why) = facts.why {
        return Error::new(Kind::NotReady, format!("readiness of {} can't be seen", facts.plan.name))
            .cause(why);
    }
    let limit = facts.plan.ready_timeout.unwrap_or_default();
    let error = Error::new(Kind::NotReady, format!("{} was not ready within {limit:?}", facts.plan.name));
    let port = facts.port;
    if let Some(diagnosis) = &facts.diagnosis {
        return told_by_output(error, diagnosis, port);
    }
    match (facts.plan.ready.at(port), &facts.seen) {
        (ReadyCheck::Log(pattern), Seen::NoSign) => error
            .cause(format!("no line of its output matches {pattern}"))
            .hint("let the pattern match a line that it prints, or leave --ready out: devrun asks for its page then"),
        (ReadyCheck::Url(url), Seen::NoSign) => error
            .cause(format!("{url} does not answer"))
            .hint(format!("devrun --ready /path ..., which asks the server itself, on port {port}")),
        (_, Seen::NothingListens | Seen::NoSign) => error.cause("none of its processes listens").hint(format!(
            "let the command listen on $PORT ({port}), or give it more time with --ready-timeout"
        )),
        (_, Seen::NoAnswer) => {
            error.cause(facts.seen.in_words()).hint("devrun --ready tcp ...")
        }
        (_, Seen::Status(status)) => error
            .cause(format!("it answers with status {status}"))
            .hint("name a path that answers with a page: devrun --ready /path ..."),
        (_, Seen::NotHttp) => error.cause("it answers, but not in HTTP").hint("devrun --ready tcp ..."),
    }
}

fn exited_early(facts: &Facts) -> Error {
    let what = format!("{} ended before it was ready ({})", facts.plan.name, facts.exit);
    let error = Error::new(Kind::NotRunning, what);
    match &facts.diagnosis {
        Some(diagnosis) => told_by_output(error, diagnosis, facts.port),
        None => error,
    }
}

fn told_by_output(error: Error, diagnosis: &Diagnosis, port: Port) -> Error {
    match diagnosis {
        Diagnosis::PortInUse(line) => error
            .cause(format!("its output says: {line}"))
            .hint(format!("let the command listen on $PORT ({port})")),
        Diagnosis::Question(line) => error
            .cause(format!("it asks: {line}"))
            .hint("answer it in a terminal: run the command without devrun once"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Facts as Project;

    #[test]
    fn no_port_is_named_that_is_not_known_to_listen() {
        let request = crate::plan::Request { command: vec!["x".into()], ..Default::default() };
        let plan = crate::plan::make(request, &Project { cwd: "/p".into(), ..Project::default() }).unwrap();
        let facts = Facts {
            plan: &plan,
            port: Port::new(4100).unwrap(),
            cause: Some(&StopCause::ReadyTimeout),
            exit: Exit::Code(0),
            early: Early {
                was_ready: false,
                was_stopped: true,
                listened: true,
                said_in_use: false,
                stranger_listens: false,
                had_reservation: true,
            },
            seen: Seen::NoAnswer,
            why: None,
            guard_lost: false,
            left: &[],
            diagnosis: None,
        };
        assert_eq!(error(&facts).unwrap().why().as_deref(), Some("it listens and does not answer"));
    }
}
