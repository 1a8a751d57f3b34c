//! Promises 25 to 28: one port, one project, no races.

use std::collections::HashSet;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::{
    Churn, Ended, LIMIT, Running, SOON, Scratch, Signal, answer_200, eventually, free_port, get, held_port,
    is_root, kill, listens,
};

#[test]
fn sixty_starts_at_once_never_collide() {
    let churn = Churn::start(4200..=4399, None);
    for round in 0..10 {
        let scratch = Scratch::new();
        let fixtures: Vec<_> = (0..60).map(|_| scratch.fixture("shape=alone")).collect();
        let runs: Vec<_> = fixtures
            .iter()
            .enumerate()
            .map(|(n, fixture)| {
                let options = format!("--ready none --port-range 4200-4399 --name s{n}");
                scratch.run(&options, fixture)
            })
            .collect();
        let ports = fixtures.iter().zip(&runs).map(|(fixture, run)| {
            fixture
                .noted("complete")
                .unwrap_or_else(|missing| panic!("round {round}: {missing}; {}", run.stderr()));
            let notes = fixture.notes();
            assert!(!notes.contains("bind-failed"), "round {round}: {notes}");
            fixture.port().unwrap()
        });
        let ports: HashSet<_> = ports.collect();
        assert_eq!(ports.len(), 60, "round {round}: a port was given twice");
        assert!(ports.iter().all(|port| (4200..=4399).contains(port)), "{ports:?}");
        runs.iter().for_each(|run| kill(run.pid(), Signal::TERM));
        runs.into_iter().for_each(|mut run| _ = run.ended(SOON));
        scratch.assert_dead(LIMIT);
    }
    assert!(churn.end().len() > 100, "others have had most of these ports, or this test proves less");
}

#[test]
fn an_exhausted_range_is_a_clear_error_within_a_second() {
    let scratch = Scratch::new();
    let (first, _held) = (0..100)
        .find_map(|_| {
            let first = free_port();
            let held: Option<Vec<_>> =
                (first..first + 3).map(|port| TcpListener::bind(("::", port)).ok()).collect();
            Some((first, held?))
        })
        .expect("three free ports in a row");
    let range = format!("{first}-{}", first + 2);
    let start = Instant::now();
    let run = Running::spawn(scratch.devrun(["--port-range", &range, "--", "sleep", "600"]));
    let outcome = run.outcome(SOON);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    let stderr = format!("error: [..]{range}[..]\n...\nhint: [..]\n");
    assert_ne!(outcome.ended, Ended::Status(0));
    outcome.expect(outcome.ended, "", &stderr);
}

#[test]
fn a_port_held_on_any_address_is_busy() {
    for address in ["127.0.0.1", "::1", "0.0.0.0", "::"] {
        let scratch = Scratch::new();
        let (port, _holder) = held_port(address);
        let fixture = scratch.fixture("shape=alone");
        let mut run = scratch.run(&format!("-p {port}"), &fixture);
        let ready = run.ready();
        assert_ne!(ready.port, port, "held on {address}");
        assert!(run.stderr().contains(&format!("port {port} is taken")), "{}", run.stderr());
        assert_eq!(get(&ready.url), scratch.mark);
    }
}

#[test]
fn with_strict_port_a_busy_port_is_an_error_that_names_the_holder() {
    let scratch = Scratch::new();
    let (port, _holder) = held_port("127.0.0.1");
    let run =
        Running::spawn(scratch.devrun(["--strict-port", "-p", &port.to_string(), "--", "sleep", "600"]));
    let outcome = run.outcome(SOON);
    outcome.expect(Ended::Status(75), "", &format!("error: [..]{port}[..]\ncause: [..]\n...\nhint: [..]\n"));
    assert!(outcome.stderr.contains(&std::process::id().to_string()), "{outcome}");
    let left = std::fs::read_dir(scratch.state().join("live")).unwrap().count();
    assert_eq!(left, 0, "what was not started is not looked for");
}

#[test]
fn without_ipv6_it_works() {
    if !is_root("a network namespace") {
        return;
    }
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    let off = "for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 >$f; done; ip link set lo up";
    let mut unshare = scratch.command("unshare");
    let line = format!("{off} && exec {} -- {}", env!("CARGO_BIN_EXE_devrun"), fixture.line());
    unshare.args(["--net", "sh", "-c", &line]);
    let mut run = Running::spawn(unshare);
    run.ready();
}

#[test]
fn the_same_project_gets_the_same_port_after_stop_crash_and_reboot() {
    let scratch = Scratch::new();
    let mut first = None;
    let mut churn = None;
    for round in 0..50 {
        let fixture = scratch.fixture("shape=alone");
        let mut run = scratch.run("--name shop --stop-timeout 500ms --port-range 6240-6259", &fixture);
        let port = run.ready().port;
        assert_eq!(*first.get_or_insert(port), port, "round {round}: {}", run.stderr());
        // While it does not run, nothing keeps its port from other programs.
        churn.get_or_insert_with(|| Churn::start(6240..=6259, Some(port)));
        if round % 2 == 0 {
            run.signal(Signal::TERM);
        } else {
            scratch.alive().iter().for_each(|found| kill(found.pid, Signal::KILL));
        }
        run.ended(SOON);
        scratch.assert_dead(LIMIT);
        if round == 25 {
            pretend_reboot(&scratch);
        }
    }
    assert_eq!(churn.unwrap().end().len(), 19, "others have had all other ports");
}

