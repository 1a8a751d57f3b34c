//! Promise 36, for servers on their way out: their devrun was killed or they are being stopped, and their record has
//! not much to say about that. No verb leads there.

use serde_json::json;

use crate::support::{
    Dashboard, Ended, Fixture, LIMIT, Ready, Running, SOON, Scratch, Signal, begins_to_stop, get, stopped,
};
use crate::verbs::{fails, succeeds};

/// The two ways out.
const WAYS: [Signal; 2] = [Signal::KILL, Signal::TERM];

/// A server that was ready and takes its time to end.
fn ending(scratch: &Scratch, by: Signal) -> (Fixture, Running, Ready) {
    let fixture = scratch.fixture("shape=plain cleanup=700");
    let mut run = scratch.run("-n web", &fixture);
    let ready = run.ready();
    if by == Signal::KILL {
        run.signal(by);
        run.ended(SOON);
    } else {
        begins_to_stop(scratch, &run);
    }
    (fixture, run, ready)
}

#[track_caller]
fn was_started_again(scratch: &Scratch, fixture: &Fixture, url: &str, what: &str) {
    assert_eq!(fixture.starts(), 2, "{what}");
    assert_eq!(get(url), scratch.mark, "{what}");
    succeeds(scratch, "stop web");
    scratch.assert_dead(LIMIT);
}

#[test]
fn start_and_open_start_it_again() {
    for by in WAYS {
        for verb in ["start web", "open --print web"] {
            let scratch = Scratch::new();
            let (fixture, _run, ready) = ending(&scratch, by);
            succeeds(&scratch, verb);
            was_started_again(&scratch, &fixture, &ready.url, &format!("{by:?}, {verb}"));
        }
    }
}

#[test]
fn the_dashboard_starts_it_again() {
    for by in WAYS {
        let scratch = Scratch::new();
        let dashboard = Dashboard::start(&scratch);
        let (fixture, _run, ready) = ending(&scratch, by);
        let id = dashboard.server(SOON, "web", |_| true)["id"].as_str().unwrap().to_string();
        let started = dashboard.ask(&format!("POST /api/servers/{id}/start"), "", "");
        assert_eq!((started.status, &started.json()["state"]), (200, &json!("ready")), "{started:?}");
        drop(dashboard);
        was_started_again(&scratch, &fixture, &ready.url, &format!("{by:?}"));
    }
}

#[test]
fn wait_waits_for_the_next_one() {
    for by in WAYS {
        let scratch = Scratch::new();
        let (fixture, _run, first) = ending(&scratch, by);
        let mut wait = Running::spawn(scratch.devrun(["wait", "web"]));
        let mut second = scratch.run("-n web", &fixture);
        let ready = second.ready();
        let found = wait.ready();
        assert_eq!((found.pid, &found.url), (ready.pid, &first.url), "{by:?}");
        assert_eq!(wait.ended(SOON), Ended::Status(0), "{by:?}");
        second.stop();
        scratch.assert_dead(LIMIT);
    }
}

#[test]
fn a_suspended_devrun_is_named_and_its_server_is_not_ready() {
    let scratch = Scratch::new();
    let mut run = scratch.run("-n web --stop-timeout 300ms", &scratch.fixture("shape=plain"));
    run.ready();
    run.signal(Signal::STOP);
    stopped(run.pid(), true);
    let named = format!("web is held by a devrun that is stopped (pid {})", run.pid());
    for verb in ["start web", "open --print web", "wait web", "wait --timeout 10ms web"] {
        fails(&scratch, verb, 125, &named);
    }
    run.signal(Signal::CONT);
    succeeds(&scratch, "wait web");
    run.stop();
    scratch.assert_dead(LIMIT);
}
