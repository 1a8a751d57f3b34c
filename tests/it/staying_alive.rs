//! Promises 8 and 13: what lives on because the user wants it to.

use std::path::PathBuf;
use std::time::Duration;

use crate::support::{
    Ended, Fixture, LIMIT, Proc, Pty, Running, SOON, Scratch, Signal, copy_program, eventually,
    fixture_program, get, kill, listens, words, write_program,
};

const DEVRUN: &str = env!("CARGO_BIN_EXE_devrun");

/// Types this line into a bash, closes its terminal, and expects the server to answer when bash is gone.
fn outlives_its_terminal(line: impl Fn(&str) -> String) {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=plain");
    let mut bash = Pty::bash(&scratch);
    bash.type_in(&line(&format!("{DEVRUN} -- {}", fixture.line())));
    let ready = eventually(SOON, || {
        let text = std::fs::read_to_string(scratch.project().join("said")).unwrap_or_default();
        let ready = text.lines().find_map(|line| line.strip_prefix("devrun ready ")).map(str::to_string);
        ready.ok_or(format!("said: {text}; screen: {}", bash.screen()))
    });
    bash.close();
    bash.ended(SOON).unwrap();
    let url = ready.split(' ').next().unwrap();
    assert_eq!(get(url), scratch.mark, "alive after its terminal");
    let leader = Proc::of(fixture.leader()).expect("the leader lives");
    assert!(leader.state != 'T');
}

#[test]
fn a_server_started_with_nohup_outlives_its_terminal() {
    outlives_its_terminal(|devrun| format!("nohup {devrun} >said 2>&1 </dev/null &\n"));
}

#[test]
fn a_server_in_a_session_of_its_own_outlives_its_terminal() {
    outlives_its_terminal(|devrun| format!("setsid {devrun} >said 2>&1 </dev/null &\n"));
}

#[test]
fn a_server_without_an_owner_outlives_its_caller() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=plain");
    let line = format!("{DEVRUN} --owner none -- {}; true", fixture.line());
    // Not a shell, so that it would be watched.
    let script = scratch.write("run.py", &format!("import os\nos.system({line:?})\n"));
    let mut python = scratch.command("python3");
    python.arg(script);
    let mut caller = Running::spawn(python);
    let url = caller.ready().url;
    caller.signal(Signal::KILL);
    caller.ended(SOON);
    assert_eq!(get(&url), scratch.mark);
    let front = scratch.alive().into_iter().find(|found| found.comm == "devrun").expect("the front lives");
    kill(front.pid, Signal::TERM);
    scratch.assert_dead(LIMIT);
}

/// A copy of the fixture under this name, as a program that a dev server starts in a session of its own.
fn program(scratch: &Scratch, name: &str) -> PathBuf {
    let path = scratch.dir().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    copy_program(fixture_program(), &path);
    path
}

/// A run whose command has started `name` in a session of its own, stopped; what is alive then, and what was said.
fn after_stop(name: &str, options: &str) -> (Scratch, Fixture, Vec<Proc>, String) {
    let scratch = Scratch::new();
    let helper = program(&scratch, name);
    let fixture = scratch.fixture(&format!("shape=spawn program={}", helper.display()));
    let mut run = scratch.run(&format!("--ready none --stop-timeout 500ms {options}"), &fixture);
    fixture.stands();
    eventually(SOON, || fixture.member("member").ok_or("the helper program has not started".to_string()));
    run.signal(Signal::TERM);
    // Its pipes may still be held by what was left: that must not delay the end.
    run.ended(Duration::from_secs(3));
    let alive = scratch.alive();
    let said = run.stderr();
    (scratch, fixture, alive, said)
}

#[test]
fn shared_daemons_browsers_and_editors_live_on_and_are_named() {
    let named = ("my-daemon", "--spare my-daemon");
    for (name, options) in [("watchman", ""), ("firefox", ""), ("code", ""), named] {
        let (_scratch, fixture, alive, said) = after_stop(name, options);
        let pids: Vec<_> = alive.iter().map(|found| found.pid).collect();
        assert_eq!(pids, [fixture.member("member").unwrap()], "{name} alone lives on: {alive:?}; {said}");
        assert!(said.contains(&format!("left running: {name}")), "{said}");
    }
}

#[test]
fn a_shared_daemon_that_another_program_runs_lives_on_and_any_other_of_that_program_dies() {
    for (name, lives) in [("nx/src/daemon/server/node", true), ("nx/src/node", false)] {
        let (_scratch, _, alive, said) = after_stop(name, "");
        assert_eq!(alive.len(), usize::from(lives), "{name}: {alive:?}; {said}");
        assert_eq!(said.contains("left running: node"), lives, "{name}: {said}");
    }
}

