//! The dashboard as an API: what runs is there, what changes is told at once, what is asked is done. One per user.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Dashboard, Ended, Events, LIMIT, Running, SOON, Scratch, Signal, eventually, get, kill, record_of,
    replace_record,
};

fn state<'a>(name: &'a str, state: &'a str) -> impl Fn(&Value) -> bool {
    move |server| server["name"] == name && server["state"] == state
}

#[test]
fn there_is_one_for_each_user_and_a_second_call_finds_it() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let calls: Vec<Running> = (0..4).map(|_| Running::spawn(scratch.devrun(["dashboard"]))).collect();
    let start = format!("http://{}/#open=", dashboard.host());
    for call in calls {
        let found = call.outcome(SOON);
        assert!(found.ended == Ended::Status(0) && found.stdout.starts_with(&start), "{found}");
    }
    let first = dashboard.token.clone();
    let ended = dashboard.run.stop();
    assert_eq!(ended.ended, Ended::Status(0), "{ended}");
    let again = Dashboard::start(&scratch);
    assert_eq!(again.token, first, "open pages and tools find in again");
    let taken = scratch.devrun(["dashboard", "--port", &again.port.to_string()]);
    let mut other = taken;
    other.env("DEVRUN_STATE_DIR", scratch.dir().join("other"));
    let other = Running::spawn(other).outcome(SOON);
    other.expect(
        Ended::Status(75),
        "",
        "error: the dashboard can't have port [..]\ncause: [..]\n\nhint: [..]",
    );
}

#[test]
fn a_server_has_the_fields_that_the_schema_names() {
    let scratch = Scratch::new();
    Running::spawn(scratch.devrun(["--ready", "none", "--", "true"])).outcome(SOON);
    let dashboard = Dashboard::start(&scratch);
    let server = dashboard.server(SOON, "project", |_| true);
    let mut fields: Vec<&String> = server.as_object().unwrap().keys().collect();
    fields.sort();
    let schema = &dashboard.get("/api/openapi.json")["components"]["schemas"]["Server"];
    let mut named: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    named.sort();
    assert_eq!(fields, named);
    let mut required: Vec<&str> =
        schema["required"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
    required.sort_unstable();
    assert_eq!(fields, required);
}

#[test]
fn in_the_background_it_outlives_its_caller_and_is_found_again() {
    let scratch = Scratch::new();
    let port = crate::support::free_port().to_string();
    let started = Running::spawn(scratch.devrun(["dashboard", "--detach", "--port", &port])).outcome(SOON);
    let address = format!("http://127.0.0.1:{port}/");
    assert!(started.ended == Ended::Status(0) && started.stdout.starts_with(&address), "{started}");
    assert_eq!(get(&format!("{address}api/health")), r#"{"status":"ok"}"#);
    let again = Running::spawn(scratch.devrun(["dashboard", "-d"])).outcome(SOON);
    assert!(again.stdout.starts_with(&address), "{again}");
}

#[test]
fn what_happens_to_a_server_is_told_as_it_happens() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let mut events = Events::open(&dashboard, "/api/events?usage=0", "");
    let (name, first, data) = events.next();
    assert_eq!((name.as_str(), &data), ("snapshot", &json!({ "servers": [], "problems": [] })));
    let mut run = scratch.run("-n web", &scratch.fixture("serve=yes delay-listen=100"));
    events.until("server", state("web", "starting"));
    let ready = run.ready();
    let (_, server) = events.until("server", state("web", "ready"));
    assert_eq!(server["url"], ready.url);
    assert_eq!((&server["port"], &server["pid"]), (&json!(ready.port), &json!(ready.pid)));
    run.stop();
    let (_, server) = events.until("server", state("web", "stopped"));
    assert_eq!((&server["running"], &server["pid"]), (&json!(false), &json!(null)));
    // Whoever was away gets what was missed, and nothing twice.
    let first = first.unwrap();
    let mut back = Events::open(&dashboard, "/api/events?usage=0", &format!("Last-Event-ID: {first}\r\n"));
    assert_eq!(back.next().0, "server");
    back.until("server", state("web", "stopped"));
    let mut other = Events::open(&dashboard, &format!("/api/events?usage=0&last={first}"), "");
    assert_eq!(other.next().0, "server");
    let mut lost = Events::open(&dashboard, "/api/events?last=of-another-dashboard-5", "");
    assert_eq!(lost.next().0, "snapshot");
}

#[test]
fn a_killed_devrun_is_told_of_although_no_file_changes() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let mut run = scratch.run("-n web", &scratch.fixture("serve=yes"));
    run.ready();
    let mut events = Events::open(&dashboard, "/api/events?usage=0", "");
    let guard = eventually(SOON, || {
        let record = scratch.state().join("servers");
        let folder = std::fs::read_dir(record).unwrap().flatten().next().ok_or("no server")?;
        let record = std::fs::read_to_string(folder.path().join("server.json")).map_err(|e| e.to_string())?;
        let record: Value = serde_json::from_str(&record).map_err(|e| e.to_string())?;
        record["guard"]["pid"].as_u64().ok_or(format!("{record}"))
    });
    kill(guard as u32, Signal::STOP);
    run.signal(Signal::KILL);
    kill(guard as u32, Signal::KILL);
    let (_, server) = events.until("server", state("web", "crashed"));
    assert_eq!((&server["running"], &server["reason"]), (&json!(false), &json!("its devrun was killed")));
}

