//! Promises 5, 8, 11 with `-d`: the call returns when the server is ready, and the server outlives whatever called.

use std::process::Stdio;

use crate::support::{
    Ended, Fixture, LIMIT, Outcome, Proc, Pty, Running, SOON, Scratch, Signal, eventually, get, kill,
    kill_group,
};

const DEVRUN: &str = env!("CARGO_BIN_EXE_devrun");

/// The front in the background.
fn front(scratch: &Scratch) -> Proc {
    let found = scratch.alive().into_iter().find(|found| found.comm == "devrun");
    found.unwrap_or_else(|| panic!("no front: {:?}", scratch.alive()))
}

#[track_caller]
fn stop(scratch: &Scratch, fixture: &Fixture) {
    kill(front(scratch).pid, Signal::TERM);
    eventually(LIMIT, || {
        scratch.dead()?;
        fixture.gone()
    });
}

/// `devrun -d OPTIONS -- fixture`, run to its end.
fn detach(scratch: &Scratch, options: &str, fixture: &Fixture) -> Outcome {
    scratch.run(&format!("-d {options}"), fixture).outcome(SOON)
}

#[test]
fn it_returns_when_the_server_is_ready_and_says_so_on_stderr_alone() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=plain delay-listen=300 print=to-the-log");
    let outcome = detach(&scratch, "", &fixture);
    outcome.expect(Ended::Status(0), "", "...");
    let said: Vec<_> = outcome.stderr.lines().collect();
    let [started, ready] = said[..] else { panic!("{outcome}") };
    assert!(started.starts_with("devrun project http://localhost:"), "{outcome}");
    assert!(ready.starts_with("devrun ready http://localhost:"), "{outcome}");
    let url = outcome.stderr.split_whitespace().find(|word| word.starts_with("http")).unwrap().to_string();
    assert_eq!(get(&url), scratch.mark);
    let folder = std::fs::read_dir(scratch.state().join("servers")).unwrap().next().unwrap().unwrap().path();
    let log = std::fs::read_to_string(folder.join("log")).unwrap();
    assert!(log.contains("to-the-log\n"), "{log}");
    let record = std::fs::read_to_string(folder.join("server.json")).unwrap();
    assert!(record.contains(r#""detached":true"#), "{record}");
    stop(&scratch, &fixture);
}

#[test]
fn the_command_has_nothing_of_how_it_was_started() {
    let scratch = Scratch::new();
    let script = "env | grep -c '^DEVRUN_BACKGROUND'; umask; pwd; ls -l /proc/$$/fd | grep -c 'leaked$'; exec sleep 60";
    let shell = format!(
        "umask 027; exec 7>leaked 8<leaked; out=$({DEVRUN} -d --ready none -- sh -c \"{}\"); echo \"out=$out\"",
        script.replace('$', "\\$")
    );
    let mut bash = scratch.command("bash");
    bash.args(["-c", &shell]).env("KEPT", "yes");
    let outcome = Running::spawn(bash).outcome(SOON);
    outcome.expect(Ended::Status(0), "out=\n", "...");
    let folder = std::fs::read_dir(scratch.state().join("servers")).unwrap().next().unwrap().unwrap().path();
    let expected = format!("0\n0027\n{}\n0\n", scratch.project().canonicalize().unwrap().display());
    eventually(SOON, || {
        let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        if log == expected { Ok(()) } else { Err(format!("log: {log}")) }
    });
    let front = front(&scratch);
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", front.pid)).unwrap().flatten();
    let leaked: Vec<_> = descriptors.filter_map(|fd| std::fs::read_link(fd.path()).ok()).collect();
    assert!(!leaked.iter().any(|path| path.ends_with("leaked")), "{leaked:?}");
    assert_eq!(
        leaked.iter().filter(|path| path.ends_with("null")).count(),
        2,
        "stdin and stdout: {leaked:?}"
    );
    kill(front.pid, Signal::TERM);
    scratch.assert_dead(LIMIT);
}

#[test]
fn an_end_before_readiness_is_an_error_with_the_last_lines_and_the_status_of_the_command() {
    let scratch = Scratch::new();
    let script =
        "for n in $(seq 30); do echo line $n; done; printf '\\033[31mno such module\\033[0m\\n'; exit 3";
    let run = Running::spawn(scratch.devrun(["-d", "--", "sh", "-c", script]));
    let outcome = run.outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(3), "{outcome}");
    assert_eq!(outcome.stdout, "");
    assert!(outcome.stderr.contains("error: project ended before it was ready (status 3)\n"), "{outcome}");
    assert!(outcome.stderr.contains("output:\n  line 12\n"), "twenty lines: {outcome}");
    assert!(outcome.stderr.contains("\n  no such module\n"), "{outcome}");
    scratch.assert_dead(LIMIT);
}

