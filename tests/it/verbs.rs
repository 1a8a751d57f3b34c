//! Promise 36: stop, restart, start, open, wait and url, for servers that run, are stopped, start, have crashed, are
//! unknown, or are not the only ones of their name.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{
    Ended, LIMIT, Ready, Running, SOON, Scratch, Signal, eventually, get, kill, listens, takes_at_most,
    words, write_program,
};

/// `devrun ARGS`, to its end.
#[track_caller]
fn devrun(scratch: &Scratch, args: &str) -> (Ended, String, String) {
    devrun_in(scratch, &scratch.project(), args)
}

#[track_caller]
fn devrun_in(scratch: &Scratch, folder: &Path, args: &str) -> (Ended, String, String) {
    let mut command = scratch.devrun(args.split_whitespace());
    command.current_dir(folder);
    let outcome = Running::spawn(command).outcome(SOON);
    (outcome.ended, outcome.stdout, outcome.stderr)
}

pub fn server(scratch: &Scratch, options: &str) -> (Running, Ready) {
    let mut run = scratch.run(options, &scratch.fixture("shape=own-session"));
    let ready = run.ready();
    (run, ready)
}

#[track_caller]
pub fn succeeds(scratch: &Scratch, args: &str) -> (String, String) {
    let (ended, stdout, stderr) = devrun(scratch, args);
    assert_eq!(ended, Ended::Status(0), "devrun {args}: {stdout}{stderr}");
    (stdout, stderr)
}

#[track_caller]
pub fn fails(scratch: &Scratch, args: &str, status: i32, part: &str) {
    let (ended, stdout, stderr) = devrun(scratch, args);
    assert_eq!(ended, Ended::Status(status), "devrun {args}: {stdout}{stderr}");
    assert!(stderr.contains(part), "devrun {args}: {stderr}");
    assert_eq!(stdout, "", "devrun {args}: an error is no data");
}

const NAMED: [&str; 8] =
    ["status", "start", "stop", "restart", "open --print", "logs", "wait --timeout 10ms", "url"];

#[test]
fn a_running_server_is_found_from_its_folder_by_its_name_and_by_its_id() {
    let scratch = Scratch::new();
    let (mut run, ready) = server(&scratch, "-n web");
    let url = format!("{}\n", ready.url);
    std::fs::create_dir_all(scratch.project().join("src/deep")).unwrap();
    assert_eq!(succeeds(&scratch, "url").0, url);
    assert_eq!(succeeds(&scratch, "url web").0, url);
    let deep = devrun_in(&scratch, &scratch.project().join("src/deep"), "url");
    assert_eq!(deep.1, url, "from below");
    let id: serde_json::Value = serde_json::from_str(&succeeds(&scratch, "status --json").0).unwrap();
    assert_eq!(succeeds(&scratch, &format!("url {}", &id["id"].as_str().unwrap()[..6])).0, url);
    assert_eq!(succeeds(&scratch, "open --print").0, url);
    let (stdout, stderr) = succeeds(&scratch, "wait");
    assert_eq!(stdout, "");
    assert!(stderr.starts_with(&format!("devrun ready {} port={}", ready.url, ready.port)), "{stderr}");
    let (_, stderr) = succeeds(&scratch, "start");
    assert!(stderr.contains(&format!("web runs already (pid {}): {}", run.pid(), ready.url)), "{stderr}");
    fails(&scratch, "url we", 2, "did you mean web?");
    let (_, stderr) = succeeds(&scratch, "stop web");
    assert!(stderr.contains("web stopped"), "{stderr}");
    run.ended(Duration::from_secs(1));
    scratch.assert_dead(Duration::from_secs(1));
    let (_, stderr) = succeeds(&scratch, "stop web");
    assert!(stderr.contains("web is not running"), "stopping what has stopped is no failure: {stderr}");
}

