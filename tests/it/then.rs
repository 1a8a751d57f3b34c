//! Promise 35: `--then` runs once the server is ready, its status is ours, and however the run ends nothing is left
//! of either.

use crate::support::{
    Ended, Fixture, LIMIT, Outcome, Pty, Running, SOON, Scratch, Signal, eventually, get, has_taken_signals,
    kill, kill_group, words,
};

const DEVRUN: &str = env!("CARGO_BIN_EXE_devrun");

fn start(scratch: &Scratch, then: &str, options: &str, server: &Fixture) -> Running {
    let args = ["--then".to_string(), then.to_string()].into_iter().chain(words(options, server));
    Running::spawn(scratch.devrun(args))
}

#[track_caller]
fn dead(scratch: &Scratch, fixtures: &[&Fixture]) {
    eventually(LIMIT, || {
        scratch.dead()?;
        fixtures.iter().try_for_each(|fixture| fixture.gone())
    });
}

#[test]
fn its_status_is_ours_and_both_outputs_reach_the_caller() {
    for (then, ended) in [
        ("echo from-then; echo aside >&2", Ended::Status(0)),
        ("echo from-then; echo aside >&2; exit 3", Ended::Status(3)),
        ("echo from-then; echo aside >&2; no-such-program", Ended::Status(127)),
        ("echo from-then; echo aside >&2; ulimit -c 0; kill -SEGV $$", Ended::Signal(11)),
        ("echo from-then; echo aside >&2; kill -KILL $$", Ended::Signal(9)),
    ] {
        let scratch = Scratch::new();
        let server = scratch.fixture("shape=daemon print=from-server");
        let outcome = start(&scratch, then, "", &server).outcome(SOON);
        assert_eq!(outcome.ended, ended, "{then}: {outcome}");
        let both = ["from-server", "from-then"].iter().all(|text| outcome.stdout.contains(text));
        assert!(both && outcome.stderr.contains("aside"), "{then}: {outcome}");
        dead(&scratch, &[&server]);
    }
}

#[test]
fn it_is_told_where_the_ready_server_is() {
    let scratch = Scratch::new();
    let server = scratch.fixture("shape=plain delay-answer=300");
    let then = "curl -s $BASE_URL/ >/dev/null && echo $PORT {port} {url} $BASE_URL $DEVRUN_URL {host} {name}";
    let outcome = start(&scratch, then, "--name web", &server).outcome(SOON);
    let port = server.port().unwrap();
    let url = format!("http://localhost:{port}");
    let line = format!("{port} {port} {url} {url} {url} 127.0.0.1 web");
    assert!(outcome.stdout.lines().any(|found| found == line), "no {line:?}: {outcome}");
    assert_eq!(outcome.ended, Ended::Status(0), "{outcome}");
}

#[test]
fn it_has_the_servers_further_ports_too_also_of_one_that_runs_already() {
    let scratch = Scratch::new();
    let server = scratch.fixture("shape=plain");
    let options = "--port-env API_PORT=api";
    let mut first = scratch.run(options, &server);
    first.ready();
    let status = scratch.devrun(["status", "--json"]).output().unwrap();
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let line = format!("api {0} {0}", status["extra_ports"]["api"]);
    let then = "echo api $API_PORT {port:api}";
    let beside = start(&scratch, then, options, &server).outcome(SOON);
    assert!(beside.stdout.contains(&line), "no {line:?}: {beside}");
    first.stop();
    // It has the same ports again.
    let own = start(&scratch, then, options, &server).outcome(SOON);
    assert!(own.stdout.contains(&line), "no {line:?}: {own}");
    dead(&scratch, &[&server]);
}

#[test]
fn what_it_leaves_behind_dies_with_it() {
    let scratch = Scratch::new();
    let (server, left) =
        (scratch.fixture("shape=daemon-clearenv"), scratch.fixture("shape=daemon-clearenv serve=no"));
    let record = left.argv[2].trim_start_matches("record=");
    let then = format!("{} & until grep -qs complete {record}; do sleep 0.01; done; exit 4", left.line());
    let outcome = start(&scratch, &then, "--stop-timeout 500ms", &server).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(4), "{outcome}");
    dead(&scratch, &[&server, &left]);
}

/// A command that takes its time to end, asks the server meanwhile, and exits with 7.
const LAST_WORDS: &str = "trap 'sleep 0.3; curl -s $BASE_URL/ > answer; exit 7' TERM; \
    echo $$ > up; while :; do sleep 0.02; done";