#[test]
fn with_kill_all_they_die() {
    let (_scratch, _, alive, said) = after_stop("watchman", "--kill-all");
    assert!(alive.is_empty(), "{alive:?}; {said}");
}

#[test]
fn a_program_of_another_name_dies() {
    let (_scratch, _, alive, said) = after_stop("watchman2", "");
    assert!(alive.is_empty(), "{alive:?}; {said}");
}

#[test]
fn a_spared_program_that_leaves_last_does_not_keep_devrun() {
    let scratch = Scratch::new();
    let helper = program(&scratch, "adb");
    let fixture = scratch.fixture(&format!("shape=spawn program={} serve=no", helper.display()));
    let mut run = scratch.run("--ready none --stop-timeout 500ms", &fixture);
    fixture.stands();
    eventually(SOON, || fixture.member("member").ok_or("the helper program has not started".to_string()));
    kill(fixture.leader(), Signal::USR2);
    assert_eq!(run.ended(Duration::from_secs(3)), Ended::Status(3));
    let port = fixture.port().unwrap_or(1);
    assert!(!listens("127.0.0.1", port));
}

#[test]
fn what_open_has_started_outlives_a_killed_guard() {
    // The program that is asked to show the page may be the browser, or start it and leave.
    for launcher in ["exec ./mybrowser 300", "setsid ./mybrowser 300 &", "./mybrowser 300 &"] {
        let scratch = Scratch::new();
        copy_program("/bin/sleep", scratch.project().join("mybrowser"));
        let browser = scratch.project().join("show");
        write_program(&browser, launcher);
        let fixture = scratch.fixture("shape=own-session");
        let mut command = scratch.devrun(words("--open", &fixture));
        let mut run = Running::spawn({
            command.env("BROWSER", &browser);
            command
        });
        run.ready();
        let of_name = |name: &str| scratch.alive().into_iter().find(|found| found.comm == name);
        let browser = eventually(SOON, || of_name("mybrowser").ok_or("no browser".to_string()));
        assert_ne!(browser.ppid, run.pid(), "{launcher}: it is nothing to devrun");
        kill(of_name("tree-guard").expect("the guard").pid, Signal::KILL);
        run.ended(SOON);
        let alive = scratch.alive();
        assert_eq!(alive, of_name("mybrowser").into_iter().collect::<Vec<_>>(), "{launcher}");
        assert_eq!(alive.len(), 1, "{launcher}: {}", run.stderr());
    }
}

#[test]
fn a_killed_guard_of_the_server_leaves_the_chained_command_the_time_to_end() {
    let scratch = Scratch::new();
    let server = scratch.fixture("shape=plain");
    let then = "trap 'echo ended in order; exit 3' TERM; echo then-runs; while :; do sleep 0.05; done";
    let args = ["--then", then].map(str::to_string).into_iter().chain(words("", &server));
    let mut run = Running::spawn(scratch.devrun(args));
    eventually(SOON, || match run.stdout().contains("then-runs") {
        true => Ok(()),
        false => Err(run.stderr()),
    });
    kill(guards(&scratch)[0], Signal::KILL);
    run.ended(SOON);
    assert!(run.stdout().contains("ended in order"), "{} {}", run.stdout(), run.stderr());
    scratch.assert_dead(LIMIT);
}

/// The guard of the server, and that of the chained command.
fn guards(scratch: &Scratch) -> Vec<u32> {
    let is_guard = |found: &Proc| found.comm == "tree-guard";
    let mut guards: Vec<_> = scratch.alive().into_iter().filter(is_guard).map(|found| found.pid).collect();
    guards.sort_unstable();
    guards
}

#[test]
fn what_a_killed_guard_of_the_chained_command_leaves_is_dead_once_its_end_is_said() {
    let scratch = Scratch::new();
    let (server, then) =
        (scratch.fixture("shape=plain cleanup=1500"), scratch.fixture("shape=daemon-clearenv serve=no"));
    let args = ["--then".to_string(), then.line()].into_iter().chain(words("", &server));
    let mut run = Running::spawn(scratch.devrun(args));
    then.stands();
    kill(guards(&scratch)[1], Signal::KILL);
    run.says("the chained command ended");
    then.gone().unwrap();
    assert!(server.gone().is_err(), "the server has its time");
    run.ended(SOON);
    scratch.assert_dead(LIMIT);
}
