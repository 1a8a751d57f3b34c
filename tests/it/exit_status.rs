//! Promises 6 and 7: whose exit ends the run, with which status, and when.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::support::{Ended, LIMIT, Running, SOON, Scratch, Signal, eventually, get, is_root, kill, words};

/// The quiet lines around a run that is not asked about its readiness.
const LINES: &str = "...\ndevrun [..] http://localhost:[..]\n...\ndevrun stopped ([..])\n";

#[test]
fn the_status_of_the_command_is_the_status_of_devrun() {
    let scratch = Scratch::new();
    for (script, ended) in [
        ("exit 0", Ended::Status(0)),
        ("exit 3", Ended::Status(3)),
        ("exit 255", Ended::Status(255)),
        ("ulimit -c 0; kill -SEGV $$", Ended::Signal(11)),
        ("kill -TERM $$", Ended::Signal(15)),
        ("kill -INT $$", Ended::Signal(2)),
        ("kill -KILL $$", Ended::Signal(9)),
    ] {
        let run = Running::spawn(scratch.devrun(["--ready", "none", "--", "sh", "-c", script]));
        run.outcome(SOON).expect(ended, "", LINES);
    }
}

#[test]
fn a_signal_to_devrun_is_what_devrun_dies_of() {
    for (signal, number) in [(Signal::TERM, 15), (Signal::INT, 2), (Signal::HUP, 1), (Signal::QUIT, 3)] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=plain");
        let run = scratch.run("--ready none", &fixture);
        fixture.stands();
        run.signal(signal);
        let outcome = run.outcome(SOON);
        assert_eq!(outcome.ended, Ended::Signal(number), "{outcome}");
    }
}

#[test]
fn a_status_of_the_commands_own_choice_after_a_signal_is_handed_on() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone cleanup=100");
    let run = scratch.run("--ready none", &fixture);
    fixture.stands();
    run.signal(Signal::TERM);
    let outcome = run.outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(0), "{outcome}");
    assert!(fixture.notes().contains("cleaned"));
}

#[test]
fn a_missing_command_is_127_and_the_nearest_name_is_told() {
    let scratch = Scratch::new();
    Running::spawn(scratch.devrun(["--", "bassh", "-c", "true"])).outcome(SOON).expect(
        Ended::Status(127),
        "",
        "...\nerror: [..]bassh[..]\n...\nhint: [..]bash[..]\n",
    );
}

#[test]
fn a_file_that_cannot_be_executed_is_126() {
    let scratch = Scratch::new();
    let path = scratch.write("server.sh", "#!/bin/sh\n");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let outcome = Running::spawn(scratch.devrun(["--", "./server.sh"])).outcome(SOON);
    outcome.expect(Ended::Status(126), "", "...\nerror: [..]server.sh[..]\n...\nhint: [..]\n");
}

#[test]
fn not_ready_in_time_is_124_and_the_tree_is_dead() {
    for again in ["never", "on-failure:1"] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=daemon serve=no");
        let options = format!("--ready-timeout 700ms --stop-timeout 500ms --restart {again}");
        let outcome = scratch.run(&options, &fixture).outcome(SOON);
        outcome.expect(Ended::Status(124), "", "...\nerror: [..]\n...\n");
        scratch.assert_dead(LIMIT);
    }
}

#[test]
fn an_exit_before_ready_is_a_failure_whatever_its_status() {
    let scratch = Scratch::new();
    for (script, expected) in [("exit 4", Some(Ended::Status(4))), ("exit 0", None)] {
        let outcome = Running::spawn(scratch.devrun(["--", "sh", "-c", script])).outcome(SOON);
        assert_ne!(outcome.ended, Ended::Status(0), "{outcome}");
        assert!(expected.is_none_or(|expected| outcome.ended == expected), "{outcome}");
        assert!(outcome.stderr.contains("error: "), "{outcome}");
    }
}

