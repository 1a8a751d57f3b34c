//! Promises 33 and 34: what crashes or hangs comes back if that was asked for, and gives up in the end.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::support::{Ended, LIMIT, Running, SOON, Scratch, Signal, eventually, get, kill};

/// The record of the only server of this scratch.
fn record(scratch: &Scratch) -> Result<serde_json::Value, String> {
    let servers = scratch.state().join("servers");
    let found = std::fs::read_dir(servers).map_err(|error| error.to_string())?.flatten().next();
    let path = found.ok_or("no server")?.path().join("server.json");
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

#[track_caller]
fn recorded(scratch: &Scratch, field: &str, expected: &str) {
    eventually(SOON, || match record(scratch)?[field].to_string() {
        found if found == expected => Ok(()),
        found => Err(format!("{field} is {found}, not {expected}")),
    });
}

fn events(stderr: &str, name: &str) -> Vec<serde_json::Value> {
    let all = stderr.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    all.filter(|event| event["event"] == name).collect()
}

#[test]
fn a_crash_loop_backs_off_and_gives_up_with_the_reason_and_the_last_words() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone print=out-of-memory after=1 then=3");
    let run = scratch.run("--json --restart on-failure:2", &fixture);
    let outcome = run.outcome(LIMIT);
    assert_eq!(outcome.ended, Ended::Status(3), "{outcome}");
    assert_eq!(fixture.starts(), 3, "{outcome}");
    let waits: Vec<u64> =
        events(&outcome.stderr, "restarting").iter().map(|event| event["in_ms"].as_u64().unwrap()).collect();
    assert_eq!(waits.len(), 2, "{outcome}");
    assert!((200..=300).contains(&waits[0]) && (400..=600).contains(&waits[1]), "{waits:?}");
    let gave_up = &events(&outcome.stderr, "gave-up")[0];
    assert!(gave_up["reason"].as_str().unwrap().starts_with("3 times in a row it ended soon"), "{gave_up}");
    assert!(gave_up["output"].to_string().contains("out-of-memory"), "{gave_up}");
    let error = &events(&outcome.stderr, "error")[0];
    assert!(error["hint"].is_string(), "{error}");
    assert_eq!((&error["exit-code"], &error["kind"]), (&3.into(), &"not-running".into()), "{error}");
    let record = record(&scratch).unwrap();
    assert_eq!((&record["state"], &record["restarts"]), (&"crashed".into(), &2.into()), "{record}");
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_restart_keeps_port_name_and_log_and_what_ends_well_is_over() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=daemon print=begins");
    let mut run = scratch.run("--restart on-failure", &fixture);
    let ready = run.ready();
    fixture.stands();
    let first = record(&scratch).unwrap();
    kill(fixture.leader(), Signal::USR2);
    eventually(LIMIT, || match fixture.starts() {
        2 => Ok(()),
        other => Err(format!("{other} starts: {}", run.stderr())),
    });
    recorded(&scratch, "state", "\"ready\"");
    let second = record(&scratch).unwrap();
    for field in ["name", "port", "url", "run", "id"] {
        assert_eq!(first[field], second[field], "{field}");
    }
    assert_eq!(second["restarts"], 1);
    assert_eq!(get(&ready.url), scratch.mark);
    // Of the first tree nobody is left: its daemon is gone as well.
    let alive = scratch.alive().into_iter().filter(|found| found.comm == "fixture").collect::<Vec<_>>();
    assert_eq!(alive.len(), 2, "{}", alive.len());
    let log = scratch.state().join("servers").join(first["id"].as_str().unwrap()).join("log");
    assert_eq!(std::fs::read_to_string(log).unwrap().matches("begins").count(), 2);
    let leaders = fixture.notes();
    let last = leaders.lines().rfind(|line| line.starts_with("leader ")).unwrap();
    kill(last.split(' ').nth(1).unwrap().parse().unwrap(), Signal::USR1);
    assert_eq!(run.outcome(LIMIT).ended, Ended::Status(0));
    assert_eq!(fixture.starts(), 2);
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_stop_during_the_backoff_stops() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone after=1 then=3");
    let run = scratch.run("--restart on-failure:20", &fixture);
    // By then the wait is longer than the test may take to stop it.
    eventually(LIMIT, || match run.stderr().matches("starting again in").count() {
        5.. => Ok(()),
        _ => Err(run.stderr()),
    });
    recorded(&scratch, "state", "\"backoff\"");
    let began = std::time::Instant::now();
    run.signal(Signal::TERM);
    assert_eq!(run.outcome(SOON).ended, Ended::Signal(15));
    assert!(began.elapsed() < Duration::from_secs(2), "it waited for the backoff");
    recorded(&scratch, "state", "\"stopped\"");
    scratch.assert_dead(LIMIT);
}

