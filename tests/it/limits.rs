//! Promise 14: where the system does not let devrun see or end something, it says so once and goes on.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use crate::support::{
    Ended, Fixture, LIMIT, Proc, Pty, Running, SOON, Scratch, Signal, copy_program, eventually,
    fixture_program, is_root, kill, words,
};

const NOBODY: u32 = 65534;

/// A run of an ordinary user, whose command is a set-uid program of this shape, stopped: its tree, and what was said.
fn stopped_set_uid(scratch: &Scratch, shape: &str) -> (Fixture, String) {
    ended_set_uid(scratch, shape, |_, run| run.signal(Signal::TERM))
}

/// The same, ended so.
fn ended_set_uid(scratch: &Scratch, shape: &str, end: impl Fn(&Fixture, &Running)) -> (Fixture, String) {
    let options = "--ready none --stop-timeout 500ms";
    let (fixture, mut run) =
        run_of_ordinary_user(scratch, options, &format!("shape={shape} serve=no"), 0o4755);
    end(&fixture, &run);
    run.ended(LIMIT * 2);
    let said = run.stderr();
    (fixture, said)
}

/// A run of an ordinary user, whose command is a program of this mode; it stands.
pub fn run_of_ordinary_user(scratch: &Scratch, options: &str, shape: &str, mode: u32) -> (Fixture, Running) {
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    // A copy of everything that the ordinary user executes, where that user may read it.
    let fixture_copy = scratch.dir().join("set-uid");
    let devrun_copy = scratch.dir().join("devrun");
    copy_program(fixture_program(), &fixture_copy);
    copy_program(env!("CARGO_BIN_EXE_devrun"), &devrun_copy);
    open(scratch.dir(), 0o777);
    open(&scratch.project(), 0o777);
    open(&fixture_copy, mode);
    open(&devrun_copy, 0o755);
    let fixture = scratch.fixture(shape);
    let mut command = scratch.command(&devrun_copy);
    command.args(options.split(' ')).arg("--").arg(&fixture_copy).args(&fixture.argv[1..]);
    command.uid(NOBODY).gid(NOBODY).env("HOME", scratch.dir());
    let run = Running::spawn(command);
    fixture.noted("complete").unwrap_or_else(|missing| panic!("{missing}; {}", run.stderr()));
    (fixture, run)
}

#[test]
fn a_process_of_another_user_is_named_and_nothing_hangs() {
    if !is_root("a set-uid program under an ordinary user") {
        return;
    }
    let (_, said) = stopped_set_uid(&Scratch::new(), "setuid-away");
    assert!(said.contains("could not be ended: "), "{said}");
}

#[test]
fn our_process_below_one_of_another_user_is_ended_and_who_is_left_is_named() {
    if !is_root("a set-uid program under an ordinary user") {
        return;
    }
    let scratch = Scratch::new();
    let (fixture, said) = stopped_set_uid(&scratch, "setuid-between");
    let pid = |role| fixture.member(role).unwrap();
    let mut alive: Vec<_> = scratch.alive().iter().map(|found| found.pid).collect();
    alive.sort_unstable();
    let mut left = [pid("upper"), pid("member")];
    let named = left.map(|pid| format!("set-uid (pid {pid})"));
    left.sort_unstable();
    assert_eq!(alive, left, "{}; {said}", fixture.notes());
    assert!(said.contains("; 1 killed"), "{said}");
    assert!(said.contains(&format!("could not be ended: {}", named.join(", "))), "{said}");
}

#[test]
fn one_of_another_user_that_ends_with_ours_is_not_named() {
    if !is_root("a set-uid program under an ordinary user") {
        return;
    }
    let scratch = Scratch::new();
    let (_, said) = stopped_set_uid(&scratch, "setuid-waits");
    scratch.assert_dead(LIMIT);
    assert!(said.contains("; 1 killed") && !said.contains("could not be ended"), "{said}");
}

