//! Promises 21 and 22: the same server is never started twice, whoever asks, and how often.

use std::time::{Duration, Instant};

use crate::support::{
    Ended, Fixture, LIMIT, Running, SOON, Scratch, Signal, begins_to_stop, eventually, get, takes_at_most,
};

/// A server that listens and never answers.
fn never_ready(scratch: &Scratch) -> (Fixture, Running) {
    let fixture = scratch.fixture("shape=plain serve=mute");
    let run = scratch.run("--stop-timeout 300ms", &fixture);
    fixture.noted("complete").unwrap();
    (fixture, run)
}

#[test]
fn twenty_calls_at_once_give_one_server_and_everybody_its_url() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=plain delay-listen=500");
    let mut runs: Vec<Running> = (0..20).map(|_| scratch.run("", &fixture)).collect();
    // All but the one that runs it end by themselves.
    eventually(LIMIT * 3, || match runs.iter_mut().filter_map(|run| run.has_ended().then_some(())).count() {
        19 => Ok(()),
        count => Err(format!("{count} have ended")),
    });
    let (ended, mut running): (Vec<_>, Vec<_>) =
        runs.into_iter().map(|mut run| (run.has_ended(), run)).partition(|(ended, _)| *ended);
    let ready = running[0].1.ready();
    for (_, run) in ended {
        let outcome = run.outcome(SOON);
        assert_eq!(outcome.ended, Ended::Status(0), "{outcome}");
        assert!(outcome.stderr.contains(&ready.url) && outcome.stdout.is_empty(), "{outcome}");
    }
    assert_eq!(fixture.starts(), 1);
    assert_eq!(get(&ready.url), scratch.mark);
    running.pop().unwrap().1.stop();
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_server_that_fails_fails_for_all_who_waited_and_is_started_once() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone serve=no after=1500 then=3");
    let mut first = scratch.run("", &fixture);
    fixture.noted("complete").unwrap();
    let waiting: Vec<Running> = (0..5).map(|_| scratch.run("", &fixture)).collect();
    for run in waiting {
        let outcome = run.outcome(LIMIT);
        assert_eq!(outcome.ended, Ended::Status(1), "{outcome}");
        assert!(
            outcome.stderr.contains("was started by another devrun and ended before it was ready"),
            "{outcome}"
        );
        assert!(outcome.stderr.contains("hint: "), "{outcome}");
    }
    assert_eq!(first.ended(SOON), Ended::Status(3));
    assert_eq!(fixture.starts(), 1, "{}", fixture.notes());
    scratch.assert_dead(LIMIT);
}

#[test]
fn when_the_one_that_starts_it_is_killed_the_next_one_does() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=plain delay-listen=400");
    let first = scratch.run("--stop-timeout 300ms", &fixture);
    fixture.noted("complete").unwrap();
    let mut second = scratch.run("", &fixture);
    first.signal(Signal::KILL);
    let ready = second.ready();
    assert_eq!(get(&ready.url), scratch.mark);
    assert_eq!(fixture.starts(), 2);
    second.stop();
    scratch.assert_dead(LIMIT);
}

#[test]
fn nobody_is_led_to_a_server_whose_devrun_was_killed_and_that_is_ending() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=plain cleanup=600");
    let mut first = scratch.run("", &fixture);
    let ready = first.ready();
    first.signal(Signal::KILL);
    first.ended(SOON);
    let mut second = scratch.run("", &fixture);
    assert_eq!(second.ready().port, ready.port);
    assert_eq!(get(&ready.url), scratch.mark);
    assert_eq!(fixture.starts(), 2);
    second.stop();
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_killed_run_that_is_ending_is_not_one_that_runs_already() {
    for option in ["--if-running error", "--if-running new"] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=plain cleanup=600");
        let mut first = scratch.run("", &fixture);
        let port = first.ready().port;
        first.signal(Signal::KILL);
        first.ended(SOON);
        let mut second = scratch.run(option, &fixture);
        assert_eq!(second.ready().port, port, "{option}: in its place, not beside it");
        assert_eq!(fixture.starts(), 2);
        second.stop();
        scratch.assert_dead(LIMIT);
    }
}

#[test]
fn whoever_comes_while_it_is_being_stopped_starts_it_again_in_its_place() {
    for option in ["--if-running url", "--if-running error", "--if-running new"] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=plain cleanup=1500");
        let mut first = scratch.run("", &fixture);
        let ready = first.ready();
        begins_to_stop(&scratch, &first);
        let mut second = scratch.run(option, &fixture);
        second.says("is being stopped; waiting for it");
        assert_eq!(second.ready().url, ready.url, "{option}");
        assert_eq!(first.ended(SOON), Ended::Status(0));
        assert_eq!(fixture.starts(), 2);
        second.stop();
        scratch.assert_dead(LIMIT);
    }
}