#[test]
fn without_a_policy_nothing_is_started_again() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    let mut run = scratch.run("", &fixture);
    run.ready();
    kill(fixture.leader(), Signal::USR2);
    assert_eq!(run.outcome(LIMIT).ended, Ended::Status(3));
    assert_eq!(fixture.starts(), 1);
}

#[test]
fn a_hung_server_is_unhealthy_and_recovers() {
    let scratch = Scratch::new();
    let hung = scratch.dir().join("hung");
    let fixture = scratch.fixture(&format!("shape=alone hung-while={}", hung.display()));
    let mut run = scratch.run("--health-interval 100ms --health-retries 2", &fixture);
    run.ready();
    recorded(&scratch, "healthy", "true");
    std::fs::write(&hung, "").unwrap();
    run.says("unhealthy: it listens and does not answer");
    recorded(&scratch, "healthy", "false");
    std::fs::remove_file(&hung).unwrap();
    run.says("healthy again");
    recorded(&scratch, "healthy", "true");
    recorded(&scratch, "state", "\"ready\"");
    assert_eq!(fixture.starts(), 1);
    run.stop();
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_server_is_unhealthy_when_only_another_one_of_its_tree_answers() {
    let scratch = Scratch::new();
    let serve = "python3 -m http.server --bind 127.0.0.1";
    let script = format!("{serve} $API_PORT & {serve} $PORT & echo $! >first; wait");
    let options = "--port-env API_PORT=api --health-interval 100ms --health-retries 2 -- sh -c";
    let mut run = Running::spawn(scratch.devrun(options.split(' ').chain([script.as_str()])));
    run.ready();
    let first = std::fs::read_to_string(scratch.project().join("first")).unwrap();
    kill(first.trim().parse().unwrap(), Signal::KILL);
    run.says("unhealthy: nothing listens");
    run.stop();
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_hung_server_is_started_again_if_that_was_asked_for() {
    let scratch = Scratch::new();
    let hung = scratch.dir().join("hung");
    let fixture = scratch.fixture(&format!("shape=alone hung-while={}", hung.display()));
    let options = "--restart on-failure --health-interval 100ms --health-retries 1";
    let mut run = scratch.run(options, &fixture);
    let ready = run.ready();
    std::fs::write(&hung, "").unwrap();
    run.says("it did not answer any more; starting again");
    std::fs::remove_file(&hung).unwrap();
    eventually(LIMIT, || match fixture.starts() {
        2.. => Ok(()),
        _ => Err(run.stderr()),
    });
    recorded(&scratch, "state", "\"ready\"");
    assert_eq!(get(&ready.url), scratch.mark);
    run.stop();
    scratch.assert_dead(LIMIT);
}

/// Asks the front that looks after the only server; its answer.
fn ask(scratch: &Scratch, question: &str) -> serde_json::Value {
    let id = record(scratch).unwrap()["id"].as_str().unwrap().to_string();
    let socket = scratch.state().join("servers").join(id).join("control.sock");
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    writeln!(stream, "{{\"ask\":\"{question}\"}}").unwrap();
    let mut lines = BufReader::new(stream).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap());
    let greeting: serde_json::Value = lines.next().unwrap();
    assert_eq!(greeting["devrun"], 1);
    lines.next().unwrap()
}

#[test]
fn a_live_front_can_be_asked_to_restart_and_to_stop() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    let mut run = scratch.run("", &fixture);
    let ready = run.ready();
    assert_eq!(ask(&scratch, "restart"), serde_json::json!({"ok": true}));
    eventually(LIMIT, || match fixture.starts() {
        2 => Ok(()),
        _ => Err(run.stderr()),
    });
    recorded(&scratch, "state", "\"ready\"");
    assert_eq!(get(&ready.url), scratch.mark);
    assert_eq!(ask(&scratch, "explode")["ok"], false);
    assert_eq!(ask(&scratch, "stop"), serde_json::json!({"ok": true}));
    run.ended(LIMIT);
    recorded(&scratch, "state", "\"stopped\"");
    assert_eq!(fixture.starts(), 2);
    scratch.assert_dead(LIMIT);
}