#[test]
fn what_fails_has_the_status_that_it_has_in_the_foreground() {
    let cases: [(&[&str], Ended, &str); 7] = [
        (&["--", "no-such-program-xyz"], Ended::Status(127), "was not found"),
        (&["--ready-timeout", "300ms", "--", "sleep", "60"], Ended::Status(124), "not ready within"),
        (&["--", "sh", "-c", "kill -SEGV $$"], Ended::Signal(11), "signal 11"),
        (&["--", "true"], Ended::Status(1), "ended before it was ready"),
        (&["-C", "/no/such", "--", "true"], Ended::Status(2), "/no/such"),
        (&["--json", "--", "no-such-program-xyz"], Ended::Status(127), "\"exit-code\":127"),
        (&["--json", "--", "sh", "-c", "exit 3"], Ended::Status(3), "\"exit-code\":3,"),
    ];
    for (args, ended, said) in cases {
        let scratch = Scratch::new();
        let outcome = Running::spawn(scratch.devrun(["-d"].iter().chain(args))).outcome(SOON);
        assert_eq!(outcome.ended, ended, "{args:?}: {outcome}");
        assert!(outcome.stderr.contains(said), "{args:?}: {outcome}");
        scratch.assert_dead(LIMIT);
    }
}

#[test]
fn a_front_that_dies_without_a_word_is_an_error_that_says_so() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=daemon serve=no");
    let mut run = scratch.run("-d", &fixture);
    fixture.stands();
    run.says("devrun project http://");
    let caller = run.pid();
    let front =
        scratch.alive().into_iter().find(|found| found.comm == "devrun" && found.pid != caller).unwrap();
    kill(front.pid, Signal::KILL);
    assert_eq!(run.ended(SOON), Ended::Signal(9));
    run.says("error: devrun in the background was ended by signal 9 before the server was ready");
    drop(run);
    scratch.assert_dead(LIMIT);
}

#[test]
fn ctrl_c_before_readiness_ends_all_of_it_with_130() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=daemon serve=no cleanup=100");
    let bash = Pty::bash(&scratch);
    bash.type_in(&format!("{DEVRUN} -d -- {}\n", fixture.line()));
    fixture.stands();
    bash.type_in("\x03");
    eventually(LIMIT, || fixture.gone());
    bash.is_back();
    bash.type_in("echo over-$?\n");
    bash.shows("over-130");
    drop(bash);
    scratch.assert_dead(LIMIT);
}

#[test]
fn it_outlives_the_terminal_the_callers_group_and_a_hang_up_also_before_it_is_ready() {
    for (options, wait) in [("", true), ("delay-listen=1500", false)] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture(&format!("shape=plain {options}"));
        let mut bash = Pty::bash(&scratch);
        bash.type_in(&format!("{DEVRUN} -d -- {}\n", fixture.line()));
        if wait {
            bash.shows("devrun ready ");
        } else {
            eventually(SOON, || fixture.member("leader").ok_or("not started".to_string()));
        }
        bash.close();
        bash.ended(SOON).unwrap();
        lives(&scratch, &fixture);
    }
}

#[test]
fn it_outlives_the_callers_whole_group_killed() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=plain delay-listen=1000");
    let line = format!("{DEVRUN} -d -- {}; sleep 60", fixture.line());
    let mut shell = scratch.command("sh");
    shell.args(["-c", &line]);
    let mut caller = Running::spawn(shell);
    eventually(SOON, || fixture.member("leader").ok_or("not started".to_string()));
    kill_group(caller.pid(), Signal::KILL);
    caller.ended(SOON);
    lives(&scratch, &fixture);
}