#[test]
fn a_signal_ends_it_first_and_then_the_server() {
    for signal in [Signal::INT, Signal::TERM, Signal::QUIT] {
        let scratch = Scratch::new();
        let server = scratch.fixture("shape=plain");
        let run = start(&scratch, LAST_WORDS, "", &server);
        eventually(SOON, || std::fs::read_to_string(scratch.project().join("up")).map_err(|e| e.to_string()));
        run.signal(signal);
        let outcome = run.outcome(SOON);
        assert_eq!(outcome.ended, Ended::Status(7), "{signal:?}: {outcome}");
        let answer = std::fs::read_to_string(scratch.project().join("answer")).unwrap();
        assert!(!answer.is_empty(), "{signal:?}: the server was gone before the command was");
        dead(&scratch, &[&server]);
    }
}

#[test]
fn ctrl_c_ends_both_and_typed_twice_it_does_so_at_once() {
    let scratch = Scratch::new();
    let (server, then) =
        (scratch.fixture("shape=ignore-signals"), scratch.fixture("shape=ignore-signals serve=no"));
    let bash = Pty::bash(&scratch);
    bash.type_in(&format!("{DEVRUN} --stop-timeout 60s --then '{}' -- {}\n", then.line(), server.line()));
    then.stands();
    bash.is_foreground(then.leader());
    let front = scratch.alive().into_iter().find(|found| found.comm == "devrun").expect("the front").pid;
    bash.type_in("\x03");
    // The first one must have been heard as such: it ends no process here, so its echo is all there is to see.
    bash.shows("^C");
    has_taken_signals(front);
    bash.type_in("\x03");
    eventually(LIMIT, || {
        then.gone()?;
        server.gone()
    });
    bash.is_back();
    bash.type_in("echo over-$?\n");
    bash.shows("over-130");
}

#[test]
fn a_server_that_dies_meanwhile_ends_it_too_and_that_is_no_success() {
    for (leave, ended) in [("0", Ended::Status(1)), ("5", Ended::Status(5))] {
        let scratch = Scratch::new();
        let then = scratch.fixture("shape=daemon-clearenv serve=no");
        let server = scratch.fixture(&format!("shape=alone after=1500 then={leave}"));
        let outcome = start(&scratch, &then.line(), "--stop-timeout 1s", &server).outcome(SOON);
        assert_eq!(outcome.ended, ended, "{outcome}");
        assert!(outcome.stderr.contains("ended while the chained command ran"), "{outcome}");
        dead(&scratch, &[&server, &then]);
    }
}

#[test]
fn a_server_that_never_gets_ready_starts_nothing() {
    let scratch = Scratch::new();
    let server = scratch.fixture("shape=plain serve=no");
    let outcome = start(&scratch, "echo started", "--ready-timeout 500ms", &server).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(124), "{outcome}");
    assert!(!outcome.stdout.contains("started"), "{outcome}");
    dead(&scratch, &[&server]);
}

/// A run with both trees up.
fn up(scratch: &Scratch) -> (Running, Fixture, Fixture) {
    let (server, then) =
        (scratch.fixture("shape=daemon-clearenv"), scratch.fixture("shape=daemon-clearenv serve=no"));
    let run = start(scratch, &then.line(), "--stop-timeout 500ms", &server);
    then.stands();
    (run, server, then)
}

#[test]
fn a_killed_devrun_leaves_neither() {
    for ways in ["front", "group", "front, stopped before"] {
        let scratch = Scratch::new();
        let (mut run, server, then) = up(&scratch);
        match ways {
            "front" => run.signal(Signal::KILL),
            "group" => kill_group(run.pid(), Signal::KILL),
            _ => {
                run.signal(Signal::STOP);
                run.signal(Signal::KILL);
            }
        }
        run.ended(SOON);
        dead(&scratch, &[&server, &then]);
    }
}

#[test]
fn a_killed_guard_of_either_takes_everything_with_it() {
    for which in 0..2 {
        let scratch = Scratch::new();
        let (run, server, then) = up(&scratch);
        let mut guards: Vec<_> = scratch
            .alive()
            .into_iter()
            .filter(|found| found.ppid == run.pid())
            .map(|found| found.pid)
            .collect();
        guards.sort_unstable();
        assert_eq!(guards.len(), 2, "one guard each");
        kill(guards[which], Signal::KILL);
        let outcome = run.outcome(SOON);
        assert_ne!(outcome.ended, Ended::Status(0), "{outcome}");
        dead(&scratch, &[&server, &then]);
    }
}