/// Gives every record another boot id.
fn pretend_reboot(scratch: &Scratch) {
    let mut records = 0;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    for server in std::fs::read_dir(scratch.state().join("servers")).unwrap().flatten() {
        let path = server.path().join("server.json");
        let text = std::fs::read_to_string(&path).unwrap();
        records += usize::from(text.contains(boot.trim()));
        std::fs::write(&path, text.replace(boot.trim(), "00000000-0000-4000-8000-000000000000")).unwrap();
    }
    assert!(records > 0, "a record names the boot");
}

#[test]
fn two_projects_get_two_ports_and_keep_them() {
    let scratch = Scratch::new();
    let ports = |names: [&str; 2]| {
        let runs = names.map(|name| {
            let fixture = scratch.fixture("shape=alone");
            let mut run = scratch.run(&format!("--name {name}"), &fixture);
            (run.ready().port, run)
        });
        let ports = [runs[0].0, runs[1].0];
        runs.into_iter().for_each(|(_, run)| _ = run.stop());
        ports
    };
    let [a, b] = ports(["a", "b"]);
    assert_ne!(a, b);
    assert_eq!(ports(["b", "a"]), [b, a]);
}

#[test]
fn a_command_that_cannot_bind_over_the_reservation_still_starts() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone reuse=no");
    let mut run = scratch.run("", &fixture);
    let url = run.ready().url;
    assert_eq!(get(&url), scratch.mark);
}

#[test]
fn a_thief_between_choice_and_bind_costs_one_line() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    let script = format!(
        "[ -e taken ] || {{ echo $PORT >new; mv new port; until [ -e taken ]; do sleep 0.01; done; }}; exec {}",
        fixture.line()
    );
    let options = ["--json", "--port-env", "API_PORT=api", "--", "sh", "-c"];
    let mut run = Running::spawn(scratch.devrun(options.into_iter().chain([script.as_str()])));
    let port = steal_port(&scratch);
    run.says("\"event\":\"ready\"");
    let record = &scratch.listed(true)[0];
    assert_ne!(record["port"], port, "{}", run.stderr());
    assert_eq!(get(record["url"].as_str().unwrap()), scratch.mark);
    let said: Vec<serde_json::Value> =
        run.stderr().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of_kind = |kind: &str| said.iter().filter(|event| event["event"] == kind).collect::<Vec<_>>();
    let [retrying] = of_kind("retrying")[..] else { panic!("not one line: {}", run.stderr()) };
    assert_eq!(retrying["port"], record["port"]);
    assert_eq!(retrying["reason"], format!("port {port} was taken by another program"));
    assert!(of_kind("warning").is_empty(), "one line is enough: {}", run.stderr());
    let last = *of_kind("started").last().unwrap();
    assert_eq!(record["extra_ports"], last["extra_ports"], "the ports that the command has");
}

#[test]
fn with_strict_port_a_thief_is_an_error_and_the_record_says_so() {
    let scratch = Scratch::new();
    let script = "echo $PORT >new; mv new port; until [ -e taken ]; do sleep 0.01; done; exit 1";
    let port = free_port().to_string();
    let run = Running::spawn(scratch.devrun([
        "--strict-port",
        "-p",
        &port,
        "--name",
        "shop",
        "--",
        "sh",
        "-c",
        script,
    ]));
    steal_port(&scratch);
    let outcome = run.outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(75), "{outcome}");
    assert!(outcome.stderr.contains(&format!("error: port {port} is taken\ncause: ")), "{outcome}");
    assert!(!outcome.stderr.contains("the server shop"), "it is not its own thief: {outcome}");
    let record = &scratch.listed(true)[0];
    assert_eq!(record["state"], "crashed", "{record}");
    assert_eq!(record["reason"], format!("port {port} is taken"), "{record}");
    assert_eq!(std::fs::read_dir(scratch.state().join("live")).unwrap().count(), 0);
}

/// Takes the port that the command was given, before it does.
fn steal_port(scratch: &Scratch) -> u16 {
    let port = told_port(scratch);
    // With SO_REUSEADDR, as most servers do: the reservation lets it.
    answer_200(TcpListener::bind(("127.0.0.1", port)).unwrap());
    scratch.write("taken", "");
    port
}

/// The port that the command wrote into the file `port`.
fn told_port(scratch: &Scratch) -> u16 {
    let file = scratch.project().join("port");
    eventually(SOON, || {
        let text = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
        text.trim().parse().map_err(|_| format!("{text:?} is no port"))
    })
}

#[test]
fn several_ports_are_several() {
    let scratch = Scratch::new();
    let script = "echo $PORT $API_PORT $SITE_PORT \"$@\"";
    let options = ["-q", "--ready", "none", "--port-env", "API_PORT=api", "--port-env", "SITE_PORT", "--"];
    let mut command = scratch.devrun(options);
    command.args(["sh", "-c", script, "sh", "{port}", "{port:api}", "x{port}"]);
    let outcome = Running::spawn(command).outcome(SOON);
    let words: Vec<_> = outcome.stdout.split_whitespace().collect();
    let [main, api, site, main_again, api_again, untouched] = words[..] else { panic!("{outcome}") };
    assert_eq!([main, api, untouched], [main_again, api_again, "x{port}"], "{outcome}");
    assert_eq!(site, main);
    assert_ne!(api, main);
}

#[test]
fn the_port_of_a_stopped_server_is_free() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    let mut run = scratch.run("", &fixture);
    let port = run.ready().port;
    run.stop();
    assert!(!listens("127.0.0.1", port));
    TcpListener::bind(("127.0.0.1", port)).unwrap();
}