#[test]
fn what_is_restarted_and_stopped_at_once_ends() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone cleanup=300");
    let mut run: Running = scratch.run("--restart always", &fixture);
    run.ready();
    ask(&scratch, "restart");
    ask(&scratch, "stop");
    run.ended(LIMIT);
    assert_eq!(fixture.starts(), 1, "{}", run.stderr());
    scratch.assert_dead(LIMIT);
}

#[test]
fn whoever_hears_that_it_is_ready_finds_it_ready() {
    for _ in 0..20 {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=alone");
        let mut run = scratch.run("", &fixture);
        run.ready();
        assert_eq!(record(&scratch).unwrap()["state"], "ready");
        run.stop();
    }
}

#[test]
fn the_events_of_a_server_come_to_whoever_asks_until_it_ends() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    let mut run = scratch.run("-n web", &fixture);
    run.ready();
    let mut listener = Running::spawn(scratch.devrun(["events", "web"]));
    // Until it listens there is nothing to hear: so it is restarted until something was heard.
    eventually(LIMIT, || {
        ask(&scratch, "restart");
        match listener.stdout().contains("\"event\":\"restarting\"") {
            true => Ok(()),
            false => Err(listener.stderr()),
        }
    });
    run.signal(Signal::TERM);
    assert_eq!(listener.ended(LIMIT), Ended::Status(0));
    let heard = events(&listener.stdout(), "ended");
    assert_eq!(heard.len(), 1, "{}", listener.stdout());
    let nobody = Running::spawn(scratch.devrun(["events", "web"])).outcome(SOON);
    assert_eq!(nobody.ended, Ended::Status(1), "{nobody}");
    run.ended(SOON);
    scratch.assert_dead(LIMIT);
}

#[test]
fn listening_for_events_ends_when_nobody_reads_them_any_more() {
    let scratch = Scratch::new();
    let mut run = scratch.run("-n web", &scratch.fixture("shape=alone"));
    run.ready();
    let mut shell = scratch.command("bash");
    shell.args(["-c", &format!("{} events web | head -n 1", env!("CARGO_BIN_EXE_devrun"))]);
    let mut shell = Running::spawn(shell);
    eventually(SOON, || {
        ask(&scratch, "restart");
        if shell.has_ended() { Ok(()) } else { Err(shell.stdout()) }
    });
    assert_eq!(shell.stdout().lines().count(), 1, "{}", shell.stdout());
    run.stop();
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_server_that_hangs_each_time_is_given_up_however_long_it_takes_to_see() {
    let scratch = Scratch::new();
    let hung = scratch.dir().join("hung");
    let fixture = scratch.fixture(&format!("shape=alone cleanup=10 hung-while={}", hung.display()));
    // Seen after 12 s: longer than a server has to be well for its failures to be forgotten.
    let options = "--json --restart on-failure:1 --health-interval 2s --health-retries 3";
    let run = scratch.run(options, &fixture);
    let ready = |count| {
        eventually(SOON, || match events(&run.stderr(), "ready").len() {
            found if found == count => Ok(()),
            _ => Err(run.stderr()),
        });
    };
    ready(1);
    kill(fixture.leader(), Signal::USR2);
    ready(2);
    std::fs::write(&hung, "").unwrap();
    let outcome = run.outcome(SOON * 2);
    assert_eq!(outcome.ended, Ended::Status(1), "given up is no success: {outcome}");
    assert_eq!(fixture.starts(), 2, "{outcome}");
    assert_eq!(events(&outcome.stderr, "error")[0]["exit-code"], 1, "{outcome}");
    scratch.assert_dead(LIMIT);
}
