//! Promises 36 and 38: what is known of servers is shown completely, in order, in the room there is, and nothing in
//! a record steers the terminal.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Ended, Fixture, Pty, Ready, Running, SOON, Scratch, Signal, eventually, kill};

/// `devrun ARGS`, to its end.
fn devrun(scratch: &Scratch, args: &str) -> (Ended, String, String) {
    let outcome = Running::spawn(scratch.devrun(args.split_whitespace())).outcome(SOON);
    (outcome.ended, outcome.stdout, outcome.stderr)
}

fn list(scratch: &Scratch) -> Vec<Value> {
    let (ended, stdout, stderr) = devrun(scratch, "ls --json");
    assert_eq!(ended, Ended::Status(0), "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

fn named<'a>(list: &'a [Value], name: &str) -> &'a Value {
    list.iter().find(|server| server["name"] == name).unwrap_or_else(|| panic!("no {name} in {list:?}"))
}

fn started(scratch: &Scratch, options: &str, fixture: &Fixture) -> (Running, Ready) {
    let mut run = scratch.run(options, fixture);
    let ready = run.ready();
    (run, ready)
}

/// A record as a devrun would leave it.
fn record(scratch: &Scratch, number: u64, changes: Value) {
    let id = format!("{number:016x}");
    let mut record = json!({
        "version": 1, "id": id, "name": format!("server-{number}"), "cwd": scratch.project(),
        "argv": ["npm", "run", "dev"], "port": 3100, "url": "http://localhost:3100", "state": "stopped",
        "run": "none", "boot": null, "front": null, "guard": null, "leader": null,
        "started_at": 1000, "changed_at": number, "ready_ms": null, "stop_ms": 5000, "exit": {"code": 0},
    });
    let fields = record.as_object_mut().unwrap();
    fields.extend(changes.as_object().unwrap().clone());
    let folder = scratch.state().join("servers").join(id);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("server.json"), record.to_string()).unwrap();
}

#[test]
fn each_state_is_told() {
    let scratch = Scratch::new();
    let (run, ready) = started(&scratch, "-n web", &scratch.fixture(""));
    let slow = scratch.fixture("delay-listen=600000");
    let starting = scratch.run("-n slow", &slow);
    scratch.run("-n fails --ready none", &scratch.fixture("after=1 then=3")).ended(SOON);
    let (killed, _) = started(&scratch, "-n killed", &scratch.fixture(""));
    let guard = scratch.alive().into_iter().find(|found| found.ppid == killed.pid()).unwrap();
    kill(killed.pid(), Signal::STOP);
    kill(guard.pid, Signal::KILL);
    kill(killed.pid(), Signal::KILL);
    let servers = eventually(SOON, || {
        let servers = list(&scratch);
        match servers.len() == 4 && named(&servers, "killed")["running"] == false {
            true => Ok(servers),
            false => Err(format!("{servers:?}")),
        }
    });
    for (name, state, running) in [
        ("web", "ready", true),
        ("slow", "starting", true),
        ("fails", "crashed", false),
        ("killed", "crashed", false),
    ] {
        let server = named(&servers, name);
        assert_eq!((&server["state"], &server["running"]), (&json!(state), &json!(running)), "{server}");
    }
    let web = named(&servers, "web");
    assert_eq!(web["port"], ready.port);
    assert_eq!(web["url"], ready.url);
    assert_eq!(web["pid"], ready.pid);
    assert_eq!(web["devrun_pid"], run.pid());
    assert_eq!(web["cwd"], scratch.project().to_str().unwrap());
    assert_eq!(named(&servers, "fails")["exit"], json!({"code": 3}));
    let (_, table, _) = devrun(&scratch, "ls");
    let order: Vec<_> = table.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(order[..3], ["NAME", "slow", "web"], "those that run first: {table}");
    assert!(table.contains("crashed, status 3"), "{table}");
    let (_, status, _) = devrun(&scratch, "status fails");
    assert!(status.starts_with("fails  crashed, status 3  http://localhost:"), "{status}");
    drop(starting);
}

#[test]
fn the_json_is_complete_and_its_documentation_too() {
    let scratch = Scratch::new();
    record(&scratch, 7, json!({"name": "web", "branch": "main", "options": ["--port", "3100"]}));
    let (_, status, _) = devrun(&scratch, "status web --json");
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(list(&scratch), std::slice::from_ref(&status), "ls and status say the same");
    let documented = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json.md")).unwrap();
    for field in status.as_object().unwrap().keys() {
        assert!(documented.contains(&format!("| `{field}` |")), "{field} is not in docs/json.md");
    }
    assert_eq!((&status["branch"], &status["options"]), (&json!("main"), &json!(["--port", "3100"])));
    assert_eq!((&status["pid"], &status["devrun_pid"]), (&Value::Null, &Value::Null));
}

