//! What follows from what between a server and the command that runs beside it. Pure: nothing here starts, signals or
//! waits.
//!
//! What holds: the command is started once at most; whoever asks devrun to stop reaches the server in the end; a
//! server that is gone leaves no command behind, and one that is restarted leaves it alone.

use std::time::Duration;

use crate::event::StopCause;
use crate::lifecycle;

/// Where the command has got to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// The server is not ready yet.
    Waiting,
    Running,
    /// Its tree is being ended; whether the server knows why.
    Ending {
        cause: StopCause,
        told: bool,
    },
    /// It ended, or will never be started.
    Over,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// The server is ready; again after each restart.
    Ready,
    /// Somebody wants devrun to stop, or to restart the server.
    Stop(StopCause),
    /// The server is being stopped.
    ServerStopping(StopCause),
    /// The server is over, and not started again.
    ServerEnded,
    /// The command has exited; others of its tree may live.
    Exited,
    /// Its tree is empty.
    Empty,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Start,
    /// Ask its tree to end; `short`: nobody is there to wait for it.
    End {
        cause: StopCause,
        short: bool,
    },
    Kill,
    /// Hand this to the server.
    Tell(StopCause),
    SayEnded,
}

/// The next stage and what to do. `since`: since the command is being ended. `shared`: it has the terminal together
/// with the server.
pub(super) fn step(stage: &Stage, input: &Input, since: Duration, shared: bool) -> (Stage, Vec<Act>) {
    match (stage, input) {
        (Stage::Waiting, Input::Ready) => (Stage::Running, vec![Act::Start]),
        (Stage::Waiting, Input::ServerEnded) => (Stage::Over, vec![]),
        (Stage::Waiting | Stage::Over, Input::Stop(cause)) => (stage.clone(), vec![Act::Tell(cause.clone())]),
        // A restart is the server's alone: it comes back under the command that runs.
        (Stage::Running, Input::Stop(cause)) if !lifecycle::is_for_good(cause) => {
            (Stage::Running, vec![Act::Tell(cause.clone())])
        }
        (Stage::Running, Input::Stop(cause)) => {
            let told = at_once(cause, shared);
            let (stage, mut acts) = end(cause.clone(), told);
            acts.extend(told.then(|| Act::Tell(cause.clone())));
            (stage, acts)
        }
        (Stage::Running, Input::ServerStopping(cause)) if lifecycle::is_for_good(cause) => {
            end(cause.clone(), true)
        }
        (Stage::Running, Input::ServerEnded) => end(StopCause::LeaderExited, true),
        (Stage::Running, Input::Exited) => {
            let (stage, mut acts) = end(StopCause::ThenEnded, true);
            acts.push(Act::Tell(StopCause::ThenEnded));
            (stage, acts)
        }
        (Stage::Running, Input::Empty) => (Stage::Over, vec![Act::SayEnded, Act::Tell(StopCause::ThenEnded)]),
        (Stage::Ending { cause, told }, Input::Stop(second)) => again(cause, *told, second, since),
        (Stage::Ending { cause, told }, Input::Empty) => {
            let tell = (!told).then(|| Act::Tell(cause.clone()));
            (Stage::Over, std::iter::once(Act::SayEnded).chain(tell).collect())
        }
        // A server that is started again is ready again; what it does during the end changes nothing.
        (Stage::Running, Input::Ready | Input::ServerStopping(_))
        | (
            Stage::Ending { .. },
            Input::Ready | Input::ServerStopping(_) | Input::ServerEnded | Input::Exited,
        )
        | (Stage::Waiting, Input::ServerStopping(_) | Input::Exited | Input::Empty)
        | (
            Stage::Over,
            Input::Ready | Input::ServerStopping(_) | Input::ServerEnded | Input::Exited | Input::Empty,
        ) => (stage.clone(), vec![]),
    }
}

fn end(cause: StopCause, told: bool) -> (Stage, Vec<Act>) {
    let short = lifecycle::nobody_waits(&cause);
    (Stage::Ending { cause: cause.clone(), told }, vec![Act::End { cause, short }])
}

/// A second request, while the first is obeyed: both trees end at once, if it is meant so.
fn again(cause: &StopCause, told: bool, second: &StopCause, since: Duration) -> (Stage, Vec<Act>) {
    let stage = Stage::Ending { cause: cause.clone(), told: true };
    match second {
        StopCause::Keyboard(signal) | StopCause::Signal(signal)
            if lifecycle::is_meant_as_second(cause, second, since) =>
        {
            // As if typed twice, for a server that has not heard of the first one.
            let typed = || Act::Tell(StopCause::Keyboard(*signal));
            (stage, if told { vec![Act::Kill, typed()] } else { vec![Act::Kill, typed(), typed()] })
        }
        StopCause::HangUp | StopCause::OwnerGone(_) if !told => (stage, vec![Act::Tell(second.clone())]),
        _ => (Stage::Ending { cause: cause.clone(), told }, vec![]),
    }
}