#[test]
fn a_stop_before_readiness_is_one_for_all_who_waited_and_not_for_who_comes_later() {
    for comes_later in [false, true] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=alone serve=mute cleanup=1500");
        let first = scratch.run("", &fixture);
        fixture.noted("complete").unwrap();
        if comes_later {
            begins_to_stop(&scratch, &first);
        }
        let mut second = scratch.run("--stop-timeout 300ms", &fixture);
        second.says("waiting for it");
        if comes_later {
            eventually(SOON, || match fixture.starts() {
                2 => Ok(()),
                count => Err(format!("{count} starts; {}", second.stderr())),
            });
            second.stop();
        } else {
            first.signal(Signal::TERM);
            let outcome = second.outcome(SOON);
            assert_eq!(outcome.ended, Ended::Status(1), "{outcome}");
            assert!(outcome.stderr.contains("cause: it was stopped"), "{outcome}");
            assert_eq!(fixture.starts(), 1);
        }
        scratch.assert_dead(LIMIT);
    }
}

#[test]
fn whoever_holds_it_and_is_stopped_is_named_within_two_seconds() {
    let scratch = Scratch::new();
    let (fixture, holder) = never_ready(&scratch);
    holder.signal(Signal::STOP);
    takes_at_most(Duration::from_secs(3), || {
        let began = Instant::now();
        let outcome = scratch.run("", &fixture).outcome(SOON);
        assert_eq!(outcome.ended, Ended::Status(125), "{outcome}");
        let named = format!("devrun that is stopped (pid {})", holder.pid());
        assert!(outcome.stderr.contains(&named), "{outcome}");
        assert!(outcome.stderr.contains(&format!("kill -CONT {}", holder.pid())), "{outcome}");
        began.elapsed()
    });
    holder.signal(Signal::KILL);
    scratch.assert_dead(LIMIT);
}

#[test]
fn what_runs_is_replaced_refused_or_joined_as_asked() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=daemon");
    let mut first = scratch.run("", &fixture);
    let ready = first.ready();

    let refused = scratch.run("--if-running error", &fixture).outcome(SOON);
    assert_eq!(refused.ended, Ended::Status(125), "{refused}");
    assert!(refused.stderr.contains(&format!("runs already at {}", ready.url)), "{refused}");
    assert!(refused.stderr.contains("devrun stop "), "{refused}");

    let joined = scratch.run("--if-running url", &fixture).outcome(SOON);
    assert_eq!(joined.ended, Ended::Status(0), "{joined}");
    assert!(joined.stderr.contains(&ready.url), "{joined}");

    let mut beside = scratch.run("--if-running new", &fixture);
    let other = beside.ready();
    assert_ne!(other.url, ready.url);
    let mut third = scratch.run("--if-running new", &fixture);
    let last = third.ready();
    assert!(![&other.url, &ready.url].contains(&&last.url));
    assert!(third.stderr().contains("project-3"), "{}", third.stderr());
    beside.stop();
    third.stop();

    for option in ["--if-running replace", "--force"] {
        let mut next = scratch.run(option, &fixture);
        let replaced = next.ready();
        assert_eq!(replaced.url, ready.url, "the same port");
        first.ended(SOON);
        assert_eq!(get(&replaced.url), scratch.mark);
        first = next;
    }
    assert_eq!(fixture.starts(), 5);
    first.stop();
    scratch.assert_dead(LIMIT);
}

#[test]
fn ctrl_c_ends_the_waiting_and_not_the_server() {
    let scratch = Scratch::new();
    let (fixture, first) = never_ready(&scratch);
    let mut second = scratch.run("", &fixture);
    second.says("waiting for it");
    second.signal(Signal::INT);
    assert_eq!(second.outcome(SOON).ended, Ended::Signal(2));
    assert!(scratch.dead().is_err(), "the server goes on");
    first.stop();
    scratch.assert_dead(LIMIT);
}

#[test]
fn whoever_waits_for_anothers_start_waits_no_longer_than_for_its_own() {
    let scratch = Scratch::new();
    let (fixture, first) = never_ready(&scratch);
    let outcome = scratch.run("--ready-timeout 700ms", &fixture).outcome(SOON);
    let said = "...\nerror: project was not ready within 700ms\ncause: project is being started by another devrun[..]\n...\nhint: [..]\n";
    outcome.expect(Ended::Status(124), "", said);
    assert!(scratch.dead().is_err(), "the server goes on");
    first.stop();
    scratch.assert_dead(LIMIT);
}

#[test]
fn ctrl_c_ends_one_that_replaces_a_server_which_takes_its_time() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone signals=/dev/null cleanup=60000");
    let first = scratch.run("--ready none --stop-timeout 60s", &fixture);
    fixture.stands();
    let mut second = scratch.run("--ready none --force --stop-timeout 60s", &fixture);
    second.says("stopping the project");
    second.signal(Signal::INT);
    assert_eq!(second.outcome(SOON).ended, Ended::Signal(2));
    first.signal(Signal::KILL);
    scratch.assert_dead(LIMIT);
}