#[test]
fn only_the_last_of_many_old_ones_are_shown_unasked() {
    let scratch = Scratch::new();
    (1..=40).for_each(|number| record(&scratch, number, json!({})));
    let (_, table, told) = devrun(&scratch, "ls");
    assert_eq!(table.lines().count(), 11, "{table}");
    assert!(table.lines().nth(1).unwrap().starts_with("server-40"), "the last one first: {table}");
    assert!(told.contains("30 more that ran before: devrun ls --all"), "{told}");
    let (_, table, told) = devrun(&scratch, "ls --all");
    assert_eq!((table.lines().count(), told.as_str()), (41, ""));
    assert_eq!(list(&scratch).len(), 40);
}

#[test]
fn nothing_known_is_said_and_is_no_failure() {
    let scratch = Scratch::new();
    let (ended, table, told) = devrun(&scratch, "ls");
    assert_eq!((ended, table.as_str()), (Ended::Status(0), ""));
    assert!(told.contains("no server is known"), "{told}");
    assert_eq!(list(&scratch), [] as [Value; 0]);
}

#[test]
fn on_a_narrow_terminal_no_line_is_wrapped() {
    let scratch = Scratch::new();
    let name = "a-name-that-is-longer-than-it-needs-to-be";
    record(
        &scratch,
        1,
        json!({"name": name, "branch": "feature/with-a-long-name", "cwd": "/a/b".repeat(30)}),
    );
    let bash = Pty::bash(&scratch);
    let program = env!("CARGO_BIN_EXE_devrun");
    for columns in [200, 100, 80, 60, 45] {
        bash.resize(columns);
        let before = bash.screen().len();
        bash.type_in(&format!("echo; {program} ls; echo done-$((40 + 2))-{columns}\n"));
        bash.shows(&format!("done-42-{columns}"));
        let screen = bash.screen()[before..].to_string();
        let table: Vec<_> =
            screen.lines().filter(|line| line.contains("NAME") || line.contains("a-name")).collect();
        assert_eq!(table.len(), 2, "{columns}: {screen}");
        for line in table {
            let shown = without_colours(line);
            assert!(shown.trim_end().chars().count() <= usize::from(columns), "{columns}: {shown:?}");
        }
    }
    assert!(bash.screen().contains("\x1b[2m"), "what does not run is dim");
    let before = bash.screen().len();
    bash.type_in(&format!("NO_COLOR=1 {program} ls; NO_COLOR=1 {program} status; echo e''nd\n"));
    bash.shows("end\r\n");
    let plain = bash.screen()[before..].to_string();
    assert!(plain.contains("NAME") && !plain.contains("\x1b[2m") && !plain.contains("\x1b[1m"), "{plain:?}");
}

fn without_colours(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn nothing_in_a_record_steers_the_terminal() {
    let scratch = Scratch::new();
    let evil = "<script>\u{1b}]52;c;AAAA\u{7}\u{202e}'\"\n$(touch pwned);`x`../\u{9b}2J";
    let long = "x".repeat(4096);
    record(&scratch, 1, json!({"name": evil, "url": evil, "branch": evil, "argv": [evil], "reason": evil}));
    record(&scratch, 2, json!({"name": long, "cwd": format!("/tmp/{evil}/../..")}));
    let id = format!("{:016x}", 1);
    let commands = [
        vec!["ls"],
        vec!["ls", "--all"],
        vec!["ls", "--json"],
        vec!["status", "--json", &id],
        vec!["who", "--json", "3100"],
        vec!["--json", "start", &id],
        vec!["status", &id],
        vec!["url", &id],
        vec!["stop", &id],
        vec!["stop", evil],
        vec!["logs", evil],
        vec!["start", &id],
        vec!["open", "--print", "--quiet", &long],
        vec!["wait", "--timeout", "1ms", evil],
        vec!["clean", "--dry-run"],
        vec!["clean", "--dry-run", "--forget", evil],
        vec!["__names", "status"],
        vec!["who", "3100"],
    ];
    for command in commands {
        let outcome = Running::spawn(scratch.devrun(&command)).outcome(Duration::from_secs(30));
        for text in [&outcome.stdout, &outcome.stderr] {
            let steers = |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{202a}'..='\u{202e}'));
            assert!(!text.chars().any(steers), "{command:?}: {text:?}");
        }
        assert!(!outcome.stderr.contains("panicked"), "{command:?}: {outcome}");
    }
    assert!(!scratch.project().join("pwned").exists());
}
