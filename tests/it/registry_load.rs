//! Promise 18, and a registry of ten thousand: many at once, many killed, much to read.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::support::{Ended, LIMIT, Running, SOON, Scratch, Signal, eventually, kill, takes_at_most};

/// Not guessed by anybody, and printed when it matters.
fn dice(below: u64) -> u64 {
    RandomState::new().hash_one(0) % below
}

#[test]
fn of_two_hundred_starts_and_forty_kills_every_survivor_is_recorded_once() {
    let scratch = Scratch::new();
    let fixtures: Vec<_> = (0..200).map(|_| scratch.fixture("shape=alone")).collect();
    let mut runs: Vec<_> = Vec::new();
    // Each fifth is killed at some moment of its first 200 ms, wherever it is by then.
    let mut doomed: Vec<(Instant, u32)> = Vec::new();
    for (number, fixture) in fixtures.iter().enumerate() {
        let options = format!("--ready none --stop-timeout 500ms --port-range 4400-4999 --name s{number}");
        let run = scratch.run(&options, fixture);
        if number % 5 == 0 {
            doomed.push((Instant::now() + Duration::from_millis(dice(200)), run.pid()));
        }
        doomed.retain(|(when, pid)| {
            let due = *when <= Instant::now();
            due.then(|| kill(*pid, Signal::KILL));
            !due
        });
        runs.push(run);
    }
    doomed.iter().for_each(|(_, pid)| kill(*pid, Signal::KILL));
    let mut ports = HashSet::new();
    let survivors = runs.iter_mut().zip(&fixtures).enumerate().filter(|(number, _)| number % 5 != 0);
    for (number, (run, fixture)) in survivors {
        fixture.noted("complete").unwrap_or_else(|missing| panic!("{number}: {missing}; {}", run.stderr()));
        assert!(!fixture.notes().contains("bind-failed"), "{number}: {}", fixture.notes());
        assert!(!run.stderr().contains("warning:"), "{number}: {}", run.stderr());
        let port = fixture.port().unwrap();
        assert!(ports.insert(port), "port {port} was given twice");
        let id = eventually(SOON, || {
            let listed = scratch.listed(false);
            let mine: Vec<_> =
                listed.iter().filter(|server| server["name"] == format!("s{number}")).collect();
            let fits = mine.len() == 1 && mine[0]["port"] == port && mine[0]["running"] == true;
            if fits { Ok(mine[0]["id"].as_str().unwrap().to_string()) } else { Err(format!("{mine:?}")) }
        });
        let owner = std::fs::read_to_string(scratch.state().join("ports").join(port.to_string())).unwrap();
        assert_eq!(owner.trim(), id, "port {port} belongs to who runs on it");
    }
    // Nothing that was killed is listed as running, and every file is whole: nothing is complained of.
    eventually(SOON, || match scratch.listed(false).len() {
        160 => Ok(()),
        count => Err(format!("{count} run")),
    });
    let all = scratch.listed(true);
    assert_eq!(all.iter().map(|server| server["id"].as_str()).collect::<HashSet<_>>().len(), all.len());
    runs.iter().for_each(|run| kill(run.pid(), Signal::TERM));
    runs.into_iter().for_each(|mut run| _ = run.ended(SOON));
    scratch.assert_dead(LIMIT);
}

#[test]
fn ten_thousand_records_are_listed_and_hinder_no_start() {
    let scratch = Scratch::new();
    let run = || scratch.devrun(["--ready", "none", "--name", "shop", "--", "true"]);
    assert_eq!(Running::spawn(run()).outcome(SOON).ended, Ended::Status(0));
    let record = std::fs::read_to_string(scratch.record_path()).unwrap();
    let id = scratch.server_folders()[0].file_name().unwrap().to_str().unwrap().to_string();
    for number in 0..10_000 {
        let other = format!("{number:016x}");
        let folder = scratch.state().join("servers").join(&other);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("server.json"), record.replace(&id, &other)).unwrap();
    }
    let start = Instant::now();
    assert_eq!(scratch.listed(true).len(), 10_001);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    takes_at_most(Duration::from_secs(2), || {
        let start = Instant::now();
        let outcome = Running::spawn(run()).outcome(SOON);
        assert_eq!(
            (outcome.ended, outcome.stderr.contains("warning:")),
            (Ended::Status(0), false),
            "{outcome}"
        );
        start.elapsed()
    });
}
