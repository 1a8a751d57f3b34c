//! `devrun doctor` says how this machine and this project are, tries the promises, and leaves nothing behind.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::support::{Ended, LIMIT, Outcome, Running, Scratch, hold};

/// Four trials, each of which may take ten seconds where something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// The state of each check.
fn checks(outcome: &Outcome) -> BTreeMap<String, (String, String)> {
    let told: serde_json::Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome}"));
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_string();
    let each = told["checks"].as_array().unwrap().iter();
    each.map(|check| (text(&check["check"]), (text(&check["state"]), text(&check["found"])))).collect()
}

fn doctor(scratch: &Scratch, args: &[&str]) -> Outcome {
    Running::spawn(scratch.devrun([&["doctor"], args].concat())).outcome(PATIENCE)
}

#[test]
fn it_tries_the_promises_and_leaves_nothing_behind() {
    let scratch = Scratch::new();
    let temporary = scratch.dir().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let mut command = scratch.devrun(["doctor", "--json"]);
    command.env("TMPDIR", &temporary);
    let outcome = Running::spawn(command).outcome(PATIENCE);
    assert_eq!(outcome.ended, Ended::Status(0), "{outcome}");
    let checks = checks(&outcome);
    for trial in
        ["kill -9", "closed terminal", "double fork", "parallel start", "subreaper", "loopback 127.0.0.1"]
    {
        assert_eq!(checks.get(trial).map(|(state, _)| &**state), Some("ok"), "{trial}: {outcome}");
    }
    assert_eq!(checks["project"].0, "limited", "there is none here: {outcome}");
    scratch.assert_dead(LIMIT);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "no folder is left");
    let known = Running::spawn(scratch.devrun(["ls", "--all", "--json"])).outcome(LIMIT);
    assert_eq!(known.stdout.trim(), "[]", "no server is remembered");
}

#[test]
fn it_says_how_the_projects_server_gets_its_port() {
    let scratch = Scratch::new();
    scratch.package_json(&[("dev", "vite".to_string())]);
    let outcome = doctor(&scratch, &["--json"]);
    let checks = checks(&outcome);
    assert!(checks["project"].1.contains("shop: npm run dev"), "{outcome}");
    assert!(checks["server"].1.contains("vite gets its port as `--port"), "{outcome}");
    assert_eq!(checks["port"].0, "ok", "{outcome}");
}

#[test]
fn it_names_the_port_that_the_server_had_and_takes_none() {
    let scratch = Scratch::new();
    scratch.package_json(&[("dev", scratch.fixture("shape=alone").line())]);
    let port = |outcome: &Outcome| checks(outcome)["port"].1.clone();
    let fresh = doctor(&scratch, &["--json"]);
    let ports = scratch.state().join("ports");
    let left = || fs::read_dir(&ports).map_or(0, |found| found.flatten().count());
    assert_eq!(left(), 0, "{fresh}");
    let first: u16 = port(&fresh).split(',').next().unwrap().parse().unwrap();
    // While another has that port, the server gets the next.
    let held = hold("127.0.0.1", first);
    let mut run = Running::spawn(scratch.devrun(["--ready", "tcp"]));
    let had = run.ready().port;
    assert_ne!(had, first);
    run.stop();
    drop(held);
    let before = left();
    let outcome = doctor(&scratch, &["--json"]);
    assert!(port(&outcome).starts_with(&had.to_string()), "{had} in {outcome}");
    assert_eq!(left(), before);
    scratch.assert_dead(LIMIT);
}

#[test]
fn what_is_wrong_is_named_and_the_status_is_one() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.dir().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(scratch.dir().join("elsewhere"), scratch.state()).unwrap();
    let outcome = doctor(&scratch, &[]);
    assert_eq!(outcome.ended, Ended::Status(1), "{outcome}");
    let line = outcome.stdout.lines().find(|line| line.starts_with("failed")).unwrap_or_default();
    assert!(line.contains("state folder"), "{outcome}");
}
