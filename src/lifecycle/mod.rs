//! The life of a server: of one tree, as one total function from a state and an input to the next state and what
//! to do; and from the end of a tree to the next start (`again`). Pure: nothing here waits, signals or prints;
//! `attempt` and `supervise` do what this says.
//!
//! What holds in every reachable state (tested over all of them): a stop always ends in the hard stop or an empty
//! tree, and is not followed by another start; only an empty tree, or the loss of the guard, ends a life, never the
//! leader's exit; restarts never exceed the policy.

mod again;
#[cfg(test)]
pub(crate) mod tests;

use std::time::Duration;

use crate::event::StopCause;

pub(crate) use again::{Early, Ended, Next, Retry, Starts, after};

/// A signal that comes so soon after the first was sent on by a package manager, not meant as a second one.
const DUPLICATES: Duration = Duration::from_secs(1);

/// Where a tree's life has got to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Not ready yet.
    Starting { leader: Leader },
    /// A member answers.
    Ready { leader: Leader },
    /// The stop signal was sent, at this time after the start. `for_good`: it is not to be started again.
    Stopping { cause: StopCause, at: Duration, for_good: bool },
    /// Members are being killed, since somebody insisted: it is not to be started again.
    Killing { cause: StopCause },
    /// Nobody is left. Without a cause, the tree ended by itself.
    Over { cause: Option<StopCause>, for_good: bool },
}

/// What has become of the command itself while its tree lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leader {
    Running,
    /// It exited, and another member serves.
    Left,
}

/// What can happen to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    BecameReady,
    ReadyTimedOut,
    /// A process outside the tree answers on the port.
    StrangerAnswers,
    /// The command exited; whether another member listens on the port.
    LeaderExited {
        serving: bool,
    },
    /// It was ready and does not answer any more; whether it is to be started again then.
    Hung {
        restart: bool,
    },
    /// It answers again.
    Recovered,
    /// Somebody wants it to stop.
    Stop(StopCause),
    /// Nobody is left.
    TreeEmpty,
    /// The guard is gone.
    GuardLost,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Send the stop signal; kill after the grace period.
    Stop { grace: Grace, signalled: Signalled },
    /// Kill now.
    Kill,
    /// End what the guard left.
    EndWithoutGuard,
    /// Say that the server is ready, and write it down.
    AnnounceReady,
    /// Say that the leader has left and the server goes on.
    AnnounceLeaderless,
    /// Say that it does not answer any more.
    AnnounceUnhealthy,
    /// Say that it answers again.
    AnnounceHealthy,
}

/// How long the tree has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grace {
    /// As the user set it.
    Policy,
    /// Nobody is there to wait for it: two seconds, or less if the user set less.
    Short,
}

/// Who has the stop signal already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signalled {
    Nobody,
    /// The terminal sent it to its foreground group.
    Foreground,
}

