//! Promise 2: what was left when front and guard were killed together is ended by the next start of any devrun,
//! and no stranger is touched.

use std::time::Duration;

use crate::support::{Ended, LIMIT, Proc, Running, SOON, Scratch, Signal, eventually, kill, kill_group};

/// Kills front and guard so that neither can end the tree, and returns once both are gone.
pub fn kill_both(scratch: &Scratch, run: &mut Running) {
    kill_front_and_guard(scratch, run.pid());
    run.ended(SOON);
}

fn kill_front_and_guard(scratch: &Scratch, front: u32) {
    kill(front, Signal::STOP);
    let guards: Vec<_> = scratch.alive().into_iter().filter(|found| found.ppid == front).collect();
    assert!(!guards.is_empty(), "the front has a guard");
    // Stopped first: none of them may see the other's death.
    guards.iter().for_each(|guard| kill(guard.pid, Signal::STOP));
    guards.iter().for_each(|guard| kill(guard.pid, Signal::KILL));
    kill(front, Signal::KILL);
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
fn a_run_killed_before_its_first_record_leaves_nothing_to_the_next_start() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=own-session");
    // The front is stopped where it would move the first record into its place, and that move does not happen.
    let mut strace = scratch.command("strace");
    strace.args(["-qq", "-o", "/dev/null", "-e", "trace=rename,renameat,renameat2"]);
    strace.args([
        "-e",
        "inject=rename,renameat,renameat2:error=EIO:signal=STOP",
        env!("CARGO_BIN_EXE_devrun"),
    ]);
    strace.args(["--ready", "none", "--"]).args(&fixture.argv);
    let mut run = Running::spawn(strace);
    fixture.noted("complete").unwrap_or_else(|missing| panic!("{missing}; {}", run.stderr()));
    let is_front = |found: &&Proc| found.ppid == run.pid() && matches!(found.state, 't' | 'T');
    let front = eventually(SOON, || {
        scratch.alive().iter().find(is_front).map(|front| front.pid).ok_or("no front".to_string())
    });
    kill_front_and_guard(&scratch, front);
    run.ended(SOON);
    assert!(!scratch.record_path().exists(), "there is no record, or this test proves nothing");
    assert!(!scratch.alive().is_empty(), "there are ghosts, or this test proves nothing");
    let outcome = Running::spawn(scratch.devrun(["--ready", "none", "--", "true"])).outcome(SOON);
    assert!(outcome.stderr.contains("ended what a crash of"), "{outcome}");
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_server_whose_lock_was_removed_is_no_ghost() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=plain");
    let mut run = scratch.run("", &fixture);
    run.ready();
    // It may be writing its record just now.
    let servers = scratch.state().join("servers");
    eventually(SOON, || std::fs::remove_dir_all(&servers).map_err(|error| error.to_string()));
    let other = scratch.devrun(["--ready", "none", "--name", "other", "--", "true"]);
    Running::spawn(other).outcome(SOON);
    assert!(!run.has_ended() && scratch.alive().len() >= 4, "{}", run.stderr());
    assert_eq!(run.stop().ended, Ended::Signal(15));
}

#[test]
fn clean_ends_ghosts_and_a_dry_run_does_not() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=own-session");
    let mut run = scratch.run("", &fixture);
    run.ready();
    kill_both(&scratch, &mut run);
    // The command dies with its guard; what it has put apart does not.
    eventually(SOON, || Proc::of(fixture.leader()).map_or(Ok(()), |leader| Err(format!("{leader:?}"))));
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