#[test]
fn a_record_changed_on_disk_is_told_within_200_ms() {
    let scratch = Scratch::new();
    let mut run = scratch.run("-n web", &scratch.fixture("serve=yes"));
    run.ready();
    run.stop();
    let dashboard = Dashboard::start(&scratch);
    let id = dashboard.server(SOON, "web", |_| true)["id"].as_str().unwrap().to_string();
    let folder = scratch.state().join("servers").join(&id);
    let mut events = Events::open(&dashboard, "/api/events?usage=0", "");
    events.until("snapshot", |_| true);
    let mut record = record_of(&folder);
    let mut times = Vec::new();
    for number in 0..20 {
        record["restarts"] = json!(number + 1);
        let start = Instant::now();
        replace_record(&folder, &record.to_string());
        events.until("server", |server| server["restarts"] == number + 1);
        times.push(start.elapsed());
    }
    times.sort();
    println!("change on disk to event: median {:?}, worst {:?}", times[10], times[19]);
    assert!(times[10] < Duration::from_millis(200), "{times:?}");
    // A record that can't be read is a problem and no server; one that is gone is gone.
    replace_record(&folder, "{");
    events.until("problems", |problems| problems[0].as_str().is_some_and(|text| text.contains("damaged")));
    let gone = events.until("gone", |_| true).1;
    assert_eq!(gone["id"], id);
}

#[test]
fn start_stop_restart_and_forget_are_done_when_they_answer() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let fixture = scratch.fixture("serve=yes");
    let mut run = scratch.run("-n web", &fixture);
    let ready = run.ready();
    let id = dashboard.server(SOON, "web", state("web", "ready"))["id"].as_str().unwrap().to_string();
    let act = |action: &str| dashboard.ask(&format!("POST /api/servers/{id}/{action}"), "", "");
    let refused = act("forget");
    assert!(refused.status == 409 && refused.body.contains("web is running"), "{refused:?}");
    let stopped = act("stop");
    assert_eq!((stopped.status, &stopped.json()["running"]), (200, &json!(false)));
    assert!(run.ended(LIMIT) == Ended::Signal(15) && fixture.gone().is_ok());
    assert_eq!(act("stop").status, 200, "it is stopped");
    let started = act("start");
    assert_eq!((started.status, &started.json()["state"]), (200, &json!("ready")), "{started:?}");
    assert_eq!(started.json()["url"], ready.url, "the same port");
    assert!(!get(&ready.url).is_empty());
    let before = started.json()["pid"].as_u64();
    let again = act("restart");
    assert_eq!((again.status, &again.json()["state"]), (200, &json!("ready")), "{again:?}");
    assert_ne!(again.json()["pid"].as_u64(), before);
    let all = dashboard.ask("POST /api/stop", "", "{}");
    assert_eq!(all.json(), json!({ "stopped": ["web"], "failed": [] }));
    dashboard.server(SOON, "web", state("web", "stopped"));
    assert_eq!(act("forget").status, 204);
    eventually(SOON, || match dashboard.get("/api/servers")["servers"].as_array().unwrap().len() {
        0 => Ok(()),
        count => Err(format!("{count}")),
    });
    assert_eq!(act("start").status, 404);
    assert_eq!(dashboard.ask("POST /api/clean", "", "").json()["failed"], json!([]));
}