#[test]
fn what_a_crash_of_all_three_leaves_is_ended_by_the_next_start() {
    let scratch = Scratch::new();
    let (server, then) =
        (scratch.fixture("shape=own-session"), scratch.fixture("shape=own-session serve=no"));
    let mut run = start(&scratch, &then.line(), "", &server);
    then.stands();
    let guards: Vec<_> = scratch.alive().into_iter().filter(|found| found.ppid == run.pid()).collect();
    run.signal(Signal::STOP);
    guards.iter().for_each(|guard| kill(guard.pid, Signal::STOP));
    guards.iter().for_each(|guard| kill(guard.pid, Signal::KILL));
    run.signal(Signal::KILL);
    run.ended(SOON);
    assert!(!scratch.alive().is_empty(), "such a crash leaves ghosts, or this test proves nothing");
    let other =
        Running::spawn(scratch.devrun(["--ready", "none", "--name", "other", "--", "true"])).outcome(SOON);
    assert!(other.stderr.contains("ended what a crash of"), "{other}");
    dead(&scratch, &[&server, &then]);
}

#[test]
fn both_die_with_the_caller() {
    let scratch = Scratch::new();
    let (server, then) =
        (scratch.fixture("shape=daemon-clearenv"), scratch.fixture("shape=daemon-clearenv serve=no"));
    scratch.package_json(&[("e2e", format!("{DEVRUN} --then '{}' -- {}", then.line(), server.line()))]);
    let mut command = scratch.command("npm");
    command.args(["run", "e2e"]);
    let mut npm = Running::spawn(command);
    then.stands();
    npm.signal(Signal::KILL);
    npm.ended(SOON);
    dead(&scratch, &[&server, &then]);
}

#[test]
fn a_server_that_runs_already_is_used_and_left() {
    let scratch = Scratch::new();
    let server = scratch.fixture("shape=plain");
    let mut first = scratch.run("", &server);
    let ready = first.ready();
    let outcome: Outcome = start(&scratch, "echo at {url}; exit 6", "", &server).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(6), "{outcome}");
    assert!(outcome.stdout.contains(&format!("at {}", ready.url)), "{outcome}");
    assert!(!get(&ready.url).is_empty() && !first.has_ended(), "it goes on");
    first.stop();
    dead(&scratch, &[&server]);
}

#[test]
fn a_devrun_in_the_servers_own_script_does_not_run_it_again() {
    let scratch = Scratch::new();
    let server = scratch.fixture("shape=plain");
    scratch.write("devrun.toml", "then = \"echo once >> times\"\n");
    scratch.package_json(&[("dev", format!("{DEVRUN} -- {}", server.line()))]);
    let outcome = Running::spawn(scratch.devrun(["npm", "run", "dev"])).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(0), "{outcome}");
    assert_eq!(std::fs::read_to_string(scratch.project().join("times")).unwrap(), "once\n", "{outcome}");
    dead(&scratch, &[&server]);
}

#[test]
fn a_devrun_in_it_runs_a_server_of_its_own_beside_the_first_one() {
    // Also where a devrun around both has given the first one its port.
    for around in [&[][..], &["--", DEVRUN]] {
        let scratch = Scratch::new();
        let (server, inner) = (scratch.fixture("shape=plain"), scratch.fixture("shape=plain"));
        let line = format!("{DEVRUN} --name inner --then 'exit 5' -- {}", inner.argv.join(" "));
        let args = around.iter().map(ToString::to_string).chain(["--then".into(), line]);
        let outcome = Running::spawn(scratch.devrun(args.chain(words("", &server)))).outcome(SOON);
        assert_eq!(outcome.ended, Ended::Status(5), "{outcome}");
        assert!(!outcome.stderr.contains("taken"), "{outcome}");
        assert_ne!(inner.port().unwrap(), server.port().unwrap(), "{outcome}");
        dead(&scratch, &[&server, &inner]);
    }
}

#[test]
fn a_server_that_is_started_again_does_not_end_it() {
    let scratch = Scratch::new();
    let server = scratch.fixture("shape=alone after=1000 then=3");
    let record = server.argv[2].trim_start_matches("record=");
    let then = format!("until [ $(grep -c ^leader {record}) -ge 2 ]; do sleep 0.02; done; exit 6");
    let outcome = start(&scratch, &then, "--restart always", &server).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(6), "{outcome}");
    dead(&scratch, &[&server]);
}

#[test]
fn devrun_stop_ends_both() {
    let scratch = Scratch::new();
    let (run, server, then) = up(&scratch);
    Running::spawn(scratch.devrun(["stop"])).outcome(SOON);
    run.outcome(SOON);
    dead(&scratch, &[&server, &then]);
}
