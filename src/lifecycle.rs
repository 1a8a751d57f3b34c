//! The life of one tree, as one total function from a state and an input to the next state and what to do.
//! Pure: nothing here waits, signals or prints; `supervise` does what this says.
//!
//! What holds in every reachable state (tested over all of them): a stop always ends in the hard stop or an empty
//! tree; only an empty tree, or the loss of the guard, ends a life, never the leader's exit.

use std::time::Duration;

use crate::event::StopCause;

/// A signal that comes so soon after the first was sent on by a package manager, not meant as a second one.
const DUPLICATES: Duration = Duration::from_secs(1);

/// Where a tree's life has got to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Not ready yet.
    Starting { leader: Leader },
    /// A member answers.
    Ready { leader: Leader },
    /// The stop signal was sent, at this time after the start.
    Stopping { cause: StopCause, at: Duration },
    /// Members are being killed.
    Killing { cause: StopCause },
    /// Nobody is left. Without a cause, the tree ended by itself.
    Over { cause: Option<StopCause> },
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
        (state, Input::TreeEmpty) => (State::Over { cause: cause(state) }, None),
        (state, Input::GuardLost) => (State::Over { cause: cause(state) }, Some(Act::EndWithoutGuard)),
        (State::Starting { leader }, Input::BecameReady) => {
            (State::Ready { leader }, Some(Act::AnnounceReady))
        }
        (State::Starting { .. }, Input::ReadyTimedOut) => stop(StopCause::ReadyTimeout, now),
        (State::Starting { .. }, Input::StrangerAnswers) => stop(StopCause::Stranger, now),
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
        (State::Stopping { cause, at }, Input::Stop(second)) => {
            if is_meant_as_second(&cause, &second, now.saturating_sub(at)) {
                (State::Killing { cause }, Some(Act::Kill))
            } else {
                (State::Stopping { cause, at }, None)
            }
        }
        // Readiness is asked only while it starts, and a stop under way is not begun again.
        (state @ State::Ready { .. }, Input::BecameReady | Input::ReadyTimedOut | Input::StrangerAnswers)
        | (
            state @ (State::Stopping { .. } | State::Killing { .. }),
            Input::BecameReady
            | Input::ReadyTimedOut
            | Input::StrangerAnswers
            | Input::LeaderExited { .. }
            | Input::Stop(_),
        ) => (state, None),
    }
}

fn stop(cause: StopCause, now: Duration) -> (State, Option<Act>) {
    let grace = match cause {
        StopCause::HangUp | StopCause::OwnerGone(_) => Grace::Short,
        StopCause::Keyboard(_)
        | StopCause::Signal(_)
        | StopCause::LeaderExited
        | StopCause::ReadyTimeout
        | StopCause::Asked
        | StopCause::Stranger
        | StopCause::Restart
        | StopCause::Unhealthy
        | StopCause::ThenEnded => Grace::Policy,
    };
    let signalled = match cause {
        StopCause::Keyboard(_) => Signalled::Foreground,
        StopCause::Signal(_)
        | StopCause::HangUp
        | StopCause::OwnerGone(_)
        | StopCause::LeaderExited
        | StopCause::ReadyTimeout
        | StopCause::Asked
        | StopCause::Stranger
        | StopCause::Restart
        | StopCause::Unhealthy
        | StopCause::ThenEnded => Signalled::Nobody,
    };
    (State::Stopping { cause, at: now }, Some(Act::Stop { grace, signalled }))
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

fn cause(state: State) -> Option<StopCause> {
    match state {
        State::Starting { .. } | State::Ready { .. } => None,
        State::Stopping { cause, .. } | State::Killing { cause } => Some(cause),
        State::Over { cause } => cause,
    }
}

/// How many times a command is started that could not have its port.
const TRIES: u32 = 3;

/// What is known of a tree that ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Early {
    pub(crate) was_ready: bool,
    pub(crate) was_stopped: bool,
    /// A member listened on some port, for however short.
    pub(crate) listened: bool,
    /// The output says that the address is in use.
    pub(crate) said_in_use: bool,
    /// A process outside the tree listens on the port.
    pub(crate) stranger_listens: bool,
    pub(crate) had_reservation: bool,
}

/// How a command is started once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// On the same port, with nothing of ours bound to it: some servers don't set SO_REUSEADDR and can't bind
    /// over a reservation.
    WithoutReservation,
    /// On the next port: somebody took this one between the choice and the bind.
    NextPort,
}

