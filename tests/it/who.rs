//! Promise 36, the question who has a port: ours, a stranger, several, another user's, nobody.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::{Ended, Running, SOON, Scratch, copy_program, free_port, hold, is_root};

fn who(scratch: &Scratch, port: u16) -> (Ended, Value, String) {
    let outcome = Running::spawn(scratch.devrun(["who", &port.to_string(), "--json"])).outcome(SOON);
    let shown = Running::spawn(scratch.devrun(["who", &port.to_string()])).outcome(SOON);
    assert_eq!(outcome.ended, shown.ended);
    (outcome.ended, serde_json::from_str(&outcome.stdout).unwrap(), shown.stdout + &shown.stderr)
}

#[test]
fn a_server_of_ours_is_named_with_the_command_that_stops_it() {
    let scratch = Scratch::new();
    scratch.package_json(&[("dev", scratch.fixture("shape=deep:3").line())]);
    let mut run = Running::spawn(scratch.devrun(["npm", "run", "dev"]));
    let port = run.ready().port;
    let (ended, json, shown) = who(&scratch, port);
    assert_eq!(ended, Ended::Status(0));
    let holder = &json["holders"][0];
    assert_eq!((&holder["server"], &holder["project"]), (&json!("shop"), &json!("shop")), "{json}");
    assert_eq!(holder["cwd"], scratch.project().to_str().unwrap());
    assert_eq!(holder["to_free_it"], format!("devrun stop {}", holder["server_id"].as_str().unwrap()));
    assert!(shown.contains("of shop\n"), "{shown}");
    run.stop();
    let (ended, json, shown) = who(&scratch, port);
    assert_eq!((ended, &json["free"]), (Ended::Status(1), &json!(true)));
    assert_eq!(json["kept_for"]["name"], "shop");
    assert!(shown.contains("is free; it is kept for shop, which is not running"), "{shown}");
}

#[test]
fn a_stranger_is_named_with_its_folder_project_and_age() {
    let scratch = Scratch::new();
    scratch.write("package.json", r#"{"name": "old-shop"}"#);
    let port = free_port();
    let fixture = scratch.fixture(&format!("port={port} host=127.0.0.1,::1 --token=hunter2"));
    let mut command = scratch.command(&fixture.argv[0]);
    command.args(&fixture.argv[1..]);
    let run = Running::spawn(command);
    fixture.noted(&format!("listening {port}")).unwrap();
    let (ended, json, shown) = who(&scratch, port);
    assert_eq!((ended, json["holders"].as_array().unwrap().len()), (Ended::Status(0), 1), "{json}");
    let holder = &json["holders"][0];
    assert_eq!(holder["pid"], run.pid());
    assert_eq!(holder["addresses"], json!(["127.0.0.1", "::1"]));
    assert_eq!(holder["project"], "old-shop");
    assert_eq!(
        (&holder["server"], &holder["to_free_it"]),
        (&Value::Null, &json!(format!("kill {}", run.pid())))
    );
    let age =
        std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64 - holder["since_ms"].as_i64().unwrap();
    assert!((-1000..60_000).contains(&age), "{age} ms old");
    assert!(shown.contains(&format!("127.0.0.1:{port}, [::1]:{port}")), "{shown}");
    assert!(!shown.contains("hunter2") && !json.to_string().contains("hunter2"), "{shown}");
}

#[test]
fn all_who_share_a_port_are_named() {
    let scratch = Scratch::new();
    let port = free_port();
    let _mine = hold("127.0.0.1", port);
    let fixture = scratch.fixture(&format!("port={port} host=::1"));
    let mut command = scratch.command(&fixture.argv[0]);
    command.args(&fixture.argv[1..]);
    let run = Running::spawn(command);
    fixture.noted(&format!("listening {port}")).unwrap();
    let (_, json, _) = who(&scratch, port);
    let pids: Vec<u64> =
        json["holders"].as_array().unwrap().iter().filter_map(|holder| holder["pid"].as_u64()).collect();
    for pid in [run.pid(), std::process::id()] {
        assert!(pids.contains(&pid.into()), "{pid} in {json}");
    }
}

#[test]
fn nobody_is_an_answer_with_a_status_of_its_own() {
    let scratch = Scratch::new();
    let port = free_port();
    let (ended, json, shown) = who(&scratch, port);
    assert_eq!(
        (ended, json),
        (Ended::Status(1), json!({"port": port, "free": true, "holders": [], "kept_for": null}))
    );
    assert!(shown.contains(&format!("port {port} is free")), "{shown}");
    for wrong in ["0", "65536", "x", "-1"] {
        let outcome = Running::spawn(scratch.devrun(["who", wrong])).outcome(SOON);
        assert_eq!(outcome.ended, Ended::Status(2), "{wrong}: {outcome}");
    }
}

#[test]
fn another_users_process_is_told_as_far_as_it_can_be() {
    if !is_root("asking as another user") {
        return;
    }
    let scratch = Scratch::new();
    let port = free_port();
    let _held = hold("127.0.0.1", port);
    let public = tempfile::Builder::new()
        .prefix("devrun-it-")
        .permissions(PermissionsExt::from_mode(0o755))
        .tempdir()
        .unwrap();
    let program = public.path().join("devrun");
    copy_program(env!("CARGO_BIN_EXE_devrun"), &program);
    let mut command = scratch.command("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(program);
    command.args(["who", &port.to_string(), "--json"]).current_dir("/");
    let outcome = Running::spawn(command).outcome(SOON);
    let json: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome}"));
    let holder = &json["holders"][0];
    assert_eq!((&holder["user"], &holder["foreign"]), (&json!("root"), &json!(true)), "{json}");
    assert_eq!((outcome.ended, &holder["pid"]), (Ended::Status(0), &Value::Null));
}
