//! Promise 2: what was left when front and guard were killed together is ended by the next start of any devrun,
//! and no stranger is touched.

use std::time::Duration;

use crate::support::{LIMIT, Running, SOON, Scratch, Signal, eventually, kill, kill_group};

/// Kills front and guard so that neither can end the tree, and returns once both are gone.
fn kill_both(scratch: &Scratch, run: &mut Running) {
    let front = run.pid();
    kill(front, Signal::STOP);
    let guards: Vec<_> = scratch.alive().into_iter().filter(|found| found.ppid == front).collect();
    assert!(!guards.is_empty(), "the front has a guard");
    // Stopped first: none of them may see the other's death.
    guards.iter().for_each(|guard| kill(guard.pid, Signal::STOP));
    guards.iter().for_each(|guard| kill(guard.pid, Signal::KILL));
    kill(front, Signal::KILL);
    run.ended(SOON);
}

#[test]
fn the_next_start_ends_what_a_double_kill_has_left() {
    // Shapes whose processes outlive both: the leader itself dies with the guard.
    for shape in ["own-session", "daemon", "ignore-signals", "wide:200", "deep:60", "respawn"] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture(&format!("shape={shape}"));
        let mut run = scratch.run("", &fixture);
        run.ready();
        fixture.stands();
        // The members get into the record while the server runs; the environment's mark covers later ones.
        kill_both(&scratch, &mut run);
        let ghosts = scratch.alive();
        assert!(!ghosts.is_empty(), "{shape}: a double kill leaves ghosts, or this test proves nothing");
        let other = Running::spawn(scratch.devrun(["--ready", "none", "--name", "other", "--", "true"]));
        let outcome = other.outcome(SOON);
        assert!(outcome.stderr.contains("ended what a crash of"), "{shape}: {outcome}");
        eventually(LIMIT, || {
            scratch.dead().map_err(|seen| format!("{shape}: {seen}"))?;
            fixture.gone()
        });
    }
}

#[test]
fn clean_ends_ghosts_and_a_dry_run_does_not() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=own-session");
    let mut run = scratch.run("", &fixture);
    run.ready();
    kill_both(&scratch, &mut run);
    let ghosts = scratch.alive().len();
    Running::spawn(scratch.devrun(["clean", "--dry-run"])).outcome(SOON);
    assert_eq!(scratch.alive().len(), ghosts, "a dry run touches nothing");
    Running::spawn(scratch.devrun(["clean"])).outcome(SOON);
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_process_that_only_looks_like_a_ghost_lives() {
    let scratch = Scratch::new();
    let stranger = Scratch::new();
    let fixture = scratch.fixture("shape=own-session");
    let mut run = scratch.run("", &fixture);
    let port = run.ready().port;
    kill_both(&scratch, &mut run);
    // Another program now has the port, in the same folder, with the same name.
    let alive = scratch.alive();
    alive.iter().for_each(|found| kill(found.pid, Signal::KILL));
    scratch.assert_dead(LIMIT);
    let fake = stranger.fixture(&format!("shape=alone port={port}"));
    let mut command = stranger.command(&fake.argv[0]);
    command.args(&fake.argv[1..]).current_dir(scratch.project());
    let mut living = Running::spawn(command);
    fake.stands();
    Running::spawn(scratch.devrun(["--ready", "none", "--", "true"])).outcome(SOON);
    assert!(!living.has_ended(), "whoever listens on the port is not a ghost");
    kill_group(living.pid(), Signal::KILL);
    living.ended(Duration::from_secs(2));
}