#[test]
fn who_is_left_when_the_guard_was_killed_is_named_too() {
    if !is_root("a set-uid program under an ordinary user") {
        return;
    }
    let scratch = Scratch::new();
    let (fixture, said) = ended_set_uid(&scratch, "setuid-between", |fixture, run| {
        let left = fixture.member("upper").unwrap();
        eventually(SOON, || {
            let record = std::fs::read_to_string(scratch.record_path()).unwrap();
            record.contains(&format!("\"pid\":{left},")).then_some(()).ok_or(record)
        });
        let is_guard = |found: &&Proc| found.ppid == run.pid() && found.comm == "tree-guard";
        kill(scratch.alive().iter().find(is_guard).expect("the guard").pid, Signal::KILL);
    });
    let named = format!("could not be ended: set-uid (pid {})", fixture.member("upper").unwrap());
    assert!(said.contains(&named), "{said}");
    assert!(said.contains("was killed; not all of its processes could be ended"), "{said}");
}

#[test]
fn a_port_that_this_user_may_not_have_is_said_to_be_such() {
    if !is_root("a network namespace") {
        return;
    }
    let scratch = Scratch::new();
    let devrun = scratch.dir().join("devrun");
    copy_program(env!("CARGO_BIN_EXE_devrun"), &devrun);
    for folder in [scratch.dir(), &scratch.project()] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let mut unshare = scratch.command("unshare");
    unshare.args(["--net", "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&devrun);
    unshare.args(["-p", "80", "--ready", "none", "--", "true"]).env("HOME", scratch.dir());
    let outcome = Running::spawn(unshare).outcome(SOON);
    assert!(outcome.stderr.contains("port 80 is taken, or not allowed to this user; using "), "{outcome}");
    assert_eq!(outcome.ended, Ended::Status(0), "{outcome}");
}

#[test]
fn with_a_hidden_proc_it_goes_on_and_says_so_once() {
    if !is_root("a mount namespace") {
        return;
    }
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=daemon");
    let devrun = format!("{} --ready none --stop-timeout 500ms", env!("CARGO_BIN_EXE_devrun"));
    let mut unshare = scratch.command("unshare");
    unshare.args(["--mount", "sh", "-c"]);
    unshare.arg(format!("mount -t tmpfs none /proc && exec {devrun} -- {}", fixture.line()));
    let mut run = Running::spawn(unshare);
    fixture.noted("complete").unwrap_or_else(|missing| panic!("{missing}; {}", run.stderr()));
    run.signal(Signal::TERM);
    run.ended(LIMIT);
    scratch.assert_dead(LIMIT);
    let said = run.stderr();
    let warnings = said.lines().filter(|line| line.contains("warning") && line.contains("/proc")).count();
    assert_eq!(warnings, 1, "{said}");
}

#[test]
fn where_close_range_is_refused_nothing_survives_devrun_killed() {
    let refusing = |error| format!("{} refuse-close-range={error} -- ", fixture_program().display());
    let mut ways = vec![String::new(), refusing(libc::ENOSYS), refusing(libc::EPERM)];
    if is_root("a mount namespace") {
        ways.push(format!(
            "unshare --mount sh -c 'mount -t tmpfs none /proc && exec \"$0\" \"$@\"' {}",
            ways[1]
        ));
    }
    let held = ways.iter().map(|way| {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=daemon");
        let devrun = format!("{} --ready none -- {}", env!("CARGO_BIN_EXE_devrun"), fixture.line());
        let mut shell = scratch.command("sh");
        shell.args(["-c", &format!("exec {way}{devrun}")]);
        let mut run = Running::spawn(shell);
        fixture.noted("complete").unwrap_or_else(|missing| panic!("{missing}; {}", run.stderr()));
        run.ready(); // by now the guard has closed what is not its own
        let guard = scratch.alive().into_iter().find(|found| found.comm == "tree-guard").unwrap();
        assert_eq!(guard.ppid, run.pid());
        let held = std::fs::read_dir(format!("/proc/{}/fd", guard.pid)).unwrap().count();
        run.signal(Signal::KILL);
        eventually(LIMIT, || scratch.dead().map_err(|alive| format!("{way}: {alive}")));
        held
    });
    let held: Vec<_> = held.collect();
    assert!(held.iter().all(|count| *count == held[0]), "open in the guard, each way: {held:?}");
}

#[test]
fn in_a_pid_namespace_that_cant_name_its_session_everything_holds() {
    if !is_root("a pid namespace") {
        return;
    }
    // Without setsid in between, group and session have no number inside.
    let namespace = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c"];
    for ctrl_c in [true, false] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=daemon");
        let devrun = env!("CARGO_BIN_EXE_devrun");
        let line = format!(
            "trap : INT; {devrun} --ready none --stop-timeout 500ms -- {}; echo over-$?",
            fixture.line()
        );
        let mut terminal = Pty::spawn(&scratch, &[&namespace[..], &[&line]].concat());
        fixture.noted("complete").unwrap_or_else(|missing| panic!("{missing}; {}", terminal.screen()));
        // The pids that the fixture noted are those of inside, so only the census by mark holds here.
        if ctrl_c {
            terminal.type_in("\x03");
            terminal.shows("over-130");
        } else {
            terminal.close();
        }
        scratch.assert_dead(LIMIT);
    }
}

#[test]
fn as_a_containers_first_process_it_ends_as_anywhere() {
    if !is_root("a pid namespace") {
        return;
    }
    // The kernel lets no signal end the first process of a pid namespace, so it can't die of one as elsewhere.
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=daemon");
    let mut unshare = scratch.command("unshare");
    unshare.args(["--pid", "--fork", "--mount-proc", env!("CARGO_BIN_EXE_devrun")]);
    unshare.args(words("--ready none --stop-timeout 500ms", &fixture));
    let run = Running::spawn(unshare);
    fixture.noted("complete").unwrap_or_else(|missing| panic!("{missing}; {}", run.stderr()));
    let first = scratch.alive().into_iter().find(|process| process.ppid == run.pid()).unwrap();
    kill(first.pid, Signal::TERM);
    let outcome = run.outcome(LIMIT);
    assert_eq!(outcome.ended, Ended::Status(128 + 15), "{outcome}");
    assert!(outcome.stderr.contains("devrun stopped (signal 15"), "{outcome}");
    scratch.assert_dead(LIMIT);
}

#[test]
fn without_a_writable_state_folder_the_server_runs_with_one_warning() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=plain");
    // A file where the folder should be: not even root can use that.
    let state = scratch.write("file", "");
    let mut command = scratch.devrun(["--stop-timeout", "500ms", "--"]);
    command.args(&fixture.argv).env("DEVRUN_STATE_DIR", state.join("state"));
    let mut run = Running::spawn(command);
    run.ready();
    run.signal(Signal::TERM);
    let outcome = run.outcome(SOON);
    assert_eq!(outcome.ended, Ended::Signal(15), "{outcome}");
    assert_eq!(outcome.stderr.matches("warning").count(), 1, "{outcome}");
    scratch.assert_dead(LIMIT);
}

#[test]
fn without_lists_of_children_the_whole_tree_is_ended_and_that_is_said_once() {
    for shape in ["plain", "wide:20", "daemon", "own-session", "ignore-signals"] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture(&format!("shape={shape}"));
        let mut run = scratch.run("--stop-timeout 300ms", &fixture);
        run.ready();
        fixture.stands();
        let guard = scratch.alive().into_iter().find(|found| found.comm == "tree-guard").unwrap().pid;
        // A kernel without CONFIG_PROC_CHILDREN has no such file.
        let mut strace = scratch.command("strace");
        strace.args(["-o", "/dev/null", "-P", &format!("/proc/{guard}/task/{guard}/children")]);
        strace.args(["-e", "inject=open,openat:error=ENOENT", "-p", &guard.to_string()]);
        let mut strace = Running::spawn(strace);
        strace.says("attached");
        run.signal(Signal::TERM);
        run.ended(LIMIT);
        scratch.assert_dead(LIMIT);
        strace.ended(SOON);
        let said = run.stderr();
        assert_eq!(said.matches("keeps no lists of children").count(), 1, "{shape}: {said}");
    }
}