#[test]
fn the_log_is_searched_and_followed_over_its_rotation() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let mut run = scratch.run("-n web", &scratch.fixture("serve=yes print=Hello"));
    run.ready();
    let id = dashboard.server(SOON, "web", |_| true)["id"].as_str().unwrap().to_string();
    let log = scratch.state().join("servers").join(&id).join("log");
    let append = |text: &str| {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(&log);
        std::io::Write::write_all(&mut file.unwrap(), text.as_bytes()).unwrap();
    };
    eventually(SOON, || {
        let found = dashboard.get(&format!("/api/servers/{id}/logs?search=hELLO"));
        if found["lines"] == json!(["Hello"]) { Ok(()) } else { Err(found.to_string()) }
    });
    let mut events = Events::open(&dashboard, &format!("/api/servers/{id}/logs?follow=1&tail=100"), "");
    let tail = events.until("tail", |_| true).1;
    assert_eq!(tail["exists"], true);
    append("\u{1b}[31mred\u{1b}[0m\nhalf");
    let part = events.until("lines", |part| part["partial"] == "half").1;
    assert_eq!(part["lines"], json!(["red"]));
    append(" whole\n");
    std::fs::rename(&log, log.with_file_name("log.1")).unwrap();
    append("after the rotation\n");
    let mut seen = Vec::new();
    while !seen.iter().any(|line| line == "after the rotation") {
        let part = events.until("lines", |_| true).1;
        seen.extend(part["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_string()));
    }
    assert_eq!(seen, ["half whole", "after the rotation"]);
    for wrong in ["tail=x", "tail=-1", "tail=5001", "follow=2", "follow=1&search=a", "offset=1"] {
        assert_eq!(
            dashboard.ask(&format!("GET /api/servers/{id}/logs?{wrong}"), "", "").status,
            400,
            "{wrong}"
        );
    }
}

#[test]
fn what_a_tree_costs_is_told_while_somebody_looks() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let mut run = scratch.run("-n web", &scratch.fixture("serve=yes shape=wide:5"));
    run.ready();
    let id = dashboard.server(SOON, "web", state("web", "ready"))["id"].as_str().unwrap().to_string();
    let mut events = Events::open(&dashboard, "/api/events", "");
    let costs = events.until("usage", |costs| costs[&id]["processes"].as_u64() == Some(6)).1;
    assert!(costs[&id]["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 500_000), "{costs}");
}

#[test]
fn cleaning_up_forgets_a_server_whose_folder_is_gone_and_none_whose_disk_is_away() {
    let scratch = Scratch::new();
    let known = |name: &str| {
        let folder = scratch.write(&format!("{name}/readme"), "").parent().unwrap().to_path_buf();
        let fixture = scratch.fixture("shape=alone");
        let mut command = scratch.devrun(["-n", name, "--"]);
        command.args(&fixture.argv).current_dir(&folder);
        let mut run = Running::spawn(command);
        run.ready();
        run.stop();
        folder
    };
    let (gone, away) = (known("gone"), known("away"));
    let records = scratch.server_folders().into_iter().map(|folder| folder.join("server.json"));
    for path in records {
        let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        if record["name"] == "away" {
            // As if it were on a disk that is not mounted now.
            record["device"] = json!(record["device"].as_u64().unwrap() + 1);
            std::fs::write(&path, record.to_string()).unwrap();
        }
    }
    std::fs::remove_dir_all(gone).unwrap();
    std::fs::remove_dir_all(away).unwrap();
    let dashboard = Dashboard::start(&scratch);
    let cleaned = dashboard.ask("POST /api/clean", "", "").json();
    assert_eq!((&cleaned["forgotten"], &cleaned["failed"]), (&json!(["gone"]), &json!([])));
    assert_eq!(scratch.names(true), ["away"]);
}