/// Answers, is alone in its session, and can be stopped.
#[track_caller]
fn lives(scratch: &Scratch, fixture: &Fixture) {
    fixture.stands();
    let port = eventually(SOON, || fixture.port().ok_or("no port".to_string()));
    assert_eq!(get(&format!("http://127.0.0.1:{port}")), scratch.mark);
    stop(scratch, fixture);
}

#[test]
fn an_interrupt_while_the_one_in_the_background_is_being_started_ends_it_too() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=daemon serve=no");
    // The caller is held where it gets a handle on the front, which it has started by then.
    let mut strace = scratch.command("strace");
    strace.args(["-qq", "-o", "/dev/null", "-e", "inject=pidfd_open:delay_enter=2s", DEVRUN, "-d", "--"]);
    strace.args(&fixture.argv);
    let strace = Running::spawn(strace);
    fixture.stands();
    let caller = scratch.alive().into_iter().find(|found| found.ppid == strace.pid()).unwrap();
    kill(caller.pid, Signal::INT);
    assert_eq!(strace.outcome(SOON).ended, Ended::Signal(2));
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_server_that_runs_already_is_waited_for_and_its_url_said() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=plain delay-listen=500");
    let mut first = scratch.run("-d", &fixture);
    eventually(SOON, || fixture.member("leader").ok_or("not started".to_string()));
    let second = detach(&scratch, "", &fixture);
    assert_eq!(second.ended, Ended::Status(0), "{second}");
    let url = first.ready().url;
    assert_eq!(first.ended(SOON), Ended::Status(0));
    assert!(second.stderr.contains(&url), "{second}");
    stop(&scratch, &fixture);
}

#[test]
fn a_setting_detaches_the_outer_of_two_and_not_the_inner() {
    let scratch = Scratch::new();
    scratch.package_json(&[("dev", "true".into())]);
    scratch.write("devrun.toml", "detach = true\n");
    let script = format!("{DEVRUN} -q -n inner --ready none -- sh -c 'exit 7'; echo inner-$?; exec sleep 60");
    let run = scratch.devrun(["--ready", "log:inner-", "--", "sh", "-c", &script]);
    let outcome = Running::spawn(run).outcome(SOON);
    assert!(outcome.stderr.contains("devrun ready "), "{outcome}");
    let servers = std::fs::read_dir(scratch.state().join("servers")).unwrap().flatten();
    let logs: String =
        servers.filter_map(|server| std::fs::read_to_string(server.path().join("log")).ok()).collect();
    assert!(logs.contains("inner-7\n"), "{logs}");
    kill(front(&scratch).pid, Signal::TERM);
    scratch.assert_dead(LIMIT);
}

#[test]
fn it_starts_without_any_standard_stream() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=plain");
    let mut shell = scratch.command("bash");
    shell.args(["-c", &format!("{DEVRUN} -d -- {} <&- >&- 2>&-; echo $? >status", fixture.line())]);
    shell.stdin(Stdio::null());
    Running::spawn(shell).outcome(SOON).expect(Ended::Status(0), "", "");
    assert_eq!(std::fs::read_to_string(scratch.project().join("status")).unwrap(), "0\n");
    lives(&scratch, &fixture);
}

#[test]
fn nothing_survives_a_front_in_the_background_killed() {
    for shape in ["npm", "daemon-clearenv", "own-session", "ignore-signals"] {
        let scratch = Scratch::new();
        let inner = if shape == "npm" { "plain" } else { shape };
        let fixture = scratch.fixture(&format!("shape={inner}"));
        scratch.package_json(&[("serve", fixture.line())]);
        let command = if shape == "npm" { "npm run --silent serve".into() } else { fixture.line() };
        let line = format!("-d --stop-timeout 500ms -- {command}");
        let outcome = Running::spawn(scratch.devrun(line.split(' '))).outcome(SOON);
        assert_eq!(outcome.ended, Ended::Status(0), "{shape}: {outcome}");
        kill(front(&scratch).pid, Signal::KILL);
        eventually(LIMIT, || {
            scratch.dead().map_err(|seen| format!("{shape}: {seen}"))?;
            fixture.gone()
        });
    }
}
