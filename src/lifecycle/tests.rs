//! The life of a server over every state that it can reach.

use std::collections::HashSet;

use super::again::retry;
use super::*;
use crate::event::Exit;
use crate::plan::RestartPolicy;

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

/// The ways in which a tree can have ended that lead to different decisions.
fn endings(cause: &Option<StopCause>, for_good: bool) -> Vec<Ended> {
    let mut all = Vec::new();
    for (was_ready, exit, ready_for) in [
        (false, Exit::Code(0), 0),
        (false, Exit::Code(1), 0),
        (true, Exit::Code(0), 1),
        (true, Exit::Signal(11), 1),
        (true, Exit::Code(1), 60),
    ] {
        for (stranger_listens, guard_lost) in [(false, false), (true, false), (false, true)] {
            let was_stopped = !matches!(cause, None | Some(StopCause::LeaderExited));
            let early = Early {
                was_ready,
                was_stopped,
                listened: was_ready,
                said_in_use: false,
                stranger_listens,
                had_reservation: true,
            };
            let ready_for = Duration::from_secs(ready_for);
            all.push(Ended { early, exit, cause: cause.clone(), for_good, guard_lost, ready_for });
        }
    }
    all
}

#[test]
fn no_server_is_started_again_after_a_stop_or_more_often_than_its_policy_allows() {
    let policies = [RestartPolicy::Never, RestartPolicy::OnFailure(2), RestartPolicy::Always];
    let over = reachable().into_iter().filter_map(|state| match state {
        State::Over { cause, for_good } => Some((cause, for_good)),
        _ => None,
    });
    let over: Vec<_> = over.collect();
    let mut checked = 0;
    for policy in policies {
        // Every count that can be reached, from every way in which a tree can be over.
        let (mut seen, mut open) = (HashSet::new(), vec![Starts::default()]);
        while let Some(starts) = open.pop() {
            if !seen.insert(starts) {
                continue;
            }
            for (cause, for_good) in &over {
                for ended in endings(cause, *for_good) {
                    checked += 1;
                    let (next, later) = after(policy, &ended, starts, 0.5);
                    match next {
                        Next::Over | Next::GiveUp { .. } => assert_eq!(later, starts, "{ended:?}"),
                        Next::ForPort(_) | Next::Again { .. } => {
                            assert!(!ended.for_good && !ended.guard_lost, "{policy:?} {ended:?}");
                            let asked = ended.cause == Some(StopCause::Restart);
                            let again = matches!(next, Next::Again { .. });
                            assert!(!again || asked || policy != RestartPolicy::Never, "{ended:?}");
                            open.push(later);
                        }
                    }
                }
            }
        }
        // The counts are what bounds the restarts: with no more of them there is no further start.
        let limit = match policy {
            RestartPolicy::Never => 1,
            RestartPolicy::OnFailure(limit) => limit + 1,
            RestartPolicy::Always => 6,
        };
        assert!(seen.len() <= 3 * limit as usize, "{policy:?}: {seen:?}");
    }
    assert!(checked > 1000, "{checked}");
}

#[test]
fn a_crash_loop_backs_off_and_is_given_up_and_a_steady_run_starts_the_count_anew() {
    let crash = |ready_for| Ended {
        early: Early {
            was_ready: true,
            was_stopped: false,
            listened: true,
            said_in_use: false,
            stranger_listens: false,
            had_reservation: true,
        },
        exit: Exit::Code(1),
        cause: Some(StopCause::LeaderExited),
        for_good: false,
        guard_lost: false,
        ready_for: Duration::from_secs(ready_for),
    };
    let policy = RestartPolicy::OnFailure(3);
    let mut starts = Starts::default();
    let mut waits = Vec::new();
    loop {
        let (next, later) = after(policy, &crash(1), starts, 0.5);
        starts = later;
        match next {
            Next::Again { after } => waits.push(after.as_millis()),
            next => break assert_eq!(next, Next::GiveUp { quick: 3 }),
        }
    }
    assert_eq!(waits, [250, 500, 1000]);
    let (next, _) = after(policy, &crash(11), starts, 0.5);
    assert_eq!(next, Next::Again { after: Duration::from_millis(250) });
    let spread = |jitter| match after(policy, &crash(1), Starts::default(), jitter).0 {
        Next::Again { after } => after.as_millis(),
        next => panic!("{next:?}"),
    };
    assert_eq!((spread(0.0), spread(1.0)), (200, 300));
    let ended_well = Ended { exit: Exit::Code(0), ..crash(1) };
    assert_eq!(after(policy, &ended_well, Starts::default(), 0.5).0, Next::Over);
    let again = after(RestartPolicy::Always, &ended_well, Starts::default(), 0.5).0;
    assert!(matches!(again, Next::Again { .. }));
    let asked = Ended { cause: Some(StopCause::Restart), ..crash(1) };
    assert_eq!(after(RestartPolicy::Never, &asked, starts, 0.5).0, Next::Again { after: Duration::ZERO });
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
