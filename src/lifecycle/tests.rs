//! The life of a server over every state that it can reach.

use std::collections::HashSet;

use super::*;

/// Each of them once, for tests over all.
pub(crate) const CAUSES: [StopCause; 11] = [
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
        Input::Hung { restart: true },
        Input::Hung { restart: false },
        Input::Recovered,
    ];
    all.extend(CAUSES.map(Input::Stop));
    all
}

/// Every state that can be reached, at times before and after the limit for duplicates.
pub(super) fn reachable() -> Vec<State> {
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
                matches!(input, Input::TreeEmpty | Input::GuardLost) && !matches!(state, State::Over { .. }),
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
fn only_what_nobody_asked_for_may_be_followed_by_another_start() {
    for cause in CAUSES {
        let (state, _) =
            step(State::Ready { leader: Leader::Running }, Input::Stop(cause.clone()), Duration::ZERO);
        let (state, _) = step(state, Input::TreeEmpty, Duration::ZERO);
        let again = matches!(
            cause,
            StopCause::LeaderExited | StopCause::ReadyTimeout | StopCause::Restart | StopCause::Unhealthy
        );
        assert_eq!(state, State::Over { cause: Some(cause), for_good: !again });
    }
}

#[test]
fn whoever_insists_on_the_end_is_not_overruled_by_a_restart() {
    let mut state = State::Ready { leader: Leader::Running };
    for (cause, at) in [(StopCause::Restart, 0), (StopCause::Signal(15), 5), (StopCause::Restart, 6)] {
        state = step(state, Input::Stop(cause), Duration::from_secs(at)).0;
    }
    assert_eq!(state, State::Killing { cause: StopCause::Restart });
    let over = State::Over { cause: Some(StopCause::Restart), for_good: true };
    assert_eq!(step(state, Input::TreeEmpty, Duration::from_secs(7)).0, over);
}

#[test]
fn whoever_asks_for_the_end_during_a_restart_gets_it() {
    let running = State::Ready { leader: Leader::Running };
    for cause in [StopCause::Restart, StopCause::Unhealthy, StopCause::LeaderExited, StopCause::ReadyTimeout]
    {
        let (state, _) = step(running.clone(), Input::Stop(cause.clone()), Duration::ZERO);
        let (state, _) = step(state, Input::Stop(StopCause::Asked), Duration::from_millis(1));
        let (state, _) = step(state, Input::TreeEmpty, Duration::from_millis(2));
        assert_eq!(state, State::Over { cause: Some(cause), for_good: true });
    }
}
