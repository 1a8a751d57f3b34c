//! From every end of a tree to what comes after it.

use std::collections::HashSet;

use super::super::State;
use super::super::tests::reachable;
use super::*;

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

#[test]
fn a_command_that_can_not_have_its_port_is_started_three_times() {
    let early = Early {
        was_ready: false,
        was_stopped: false,
        listened: false,
        said_in_use: false,
        stranger_listens: true,
        had_reservation: true,
    };
    let (exit, cause) = (Exit::Code(1), Some(StopCause::LeaderExited));
    let ended = Ended { early, exit, cause, for_good: false, guard_lost: false, ready_for: Duration::ZERO };
    let (mut starts, mut count) = (Starts::default(), 1);
    while let (Next::ForPort(_), later) = after(RestartPolicy::Never, &ended, starts, 0.5) {
        (starts, count) = (later, count + 1);
        assert!(count < 10, "without end");
    }
    assert_eq!(count, 3);
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
fn a_server_that_hung_or_never_answered_has_failed_however_it_exits() {
    for (cause, expected) in
        [(StopCause::Unhealthy, true), (StopCause::ReadyTimeout, true), (StopCause::LeaderExited, false)]
    {
        let ended = &endings(&Some(cause.clone()), false)[6]; // ready, and exits with 0
        assert_eq!((ended.early.was_ready, ended.exit), (true, Exit::Code(0)));
        let next = after(RestartPolicy::OnFailure(1), ended, Starts::default(), 0.5).0;
        assert_eq!(matches!(next, Next::Again { .. }), expected, "{cause:?} -> {next:?}");
    }
}