#[test]
fn the_server_goes_on_when_the_leader_exits_0_and_a_member_listens() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=grandchild-listens");
    let mut run = scratch.run("--stop-timeout 500ms", &fixture);
    let ready = run.ready();
    kill(fixture.stands().leader(), Signal::USR1);
    run.says("the command has exited");
    assert_eq!(get(&ready.url), scratch.mark, "the member still answers");
    assert!(!run.has_ended());
    run.signal(Signal::INT);
    run.ended(SOON);
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_server_that_puts_itself_in_the_background_at_once_becomes_ready() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=leader-leaves");
    let mut run = scratch.run("--stop-timeout 500ms", &fixture);
    assert_eq!(get(&run.ready().url), scratch.mark);
    run.stop();
    scratch.assert_dead(LIMIT);
}

#[test]
fn the_run_ends_with_0_when_the_leader_exits_0_and_nobody_listens() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=daemon serve=no");
    let run = scratch.run("--ready none --stop-timeout 500ms", &fixture);
    kill(fixture.stands().leader(), Signal::USR1);
    run.outcome(SOON).expect(Ended::Status(0), "", LINES);
    scratch.assert_dead(Duration::from_millis(500));
}

#[test]
fn the_run_ends_with_the_last_member_that_serves_whoever_else_lives() {
    let scratch = Scratch::new();
    let script = "python3 -m http.server $PORT --bind 127.0.0.1 >/dev/null 2>&1 & echo $! >web
        sleep 600 &
        until [ -e go ]; do sleep 0.02; done";
    let mut run = Running::spawn(scratch.devrun(["--no-inject", "--", "sh", "-c", script]));
    run.ready();
    scratch.write("go", "");
    run.says("the command has exited");
    let web = std::fs::read_to_string(scratch.project().join("web")).unwrap();
    kill(web.trim().parse().unwrap(), Signal::KILL);
    // For ten seconds another one may take its place.
    run.outcome(SOON * 2).expect(Ended::Status(0), "", LINES);
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_second_signal_ends_the_tree_at_once() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone signals=/dev/null cleanup=60000");
    let mut run = scratch.run("--ready none --stop-timeout 60s", &fixture);
    fixture.stands();
    run.signal(Signal::TERM);
    run.says("stopping");
    // npm and shells send the same signal twice at once; only a later one is a second wish.
    std::thread::sleep(Duration::from_millis(1100));
    run.signal(Signal::TERM);
    run.ended(LIMIT);
    scratch.assert_dead(LIMIT);
}

/// A name server that answers nothing; the first question to it ends the program that it runs.
const MUTE: &str = r#"
import socket, subprocess, sys
mute = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
mute.bind(("127.0.0.1", 53))
run = subprocess.Popen(sys.argv[1:])
mute.recvfrom(512)
run.terminate()
print("asked", flush=True)
print("status", run.wait(), flush=True)
"#;

#[test]
fn a_name_server_that_does_not_answer_delays_no_end() {
    if !is_root("namespaces") {
        return;
    }
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    scratch.write("mute.py", MUTE);
    let line = "ip link set lo up; echo nameserver 127.0.0.1 >resolv.conf; \
                mount --bind resolv.conf /etc/resolv.conf; exec python3 mute.py \"$@\"";
    let mut unshare = scratch.command("unshare");
    unshare.args(["--net", "--mount", "sh", "-ec", line, "sh", env!("CARGO_BIN_EXE_devrun")]);
    unshare.args(words("--ready http://name.vpn/", &fixture));
    let mut run = Running::spawn(unshare);
    eventually(SOON, || match run.stdout().contains("asked") {
        true => Ok(()),
        false => Err(format!("nobody asked; {}", run.stderr())),
    });
    // The question alone would take 10 s.
    run.ended(LIMIT);
    assert!(run.stdout().contains("status -15"), "{}{}", run.stdout(), run.stderr());
    scratch.assert_dead(LIMIT);
}
