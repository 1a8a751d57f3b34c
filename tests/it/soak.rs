//! What a day of work does over and over leaves nothing behind and lets nothing grow. `tests/soak` runs it a hundred
//! times as long.

use std::fs;
use std::path::Path;

use crate::support::{Ended, LIMIT, Outcome, Running, SOON, Scratch, Signal, eventually, kill};

/// So many rounds, or as many times more as `DEVRUN_SOAK` says.
fn rounds(usual: usize) -> usize {
    let times = std::env::var("DEVRUN_SOAK").map_or(1, |times| times.parse().expect("a number"));
    usual * times
}

fn said(what: &str) {
    // Past the test runner's capture: these are the figures of a long run.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("soak: {what}\n").as_bytes());
}

#[track_caller]
fn devrun(scratch: &Scratch, args: &[&str]) -> Outcome {
    let outcome = Running::spawn(scratch.devrun(args)).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(0), "{args:?}: {outcome}");
    outcome
}

/// Every file below this folder.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path().to_string_lossy().into_owned()),
        }
    }
    found.sort();
    found
}

/// The processes whose parent is one of these: how many, and how many of them are zombies.
fn children(parents: &[u32]) -> (Vec<u32>, usize) {
    let all = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let stat = String::from_utf8_lossy(&fs::read(entry.path().join("stat")).ok()?).into_owned();
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let zombie = fields.next()? == "Z";
        let ours = parents.contains(&fields.next()?.parse().ok()?);
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        ours.then_some((pid, zombie))
    });
    let (pids, zombies): (Vec<u32>, Vec<bool>) = all.unzip();
    (pids, zombies.into_iter().filter(|zombie| *zombie).count())
}

/// Descriptors, threads and kilobytes of memory of a process.
fn holds(pid: u32) -> (usize, usize, u64) {
    let count = |what: &str| fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    (count("fd"), count("task"), rss.trim().trim_end_matches(" kB").parse().unwrap())
}

#[test]
fn starts_and_stops_of_every_kind_leave_no_process_lock_or_file() {
    let scratch = Scratch::new();
    let mut port = None;
    let mut known = Vec::new();
    let count = rounds(21) + 1;
    for round in 0..count {
        let fixture = scratch.fixture("shape=daemon");
        let options = "--name soak --stop-timeout 2s";
        if round % 3 == 1 {
            let words = crate::support::words(&format!("{options} -d"), &fixture);
            devrun(&scratch, &words.iter().map(String::as_str).collect::<Vec<_>>());
            devrun(&scratch, &["stop", "soak"]);
        } else {
            let mut run = scratch.run(options, &fixture);
            let ready = run.ready();
            assert_eq!(*port.get_or_insert(ready.port), ready.port, "round {round}: the port stays");
            run.signal(if round % 3 == 0 { Signal::TERM } else { Signal::KILL });
            run.outcome(LIMIT);
        }
        eventually(LIMIT, || fixture.gone().map_err(|left| format!("round {round}: {left}")));
        // After an orderly end of each kind, and after what a kill has left was found. The mark of a killed run that
        // was still ending when this one began goes with the next.
        if round > 0 && round % 3 == 0 {
            let (marks, now): (Vec<_>, Vec<_>) =
                files(&scratch.state()).into_iter().partition(|file| file.contains("/live/"));
            assert!(marks.len() <= 1 && (round == 3 || now == known), "round {round}: {marks:?} {now:?}");
            known = now;
        }
    }
    scratch.assert_dead(LIMIT);
    assert_eq!(scratch.listed(false).len(), 0, "nothing is locked");
    let bytes: u64 = known.iter().filter_map(|file| fs::metadata(file).ok()).map(|about| about.len()).sum();
    said(&format!("{count} starts and stops: {} files of {bytes} bytes", known.len()));
}

#[test]
fn a_front_that_starts_its_server_again_and_again_does_not_grow() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=daemon");
    let mut run = scratch.run("--name soak --restart on-failure:9 --stop-timeout 2s", &fixture);
    run.ready();
    let starts = || fixture.notes().lines().filter(|line| line.starts_with("leader ")).count();
    let again = |expected: usize| {
        eventually(SOON, || match (starts(), scratch.listed(false)) {
            (seen, list) if seen == expected && list[0]["state"] == "ready" => Ok(()),
            (seen, list) => Err(format!("start {seen} of {expected}: {list:?}")),
        });
    };
    let (count, mut before) = (rounds(20), None);
    for round in 0..count {
        match round {
            // A crash, and the wait after it.
            2 | 4 => {
                let leader = fixture.members().into_iter().rfind(|(role, ..)| role == "leader").unwrap();
                kill(leader.1, Signal::USR2);
            }
            _ => drop(devrun(&scratch, &["restart", "soak"])),
        }
        again(round + 2);
        if round == 9 {
            before = Some(holds(run.pid()));
        }
    }
    // Front, guard, the command and its daemon, and nobody that was not waited for.
    let (guard, _) = children(&[run.pid()]);
    let (members, zombies) = children(&[vec![run.pid()], guard.clone()].concat());
    assert_eq!((guard.len(), zombies), (1, 0), "{members:?}");
    let (before, after) = (before.expect("more than nine rounds"), holds(run.pid()));
    said(&format!(
        "{count} restarts: descriptors, threads, kB of the front {before:?} before, {after:?} after"
    ));
    assert_eq!((before.0, before.1), (after.0, after.1), "descriptors and threads");
    assert!(after.2 < before.2 + 1024, "memory grew from {} kB to {} kB", before.2, after.2);
    run.stop();
    scratch.assert_dead(LIMIT);
    let gone = fixture.gone();
    assert!(gone.is_ok(), "{gone:?}");
}
