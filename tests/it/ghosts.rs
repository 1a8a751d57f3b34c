//! Promise 2: what was left when front and guard were killed together is ended by the next start of any devrun,
//! and no stranger is touched.

use std::time::Duration;

use crate::support::{
    Ended, LIMIT, Proc, Pty, Running, SOON, Scratch, Signal, copy_program, eventually, kill, kill_group,
};

const DEVRUN: &str = env!("CARGO_BIN_EXE_devrun");

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
    // Until then they have the lock, and nobody looks for what they have left.
    let both = [front].into_iter().chain(guards.iter().map(|guard| guard.pid));
    eventually(SOON, || both.clone().find_map(Proc::of).map_or(Ok(()), |living| Err(format!("{living:?}"))));
}

#[test]
fn the_next_start_ends_what_a_double_kill_has_left() {
    // Shapes whose processes outlive both: the leader itself dies with the guard, and who was stopped in its group is
    // hung up then.
    let shapes = "own-session daemon ignore-signals wide:200 deep:60 respawn stopped leader-leaves";
    for shape in shapes.split(' ') {
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

/// A script that starts programs of these names as it says, and notes their pids; each is a shell or just sleeps.
fn script(scratch: &Scratch, names: &[&str], lines: &str) {
    for name in names {
        copy_program(if *name == "code" { "/bin/sh" } else { "/bin/sleep" }, scratch.project().join(name));
    }
    scratch.write("app.sh", &format!("trap '' HUP\n{lines}\nwait\n"));
}

/// The process that the script has noted under this name, once it is this program: a shell notes its child before
/// that has executed anything.
fn noted(scratch: &Scratch, name: &str) -> u32 {
    eventually(SOON, || {
        let notes = std::fs::read_to_string(scratch.project().join("pids")).unwrap_or_default();
        let pid = notes.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        let found: Option<Proc> = pid.and_then(Proc::of);
        found.filter(|found| found.comm == name).map(|found| found.pid).ok_or(format!("no {name} in {notes}"))
    })
}

fn run_script(scratch: &Scratch, options: &str) -> Running {
    let options =
        options.split_whitespace().chain(["--ready", "none", "--name", "shop", "--", "sh", "app.sh"]);
    let mut run = Running::spawn(scratch.devrun(options));
    // By then there is a record of it.
    run.ready();
    run
}

/// Starts another server in another session, and returns what is said.
fn start_another(scratch: &Scratch, options: &str) -> String {
    let mut command = scratch.command("setsid");
    command.args(["--wait", DEVRUN]).args(options.split_whitespace());
    command.args(["--ready", "none", "--name", "other", "--", "true"]);
    Running::spawn(command).outcome(SOON).stderr
}

fn lives(pid: u32) -> bool {
    Proc::of(pid).is_some()
}

#[test]
fn what_was_started_in_the_runs_own_session_is_a_ghost_whatever_its_name() {
    let scratch = Scratch::new();
    script(&scratch, &["turbo"], "./turbo 300 & echo turbo $! >>pids");
    let mut run = run_script(&scratch, "");
    let turbo = noted(&scratch, "turbo");
    kill_both(&scratch, &mut run);
    assert!(lives(turbo), "or this test proves nothing");
    let said = start_another(&scratch, "");
    assert!(said.contains("ended what a crash of shop"), "{said}");
    scratch.assert_dead(LIMIT);
}

#[test]
fn with_a_terminal_between_the_guards_session_is_the_runs_own() {
    for front_too in [true, false] {
        let scratch = Scratch::new();
        script(&scratch, &["turbo"], "./turbo 300 & echo turbo $! >>pids");
        let pty = Pty::bash(&scratch);
        pty.type_in(&format!("{DEVRUN} --log --ready none --name shop -- sh app.sh\n"));
        let turbo = noted(&scratch, "turbo");
        pty.shows("devrun ready"); // by then there is a record
        let of_name = |name: &str| scratch.alive().into_iter().find(|found| found.comm == name).unwrap().pid;
        if front_too {
            kill_front_and_guard(&scratch, of_name("devrun"));
            let said = start_another(&scratch, "");
            assert!(said.contains("ended what a crash of shop"), "{said}");
        } else {
            kill(of_name("tree-guard"), Signal::KILL);
        }
        eventually(
            LIMIT,
            || if lives(turbo) { Err(format!("turbo lives; {}", pty.screen())) } else { Ok(()) },
        );
    }
}

#[test]
fn neither_what_is_spared_nor_what_that_has_started_is_ended() {
    let editor = "setsid ./code -c 'echo code $$ >>pids; ./in-editor 300 & echo in-editor $! >>pids; wait' &";
    let lines = format!("{editor}\n./other 300 & echo other $! >>pids");
    for crashes in [true, false] {
        let scratch = Scratch::new();
        script(&scratch, &["code", "in-editor", "other"], &lines);
        let mut run = run_script(&scratch, "");
        let [code, in_editor, other] = ["code", "in-editor", "other"].map(|name| noted(&scratch, name));
        if crashes {
            kill_both(&scratch, &mut run);
            assert!(lives(other), "or this test proves nothing");
            let said = start_another(&scratch, "");
            assert!(
                said.contains("ended what a crash of shop") && said.contains(&other.to_string()),
                "{said}"
            );
        } else {
            run.signal(Signal::TERM);
            run.ended(LIMIT);
        }
        assert_eq!((lives(code), lives(in_editor), lives(other)), (true, true, false), "{crashes}");
    }
}

#[test]
fn what_is_left_running_is_what_the_crashed_run_was_told_to_whoever_cleans_up() {
    for (of_run, of_next, expected) in [
        ("--spare keepme", "", true),
        ("--spare keepme", "--kill-all", true),
        ("", "--kill-all", true),
        ("--kill-all", "", false),
        ("--kill-all", "--spare keepme", false),
    ] {
        let scratch = Scratch::new();
        let (kept, way) = if of_run.contains("keepme") { ("keepme", "") } else { ("firefox", "setsid ") };
        let lines = format!("{way}./{kept} 300 & echo {kept} $! >>pids; ./other 300 & echo other $! >>pids");
        script(&scratch, &["keepme", "firefox", "other"], &lines);
        let mut run = run_script(&scratch, of_run);
        let [kept, other] = [kept, "other"].map(|name| noted(&scratch, name));
        kill_both(&scratch, &mut run);
        let said = if expected && of_next.is_empty() {
            Running::spawn(scratch.devrun(["clean"])).outcome(SOON).stdout
        } else {
            start_another(&scratch, of_next)
        };
        assert!(!lives(other), "{of_run}, then {of_next}: {said}");
        assert_eq!(lives(kept), expected, "{of_run}, then {of_next}: {said}");
    }
}

#[test]
fn what_may_be_spared_is_left_and_named_and_can_be_found_again() {
    let scratch = Scratch::new();
    script(
        &scratch,
        &["turbo", "other"],
        "./turbo 300 & echo turbo $! >>pids; ./other 300 & echo other $! >>pids",
    );
    let mut run = run_script(&scratch, "");
    let [turbo, other] = ["turbo", "other"].map(|name| noted(&scratch, name));
    kill_both(&scratch, &mut run);
    // As an older devrun has written it.
    let path = scratch.record_path();
    let mut record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for newer in ["sessions", "spare"] {
        assert!(record.as_object_mut().unwrap().remove(newer).is_some(), "{newer}: {record}");
    }
    std::fs::write(&path, record.to_string()).unwrap();
    let said = start_another(&scratch, "");
    assert_eq!((lives(turbo), lives(other)), (true, false), "{said}");
    let named = format!("a crash of shop may have left: {turbo} (turbo)");
    assert!(said.contains(&named), "{said}");
    assert!(!start_another(&scratch, "").contains("may have left"), "a start says it once");
    let clean = Running::spawn(scratch.devrun(["clean"])).outcome(SOON);
    assert!(clean.stderr.contains(&named) && lives(turbo), "{clean}");
    kill(turbo, Signal::KILL);
    scratch.assert_dead(LIMIT);
    start_another(&scratch, "");
    assert_eq!(
        std::fs::read_dir(scratch.state().join("live")).unwrap().count(),
        0,
        "nothing to look for any more"
    );
}