#[test]
fn a_server_starts_again_as_it_was_and_keeps_its_port() {
    let scratch = Scratch::new();
    scratch.write("answer", "here");
    let (run, first) = server(&scratch, "-n web --stop-timeout 700ms --port-env API_PORT=api");
    run.stop();
    scratch.assert_dead(LIMIT);
    fails(&scratch, "url", 1, "it is stopped");
    fails(&scratch, "wait --timeout 10ms", 1, "devrun start web");
    // Called from elsewhere, by name, with another server's port in the environment.
    let mut command = scratch.devrun(["start", "web"]);
    command.current_dir("/").env("PORT", "3999");
    let outcome = Running::spawn(command).outcome(SOON);
    assert_eq!((outcome.ended, outcome.stdout.as_str()), (Ended::Status(0), ""), "{outcome}");
    assert!(outcome.stderr.contains(&format!("devrun ready {} ", first.url)), "{outcome}");
    assert_eq!(get(&first.url), scratch.mark);
    let json = |scratch: &Scratch| -> serde_json::Value {
        serde_json::from_str(&succeeds(scratch, "status web --json").0).unwrap()
    };
    let second = json(&scratch);
    assert_eq!(second["cwd"], scratch.project().to_str().unwrap());
    assert_eq!(second["stop_timeout_ms"], 700);
    assert!(second["extra_ports"]["api"].is_u64(), "{second}");
    succeeds(&scratch, "restart web");
    let third = json(&scratch);
    assert_eq!(third["port"], first.port);
    assert_ne!(third["pid"], second["pid"]);
    assert_eq!((&third["options"], &third["id"]), (&second["options"], &second["id"]));
    succeeds(&scratch, "stop");
    scratch.assert_dead(Duration::from_secs(1));
    // What has stopped is started by a restart.
    succeeds(&scratch, "restart");
    assert_eq!(get(&first.url), scratch.mark);
    succeeds(&scratch, "stop");
    scratch.assert_dead(Duration::from_secs(1));
}

#[test]
fn a_restart_leaves_a_server_with_the_devrun_and_in_the_terminal_where_it_is() {
    let scratch = Scratch::new();
    let (mut run, ready) = server(&scratch, "-n web");
    let (_, stderr) = succeeds(&scratch, "restart");
    assert!(stderr.starts_with(&format!("devrun ready {} ", ready.url)), "{stderr}");
    assert!(!run.has_ended());
    run.says("a restart was asked for");
    let json: serde_json::Value = serde_json::from_str(&succeeds(&scratch, "status --json").0).unwrap();
    assert_eq!(json["devrun_pid"], run.pid());
    assert_ne!(json["pid"], ready.pid);
    assert_eq!(get(&ready.url), scratch.mark);
    run.stop();
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_restart_leaves_the_chained_command_running_and_its_status_is_devruns() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=plain");
    let then = "touch up; until [ -e go ]; do sleep 0.02; done; exit 6".to_string();
    let args = ["--then".to_string(), then].into_iter().chain(words("", &fixture));
    let run = Running::spawn(scratch.devrun(args));
    let is_up = || scratch.project().join("up").exists().then_some(()).ok_or("it is not up".to_string());
    eventually(SOON, is_up);
    succeeds(&scratch, "restart");
    assert_eq!(fixture.starts(), 2);
    scratch.write("go", "");
    let outcome = run.outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(6), "{outcome}");
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_server_without_a_name_starts_again_as_itself() {
    let scratch = Scratch::new();
    let (run, first) = server(&scratch, "");
    run.stop();
    succeeds(&scratch, "start");
    let list: serde_json::Value = serde_json::from_str(&succeeds(&scratch, "ls --json").0).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 1, "it is one server: {list}");
    assert_eq!((&list[0]["port"], &list[0]["running"]), (&first.port.into(), &true.into()));
    succeeds(&scratch, "stop --all");
    scratch.assert_dead(Duration::from_secs(1));
}

#[test]
fn one_call_stops_and_starts_several() {
    let scratch = Scratch::new();
    let mut runs: Vec<_> = ["a", "b", "c"].map(|name| server(&scratch, &format!("-n {name}"))).into();
    let (_, stderr) = succeeds(&scratch, "stop a b a");
    assert_eq!(stderr.matches("stopped").count(), 2, "{stderr}");
    assert!(!runs[2].0.has_ended());
    succeeds(&scratch, "start a b");
    succeeds(&scratch, "stop --all");
    scratch.assert_dead(Duration::from_secs(1));
    for (run, _) in &mut runs {
        run.ended(SOON);
    }
    let (_, stderr) = succeeds(&scratch, "stop --all");
    assert!(stderr.contains("no server is running"), "{stderr}");
    fails(&scratch, "start a nobody b", 2, "no server is named nobody");
    assert!(scratch.alive().is_empty(), "nothing is done where a name is wrong");
}