/// Whether the server is to stop at the same time: it has the signal already, or nobody is there to wait.
fn at_once(cause: &StopCause, shared: bool) -> bool {
    lifecycle::nobody_waits(cause) || (shared && matches!(cause, StopCause::Keyboard(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::tests::CAUSES;

    fn inputs() -> Vec<Input> {
        let plain = [Input::Ready, Input::ServerEnded, Input::Exited, Input::Empty];
        let stops = CAUSES.map(Input::Stop).into_iter().chain(CAUSES.map(Input::ServerStopping));
        plain.into_iter().chain(stops).collect()
    }

    /// All that a list of inputs leads to, one every five seconds.
    fn after(inputs: &[Input], shared: bool) -> (Stage, Vec<Act>) {
        let first = (Stage::Waiting, vec![]);
        inputs.iter().fold(first, |(stage, mut acts), input| {
            let (stage, more) = step(&stage, input, Duration::from_secs(5), shared);
            acts.extend(more);
            (stage, acts)
        })
    }

    fn end_of(cause: StopCause, short: bool) -> Act {
        Act::End { cause, short }
    }

    #[test]
    fn what_follows() {
        use Act::{Kill, SayEnded, Start, Tell};
        use Input::{Empty, Exited, Ready, ServerEnded, ServerStopping, Stop};
        use StopCause::{Asked, HangUp, Keyboard, LeaderExited, OwnerGone, Restart, Signal, ThenEnded};
        let table: Vec<(&str, bool, Vec<Input>, Vec<Act>)> = vec![
            (
                "it ends, then the server",
                false,
                vec![Ready, Exited, Empty],
                vec![Start, end_of(ThenEnded, false), Tell(ThenEnded), SayEnded],
            ),
            ("a stop before readiness", false, vec![Stop(Signal(15))], vec![Tell(Signal(15))]),
            (
                "in order",
                false,
                vec![Ready, Stop(Signal(15)), Exited, Empty],
                vec![Start, end_of(Signal(15), false), SayEnded, Tell(Signal(15))],
            ),
            (
                "typed, in one terminal: at once",
                true,
                vec![Ready, Stop(Keyboard(2)), Empty],
                vec![Start, end_of(Keyboard(2), false), Tell(Keyboard(2)), SayEnded],
            ),
            (
                "twice",
                false,
                vec![Ready, Stop(Signal(2)), Stop(Signal(2)), Empty],
                vec![Start, end_of(Signal(2), false), Kill, Tell(Keyboard(2)), Tell(Keyboard(2)), SayEnded],
            ),
            (
                "typed twice",
                true,
                vec![Ready, Stop(Keyboard(2)), Stop(Keyboard(2)), Empty],
                vec![Start, end_of(Keyboard(2), false), Tell(Keyboard(2)), Kill, Tell(Keyboard(2)), SayEnded],
            ),
            (
                "nobody waits",
                false,
                vec![Ready, Stop(HangUp), Empty],
                vec![Start, end_of(HangUp, true), Tell(HangUp), SayEnded],
            ),
            (
                "a restart is asked for, then a stop",
                false,
                vec![Ready, Stop(Restart), ServerStopping(Restart), Ready, Stop(Asked), Stop(Restart), Empty],
                vec![Start, Tell(Restart), end_of(Asked, false), SayEnded, Tell(Asked)],
            ),
            (
                "the server is restarted, and ends",
                false,
                vec![Ready, ServerStopping(LeaderExited), Ready, ServerStopping(Restart), ServerEnded, Empty],
                vec![Start, end_of(LeaderExited, false), SayEnded],
            ),
            (
                "the server's caller is gone",
                false,
                vec![Ready, ServerStopping(OwnerGone(7)), ServerEnded, Empty],
                vec![Start, end_of(OwnerGone(7), true), SayEnded],
            ),
            ("never ready", false, vec![ServerEnded, Ready], vec![]),
        ];
        for (what, shared, inputs, expected) in table {
            assert_eq!(after(&inputs, shared).1, expected, "{what}");
        }
    }

    #[test]
    fn a_copy_of_a_signal_that_comes_at_once_changes_nothing() {
        let ending = Stage::Ending { cause: StopCause::Signal(2), told: false };
        let again = Input::Stop(StopCause::Signal(2));
        assert_eq!(step(&ending, &again, Duration::from_millis(50), false), (ending, vec![]));
    }

    #[test]
    fn from_every_stage_a_stop_reaches_the_server_once_the_command_is_over_and_nothing_starts_twice() {
        let for_good = |act: &Act| matches!(act, Act::Tell(cause) if lifecycle::is_for_good(cause));
        let gone = |input: &Input| match input {
            Input::ServerEnded => true,
            Input::ServerStopping(cause) => lifecycle::is_for_good(cause),
            Input::Ready | Input::Stop(_) | Input::Exited | Input::Empty => false,
        };
        let stops = || CAUSES.into_iter().filter(lifecycle::is_for_good).map(Input::Stop);
        let befores = inputs()
            .into_iter()
            .flat_map(|first| inputs().into_iter().map(move |second| [first.clone(), second]));
        for [first, second] in befores {
            for (stop, shared) in stops().map(|stop| (stop, false)).chain(stops().map(|stop| (stop, true))) {
                let inputs = [first.clone(), second.clone(), stop, Input::Exited, Input::Empty];
                let (stage, acts) = after(&inputs, shared);
                assert!(acts.iter().any(for_good) || inputs.iter().any(gone), "{inputs:?} -> {acts:?}");
                let started = acts.iter().filter(|act| **act == Act::Start).count();
                assert!(started <= 1, "{inputs:?} -> {acts:?}");
                assert!(started == 0 || stage == Stage::Over, "{inputs:?} -> {stage:?}");
            }
        }
    }

    #[test]
    fn what_does_not_end_the_server_for_good_does_not_end_the_command() {
        for cause in CAUSES.into_iter().filter(|cause| !lifecycle::is_for_good(cause)) {
            let asked = step(&Stage::Running, &Input::Stop(cause.clone()), Duration::ZERO, false);
            assert_eq!(asked, (Stage::Running, vec![Act::Tell(cause.clone())]));
            let stops = step(&Stage::Running, &Input::ServerStopping(cause.clone()), Duration::ZERO, false);
            assert_eq!(stops, (Stage::Running, vec![]), "{cause:?}");
        }
    }
}
