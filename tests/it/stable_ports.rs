//! Promise 27: the same server gets the same port, whatever became of its record and however many others start.

use crate::healing::git;
use crate::support::{Churn, Ended, LIMIT, Running, SOON, Scratch, Signal, eventually, free_port, get, kill};

#[test]
fn eight_servers_restarted_in_a_crowd_keep_their_ports() {
    let scratch = Scratch::new();
    let round = |round: usize| -> Vec<u16> {
        let fixtures: Vec<_> = (0..8).map(|_| scratch.fixture("shape=alone")).collect();
        let start = |(number, fixture)| {
            // Ten ports for eight: everybody's search runs into the others. Where no other test looks for one.
            let options =
                format!("--ready none --stop-timeout 500ms --port-range 6200-6209 --name s{number}");
            scratch.run(&options, fixture)
        };
        let mut runs: Vec<_> = fixtures.iter().enumerate().map(start).collect();
        let ports = fixtures.iter().zip(&runs).map(|(fixture, run)| {
            fixture.noted("complete").unwrap_or_else(|missing| panic!("{missing}; {}", run.stderr()));
            fixture.port().unwrap()
        });
        let ports = ports.collect();
        let signal = if round.is_multiple_of(2) { Signal::TERM } else { Signal::KILL };
        runs.iter().for_each(|run| kill(run.pid(), signal));
        runs.iter_mut().for_each(|run| _ = run.ended(SOON));
        scratch.assert_dead(LIMIT);
        ports
    };
    let first = round(0);
    for number in 1..=12 {
        assert_eq!(round(number), first, "round {number}");
    }
}

#[test]
fn fifty_restarts_keep_the_port_from_programs_that_would_take_it() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    let mut run = scratch.run("--name shop --port-range 6270-6279", &fixture);
    let port = run.ready().port;
    let churn = Churn::start(6270..=6279, None);
    for round in 1..=50 {
        let restart = Running::spawn(scratch.devrun(["restart", "shop"])).outcome(SOON);
        assert_eq!(restart.ended, Ended::Status(0), "round {round}: {restart}");
        assert!(restart.stderr.contains(&format!(" port={port} ")), "round {round}: {restart}");
    }
    let notes = fixture.notes();
    assert!(!notes.contains("bind-failed"), "{notes}");
    assert_eq!(notes.matches(&format!("listening {port}\n")).count(), 51, "{notes}");
    let had = churn.end();
    assert!(had.len() == 9 && !had.contains(&port), "others have had all other ports: {had:?}");
}

#[test]
fn each_git_worktree_has_a_port_of_its_own_and_keeps_it() {
    let scratch = Scratch::new();
    let tree = scratch.dir().join("feature");
    scratch.write("package.json", r#"{"name":"shop"}"#);
    git(&scratch, &["init", "-q"]);
    git(&scratch, &["add", "."]);
    git(&scratch, &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]);
    git(&scratch, &["worktree", "add", "-q", tree.to_str().unwrap()]);
    // The same command every time: it is a part of who the server is.
    let fixture = scratch.fixture("shape=alone");
    let both = || {
        let runs = [&scratch.project(), &tree].map(|folder| {
            let mut command = scratch.devrun(["--"]);
            command.args(&fixture.argv).current_dir(folder);
            let mut run = Running::spawn(command);
            let ready = run.ready();
            assert_eq!(get(&ready.url), scratch.mark);
            (ready.port, run)
        });
        assert_eq!(scratch.names(false), ["shop", "shop@feature"]);
        let ports = [runs[0].0, runs[1].0];
        runs.into_iter().for_each(|(_, run)| _ = run.stop());
        ports
    };
    let [main, feature] = both();
    assert_ne!(main, feature);
    assert_eq!(both(), [main, feature]);
}

#[test]
fn a_server_whose_record_was_damaged_finds_its_port_again() {
    let scratch = Scratch::new();
    let start = |name: &str, range: &str| {
        let fixture = scratch.fixture("shape=alone");
        let mut run = scratch.run(&format!("--name {name} --port-range {range}"), &fixture);
        (run.ready().port, run)
    };
    // The shop is pushed off the port from which its search starts.
    let (derived, other) = start("shop", "6220-6239");
    other.stop();
    let records = scratch.server_folders();
    std::fs::remove_dir_all(&records[0]).unwrap();
    let holder = std::net::TcpListener::bind(("127.0.0.1", derived)).unwrap();
    let (port, run) = start("shop", "6220-6239");
    assert_ne!(port, derived);
    run.stop();
    drop(holder);
    std::fs::write(scratch.record_path(), "{").unwrap();
    // Somebody else has it now.
    std::fs::write(scratch.state().join("ports").join(derived.to_string()), "00000000000000ff\n").unwrap();
    assert_eq!(start("shop", "6220-6239").0, port);
}

#[test]
fn what_a_projects_file_says_of_ports_is_done_once_where_its_script_is_a_devrun_too() {
    let port = free_port();
    let settings = format!(
        "port = {port}\nstrict-port = true\nrestart = \"on-failure\"\nport-env = [\"API_PORT=api\", \"WEB_PORT\"]\n"
    );
    for as_toml in [true, false] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=alone");
        let line = format!("echo of-$API_PORT-$WEB_PORT >>seen; exec {}", fixture.line());
        scratch.write("server.sh", &line);
        let script =
            format!("echo of-$API_PORT-$WEB_PORT >>seen; {} -- sh server.sh", env!("CARGO_BIN_EXE_devrun"));
        if as_toml {
            scratch.package_json(&[("dev", script)]);
            scratch.write("devrun.toml", &settings);
        } else {
            let settings: serde_json::Value =
                serde_json::to_value(toml::from_str::<toml::Table>(&settings).unwrap()).unwrap();
            let package = serde_json::json!({ "scripts": { "dev": script }, "devrun": settings });
            scratch.write("package.json", &package.to_string());
        }
        let mut run = Running::spawn(scratch.devrun(["npm", "run", "dev"]));
        assert_eq!(run.ready().port, port, "{}", run.stderr());
        let seen = std::fs::read_to_string(scratch.project().join("seen")).unwrap();
        let seen: Vec<_> = seen.lines().collect();
        assert!(seen.len() == 2 && seen[0] == seen[1], "the same ports inside: {seen:?}");
        // The inner one may see it a moment later.
        eventually(SOON, || match scratch.listed(false) {
            list if list.iter().all(|server| server["state"] == "ready" && server["port"] == port) => Ok(()),
            list => Err(format!("{list:?}")),
        });
        let outcome = run.stop();
        assert!(!outcome.stderr.contains("warning"), "{outcome}");
        scratch.assert_dead(LIMIT);
    }
}

#[test]
fn a_further_port_that_the_inner_command_names_is_filled_in_there() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    scratch.write("server.sh", &format!("echo at-$1 >seen; exec {}", fixture.line()));
    scratch.write("devrun.toml", "port-env = [\"API_PORT=api\"]");
    let script = format!("{} -- sh server.sh {{port:api}}", env!("CARGO_BIN_EXE_devrun"));
    scratch.package_json(&[("dev", script)]);
    let mut run = Running::spawn(scratch.devrun(["npm", "run", "dev"]));
    run.ready();
    let seen = std::fs::read_to_string(scratch.project().join("seen")).unwrap();
    assert!(seen.trim().trim_start_matches("at-").parse::<u16>().is_ok(), "{seen}");
    run.stop();
    scratch.assert_dead(LIMIT);
}