#[test]
fn unknown_and_ambiguous_names_are_errors_that_help() {
    let scratch = Scratch::new();
    for verb in NAMED {
        fails(&scratch, verb, 2, "no server of this folder is known");
    }
    let mut runs = Vec::new();
    for folder in ["one", "two"] {
        scratch.write(&format!("{folder}/.git/HEAD"), "");
        let mut run = scratch.run(&format!("-n shop -C {folder}"), &scratch.fixture(""));
        runs.push((run.ready(), run));
    }
    for verb in NAMED {
        fails(&scratch, &format!("{verb} sohp"), 2, "did you mean shop?");
        fails(&scratch, &format!("{verb} zzz"), 2, "devrun ls --all");
        fails(&scratch, &format!("{verb} shop"), 2, "2 servers are named shop");
    }
    takes_at_most(Duration::from_secs(2), || {
        let start = Instant::now();
        fails(&scratch, "wait shop", 2, "2 servers are named shop");
        start.elapsed()
    });
    let (_, url, _) = devrun_in(&scratch, &scratch.project().join("two"), "url shop");
    assert_eq!(url, format!("{}\n", runs[1].0.url), "that of this folder is meant");
    succeeds(&scratch, "stop --all");
}

#[test]
fn a_server_that_starts_is_waited_for_and_can_be_stopped() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("delay-listen=1500");
    // As in `devrun ... & devrun wait`: nothing is known yet.
    let mut wait = Running::spawn(scratch.devrun(["wait", "web"]));
    let mut run = scratch.run("-n web", &fixture);
    fails(&scratch, "wait --timeout 300ms", 124, "not ready in time");
    succeeds(&scratch, "url web");
    assert!(!wait.has_ended());
    run.ready();
    assert_eq!(wait.ended(SOON), Ended::Status(0));
    run.stop();
    let slow = scratch.fixture("delay-listen=600000");
    let mut run = scratch.run("-n slow", &slow);
    slow.noted("complete").unwrap();
    let known = || scratch.names(true).iter().any(|name| name == "slow");
    eventually(SOON, || if known() { Ok(()) } else { Err("no record".to_string()) });
    let mut wait = Running::spawn(scratch.devrun(["wait", "slow"]));
    succeeds(&scratch, "stop slow");
    run.ended(SOON);
    assert_eq!(wait.ended(SOON), Ended::Status(1), "it ended before it was ready");
}

#[test]
fn a_crashed_server_is_told_so_and_starts_again() {
    let scratch = Scratch::new();
    let mut wait = Running::spawn(scratch.devrun(["wait", "web"]));
    scratch.run("-n web", &scratch.fixture("delay-listen=600000 after=500 then=3")).ended(SOON);
    assert_eq!(wait.ended(SOON), Ended::Status(1));
    assert!(wait.stderr().contains("status 3"), "{}", wait.stderr());
    fails(&scratch, "url web", 1, "it is crashed");
    let (_, stderr) = succeeds(&scratch, "stop web");
    assert!(stderr.contains("is not running"), "{stderr}");
    fails(&scratch, "start web", 1, "ended before it was ready");
    scratch.assert_dead(LIMIT);
}

#[test]
fn open_starts_what_does_not_run_and_hands_the_url_to_the_browser() {
    let scratch = Scratch::new();
    let (run, ready) = server(&scratch, "-n web");
    run.stop();
    let browser = scratch.project().join("browser");
    write_program(&browser, "printf '%s\\n' \"$#:$1\" >> opened");
    let mut command = scratch.devrun(["open", "web"]);
    command.env("BROWSER", &browser);
    let outcome = Running::spawn(command).outcome(SOON);
    assert_eq!((outcome.ended, outcome.stdout.as_str()), (Ended::Status(0), ""), "{outcome}");
    let opened = eventually(SOON, || {
        let opened = std::fs::read_to_string(scratch.project().join("opened"));
        opened.ok().filter(|line| line.ends_with('\n')).ok_or("no whole line was written".to_string())
    });
    assert_eq!(opened, format!("1:{}\n", ready.url));
    assert_eq!(get(&ready.url), scratch.mark, "it was ready by then");
    let mut command = scratch.devrun(["open"]);
    command.env("BROWSER", "none");
    let outcome = Running::spawn(command).outcome(SOON);
    assert!(outcome.stderr.contains(&format!("open {}", ready.url)), "{outcome}");
    succeeds(&scratch, "stop");
}

#[test]
fn a_front_that_does_not_react_is_stopped_all_the_same() {
    let scratch = Scratch::new();
    let (mut run, ready) = server(&scratch, "-n web --stop-timeout 100ms");
    kill(run.pid(), Signal::STOP);
    succeeds(&scratch, "stop web");
    scratch.assert_dead(Duration::from_secs(1));
    assert!(!listens("127.0.0.1", ready.port));
    run.ended(SOON);
}