/// Whether a command that ended before it was ready is started once more; `tries` counts the starts so far.
pub(crate) fn retry(early: &Early, tries: u32) -> Option<Retry> {
    if early.was_ready || early.was_stopped || tries >= TRIES {
        return None;
    }
    if early.stranger_listens {
        return Some(Retry::NextPort);
    }
    (early.said_in_use && early.had_reservation && !early.listened).then_some(Retry::WithoutReservation)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const CAUSES: [StopCause; 11] = [
        StopCause::Keyboard(2),
        StopCause::Signal(15),
        StopCause::HangUp,
        StopCause::OwnerGone(7),
        StopCause::LeaderExited,
        StopCause::ReadyTimeout,
        StopCause::Asked,
        StopCause::Stranger,
        StopCause::Restart,
        StopCause::Unhealthy,
        StopCause::ThenEnded,
    ];

    fn inputs() -> Vec<Input> {
        let mut all = vec![
            Input::BecameReady,
            Input::ReadyTimedOut,
            Input::StrangerAnswers,
            Input::LeaderExited { serving: true },
            Input::LeaderExited { serving: false },
            Input::TreeEmpty,
            Input::GuardLost,
        ];
        all.extend(CAUSES.map(Input::Stop));
        all
    }

    /// Every state that can be reached, at times before and after the limit for duplicates.
    fn reachable() -> Vec<State> {
        let (mut seen, mut open) = (HashSet::new(), vec![State::Starting { leader: Leader::Running }]);
        let mut states = Vec::new();
        while let Some(state) = open.pop() {
            if !seen.insert(format!("{state:?}")) {
                continue;
            }
            for input in inputs() {
                for now in [0, 5000] {
                    open.push(step(state.clone(), input.clone(), Duration::from_millis(now)).0);
                }
            }
            states.push(state);
        }
        states
    }

    #[test]
    fn only_an_empty_tree_or_a_lost_guard_ends_a_life() {
        for state in reachable() {
            for input in inputs() {
                let (next, _) = step(state.clone(), input.clone(), Duration::ZERO);
                let ended = matches!(next, State::Over { .. }) && !matches!(state, State::Over { .. });
                assert_eq!(
                    ended,
                    matches!(input, Input::TreeEmpty | Input::GuardLost)
                        && !matches!(state, State::Over { .. }),
                    "{state:?} {input:?} -> {next:?}"
                );
            }
        }
    }

    #[test]
    fn a_stop_is_never_taken_back_and_is_sent_once() {
        for state in reachable() {
            for input in inputs() {
                let (next, act) = step(state.clone(), input.clone(), Duration::from_secs(9));
                if matches!(state, State::Stopping { .. }) {
                    let onwards =
                        matches!(next, State::Stopping { .. } | State::Killing { .. } | State::Over { .. });
                    assert!(onwards, "{state:?} {input:?} -> {next:?}");
                }
                if matches!(state, State::Stopping { .. } | State::Killing { .. } | State::Over { .. }) {
                    assert!(!matches!(act, Some(Act::Stop { .. })), "{state:?} {input:?} -> {act:?}");
                }
            }
        }
    }

    #[test]
    fn every_living_state_can_be_stopped_and_killed_by_two_typed_interrupts() {
        for state in reachable() {
            if matches!(state, State::Over { .. }) {
                continue;
            }
            let typed = || Input::Stop(StopCause::Keyboard(2));
            let mut state = state;
            let mut killed = matches!(state, State::Killing { .. });
            for at in [20_000, 40_000] {
                let (next, act) = step(state, typed(), Duration::from_millis(at));
                killed |= act == Some(Act::Kill);
                state = next;
            }
            assert!(killed, "{state:?}");
        }
    }

    #[test]
    fn the_copy_of_an_interrupt_that_npm_sends_on_is_no_second_interrupt() {
        let (state, act) = step(
            State::Ready { leader: Leader::Running },
            Input::Stop(StopCause::Keyboard(2)),
            Duration::from_millis(100),
        );
        assert_eq!(act, Some(Act::Stop { grace: Grace::Policy, signalled: Signalled::Foreground }));
        let (state, act) = step(state, Input::Stop(StopCause::Signal(2)), Duration::from_millis(150));
        assert_eq!(act, None);
        let (_, act) = step(state, Input::Stop(StopCause::Keyboard(2)), Duration::from_millis(300));
        assert_eq!(act, Some(Act::Kill));
    }

    #[test]
    fn a_command_is_started_once_more_only_for_its_port() {
        let early = Early {
            was_ready: false,
            was_stopped: false,
            listened: false,
            said_in_use: true,
            stranger_listens: false,
            had_reservation: true,
        };
        let table = [
            (early, 1, Some(Retry::WithoutReservation)),
            (Early { had_reservation: false, ..early }, 1, None),
            (Early { said_in_use: false, ..early }, 1, None),
            (Early { listened: true, ..early }, 1, None),
            (Early { stranger_listens: true, said_in_use: false, ..early }, 1, Some(Retry::NextPort)),
            (Early { stranger_listens: true, ..early }, 3, None),
            (Early { was_ready: true, ..early }, 1, None),
            (Early { was_stopped: true, ..early }, 1, None),
        ];
        for (early, tries, expected) in table {
            assert_eq!(retry(&early, tries), expected, "{early:?} after {tries}");
        }
    }
}