/// The next state and what to do; `now` is the time since the start.
pub(crate) fn step(state: State, input: Input, now: Duration) -> (State, Option<Act>) {
    match (state, input) {
        (over @ State::Over { .. }, _) => (over, None),
        (state, Input::TreeEmpty) => (over(state), None),
        (state, Input::GuardLost) => (over(state), Some(Act::EndWithoutGuard)),
        (State::Starting { leader }, Input::BecameReady) => {
            (State::Ready { leader }, Some(Act::AnnounceReady))
        }
        (State::Starting { .. }, Input::ReadyTimedOut) => stop(StopCause::ReadyTimeout, now),
        (State::Starting { .. }, Input::StrangerAnswers) => stop(StopCause::Stranger, now),
        // Another member serves than before.
        (
            state @ (State::Starting { leader: Leader::Left } | State::Ready { leader: Leader::Left }),
            Input::LeaderExited { serving: true },
        ) => (state, None),
        (State::Starting { .. }, Input::LeaderExited { serving: true }) => {
            (State::Starting { leader: Leader::Left }, Some(Act::AnnounceLeaderless))
        }
        (State::Ready { .. }, Input::LeaderExited { serving: true }) => {
            (State::Ready { leader: Leader::Left }, Some(Act::AnnounceLeaderless))
        }
        (State::Starting { .. } | State::Ready { .. }, Input::LeaderExited { serving: false }) => {
            stop(StopCause::LeaderExited, now)
        }
        (State::Starting { .. } | State::Ready { .. }, Input::Stop(cause)) => stop(cause, now),
        (state @ State::Ready { .. }, Input::Hung { restart: false }) => {
            (state, Some(Act::AnnounceUnhealthy))
        }
        (State::Ready { .. }, Input::Hung { restart: true }) => stop(StopCause::Unhealthy, now),
        (state @ State::Ready { .. }, Input::Recovered) => (state, Some(Act::AnnounceHealthy)),
        (State::Stopping { cause, at, for_good }, Input::Stop(second)) => {
            if is_meant_as_second(&cause, &second, now.saturating_sub(at)) {
                (State::Killing { cause }, Some(Act::Kill))
            } else {
                (State::Stopping { cause, at, for_good: for_good || is_for_good(&second) }, None)
            }
        }
        // Readiness is asked only while it starts, health only while it is ready, and a stop under way is not begun
        // again.
        (state @ State::Starting { .. }, Input::Hung { .. } | Input::Recovered)
        | (state @ State::Ready { .. }, Input::BecameReady | Input::ReadyTimedOut | Input::StrangerAnswers)
        | (
            state @ (State::Stopping { .. } | State::Killing { .. }),
            Input::BecameReady
            | Input::ReadyTimedOut
            | Input::StrangerAnswers
            | Input::Hung { .. }
            | Input::Recovered
            | Input::LeaderExited { .. },
        )
        | (state @ State::Killing { .. }, Input::Stop(_)) => (state, None),
    }
}

fn stop(cause: StopCause, now: Duration) -> (State, Option<Act>) {
    let grace = if nobody_waits(&cause) { Grace::Short } else { Grace::Policy };
    let typed = matches!(cause, StopCause::Keyboard(_));
    let signalled = if typed { Signalled::Foreground } else { Signalled::Nobody };
    let for_good = is_for_good(&cause);
    (State::Stopping { cause, at: now, for_good }, Some(Act::Stop { grace, signalled }))
}

/// Ctrl-C typed twice ends the tree at once. What a process sends soon after the first is a copy of it.
pub(crate) fn is_meant_as_second(first: &StopCause, second: &StopCause, since: Duration) -> bool {
    match second {
        StopCause::Keyboard(_) => matches!(first, StopCause::Keyboard(_)) || since >= DUPLICATES,
        StopCause::Signal(_) => since >= DUPLICATES,
        StopCause::HangUp
        | StopCause::OwnerGone(_)
        | StopCause::LeaderExited
        | StopCause::ReadyTimeout
        | StopCause::Asked
        | StopCause::Stranger
        | StopCause::Restart
        | StopCause::Unhealthy
        | StopCause::ThenEnded => false,
    }
}

/// Whether there is nobody any more who would wait for a long grace period.
pub(crate) fn nobody_waits(cause: &StopCause) -> bool {
    match cause {
        StopCause::HangUp | StopCause::OwnerGone(_) => true,
        StopCause::Keyboard(_)
        | StopCause::Signal(_)
        | StopCause::LeaderExited
        | StopCause::ReadyTimeout
        | StopCause::Asked
        | StopCause::Stranger
        | StopCause::Restart
        | StopCause::Unhealthy
        | StopCause::ThenEnded => false,
    }
}

/// Whether a server that stops for this is never started again, whatever the policy.
pub(crate) fn is_for_good(cause: &StopCause) -> bool {
    match cause {
        StopCause::Keyboard(_)
        | StopCause::Signal(_)
        | StopCause::HangUp
        | StopCause::OwnerGone(_)
        | StopCause::Asked
        | StopCause::ThenEnded
        // It would meet the stranger again.
        | StopCause::Stranger => true,
        StopCause::LeaderExited | StopCause::ReadyTimeout | StopCause::Restart | StopCause::Unhealthy => false,
    }
}

fn over(state: State) -> State {
    match state {
        State::Starting { .. } | State::Ready { .. } => State::Over { cause: None, for_good: false },
        State::Stopping { cause, for_good, .. } => State::Over { cause: Some(cause), for_good },
        State::Killing { cause } => State::Over { cause: Some(cause), for_good: true },
        over @ State::Over { .. } => over,
    }
}
