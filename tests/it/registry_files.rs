//! Promises 20 and 24: whatever stands where a file of the state folder should be, a start and a list answer at
//! once, and what is sound goes on; what is not safely ours is not used.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Ended, Running, SOON, Scratch, copy_program, is_root};

const NOBODY: u32 = 65534;
/// The ports of the servers here.
const PORTS: std::ops::RangeInclusive<u16> = 6260..=6269;
const RANGE: &str = "6260-6269";
const DEVRUN: &str = env!("CARGO_BIN_EXE_devrun");

type Thing = (&'static str, fn(&Path));

/// What can stand in the place of a file.
const THINGS: [Thing; 6] = [
    ("a folder", |path| std::fs::create_dir(path).unwrap()),
    ("a pipe", |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success())),
    ("a link in a circle", |path| std::os::unix::fs::symlink(path, path).unwrap()),
    ("a link to a file", |path| {
        let target = path.with_extension("precious");
        std::fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }),
    ("100 MB", |path| std::fs::File::create(path).unwrap().set_len(100 << 20).unwrap()),
    ("nonsense", |path| std::fs::write(path, "[".repeat(100_000)).unwrap()),
];

/// A start of `shop`, which must run its command and answer at once.
fn start(scratch: &Scratch, case: &str) -> String {
    let start = Instant::now();
    let mut command = scratch.devrun(["--ready", "none", "--name", "shop", "--port-range", RANGE]);
    command.args(["--", "sh", "-c", "exit 3"]);
    let outcome = Running::spawn(command).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(3), "{case}: {outcome}");
    assert!(start.elapsed() < Duration::from_secs(3), "{case}: {:?}", start.elapsed());
    assert!(!outcome.stderr.contains("panicked"), "{case}: {outcome}");
    outcome.stderr
}

/// A state folder that knows `shop` and `sound`.
fn known() -> Scratch {
    let scratch = Scratch::new();
    for name in ["sound", "shop"] {
        let run = scratch.devrun(["--ready", "none", "--name", name, "--port-range", RANGE, "--", "true"]);
        assert_eq!(Running::spawn(run).outcome(SOON).ended, Ended::Status(0));
    }
    scratch
}

fn folder_of(scratch: &Scratch, name: &str) -> std::path::PathBuf {
    let named = format!("\"name\":\"{name}\"");
    let is_it = |folder: &std::path::PathBuf| {
        std::fs::read_to_string(folder.join("server.json")).is_ok_and(|record| record.contains(&named))
    };
    scratch.server_folders().into_iter().find(is_it).unwrap()
}

fn put(path: &Path, thing: fn(&Path)) {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path).unwrap(),
        Ok(_) => std::fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
    thing(path);
}

#[test]
fn anything_in_the_place_of_a_servers_file_costs_a_warning_at_most() {
    for file in ["server.json", "lock", "log", "control.sock"] {
        for (thing, make) in THINGS {
            let case = format!("{file} is {thing}");
            let scratch = known();
            let path = folder_of(&scratch, "shop").join(file);
            put(&path, make);
            let said = start(&scratch, &case);
            // A lock of whatever content is a lock, and a log may say anything.
            let is_fit = file != "server.json" && ["100 MB", "nonsense"].contains(&thing);
            let is_needed = ["server.json", "lock"].contains(&file);
            let expected = usize::from(is_needed && !is_fit);
            assert_eq!(said.matches("warning:").count(), expected, "{case}: {said}");
            assert!(scratch.names(true).contains(&"sound".to_string()), "{case}");
            let precious = path.with_extension("precious");
            assert!(
                !precious.exists() || std::fs::read_to_string(&precious).unwrap() == "precious",
                "{case}"
            );
            start(&scratch, &case);
        }
    }
}

#[test]
fn anything_in_the_place_of_a_ports_file_costs_nothing() {
    for (thing, make) in THINGS {
        let scratch = known();
        for port in PORTS {
            put(&scratch.state().join("ports").join(port.to_string()), make);
        }
        let said = start(&scratch, thing);
        assert_eq!(said.matches("warning:").count(), 0, "{thing}: {said}");
        assert_eq!(scratch.names(true), ["shop", "sound"], "{thing}");
    }
}

#[test]
fn anything_among_the_marks_of_living_runs_is_passed_by() {
    for (thing, make) in THINGS {
        let scratch = known();
        let id = folder_of(&scratch, "shop").file_name().unwrap().to_str().unwrap().to_string();
        for name in ["nonsense".to_string(), "..".repeat(3), format!("{id}.0123456789"), format!("{id}.")] {
            put(&scratch.state().join("live").join(name), make);
        }
        let said = start(&scratch, thing);
        assert_eq!(said.matches("warning:").count(), 0, "{thing}: {said}");
    }
}

#[test]
fn anything_in_the_place_of_a_folder_costs_the_record_and_not_the_server() {
    for folder in ["servers", "ports", "live"] {
        for (thing, make) in &THINGS[1..] {
            let scratch = known();
            put(&scratch.state().join(folder), *make);
            let said = start(&scratch, thing);
            assert_eq!(said.matches("warning:").count(), 1, "{folder} is {thing}: {said}");
        }
    }
}

#[test]
fn a_record_of_a_newer_devrun_is_left_alone_whatever_happens() {
    let scratch = known();
    let path = folder_of(&scratch, "shop").join("server.json");
    let newer = r#"{"version":99,"whatever":{"it":"says"}}"#;
    std::fs::write(&path, newer).unwrap();
    assert!(start(&scratch, "newer").contains("newer devrun"));
    let list = Running::spawn(scratch.devrun(["ls", "--all"])).outcome(SOON);
    assert!(list.stderr.contains("newer devrun") && list.stdout.contains("sound"), "{list}");
    Running::spawn(scratch.devrun(["clean"])).outcome(SOON);
    assert_eq!(std::fs::read_to_string(path).unwrap(), newer);
}

#[test]
fn a_state_folder_that_is_not_allowed_or_someone_elses_is_left_alone() {
    if !is_root("another user") {
        return;
    }
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    // Whose the folder is, its mode, and what is said.
    for (owner, mode, said) in [(0, 0o755, "belongs to user 0"), (NOBODY, 0o500, "Permission denied")] {
        let scratch = Scratch::new();
        let program = scratch.dir().join("devrun");
        copy_program(DEVRUN, &program);
        open(scratch.dir(), 0o755);
        open(&scratch.project(), 0o755);
        std::fs::create_dir(scratch.state()).unwrap();
        chown(scratch.state(), Some(owner), None).unwrap();
        open(&scratch.state(), mode);
        let mut command = scratch.command(&program);
        command.args(["--ready", "none", "--", "sh", "-c", "exit 3"]).uid(NOBODY).gid(NOBODY);
        let outcome = Running::spawn(command).outcome(SOON);
        assert_eq!(outcome.ended, Ended::Status(3), "{outcome}");
        assert_eq!(outcome.stderr.matches("warning:").count(), 1, "{outcome}");
        assert!(outcome.stderr.contains(said), "{outcome}");
        let kept = scratch.state().metadata().unwrap();
        assert_eq!((kept.uid(), kept.mode() & 0o777), (owner, mode));
        assert_eq!(std::fs::read_dir(scratch.state()).unwrap().count(), 0, "nothing was written there");
    }
}

#[test]
fn nothing_is_executed_from_a_temporary_folder() {
    let scratch = Scratch::new();
    let temporary = scratch.dir().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    scratch.package_json(&[("dev", "node server.js".into())]);
    scratch.write("server.js", "require('http').createServer((q, r) => r.end()).listen(process.env.PORT)");
    let calls = scratch.dir().join("calls");
    let mut strace = scratch.command("strace");
    strace.args(["-f", "-qq", "-e", "trace=execve", "-o"]).arg(&calls).args([DEVRUN, "npm", "run", "dev"]);
    strace.env("TMPDIR", &temporary);
    let mut run = Running::spawn(strace);
    run.ready();
    Running::spawn(scratch.devrun(["stop"])).outcome(SOON);
    run.ended(SOON);
    let calls = std::fs::read_to_string(calls).unwrap();
    let executed = calls.lines().filter(|line| line.contains("execve(") && line.ends_with("= 0"));
    let places = [format!("execve(\"{}", temporary.display()), "execve(\"/tmp".to_string()];
    let is_there = |line: &&str| places.iter().any(|place| line.contains(place.as_str()));
    let from_temporary = executed.clone().filter(|line| is_there(line) && !line.contains(DEVRUN));
    assert_eq!(from_temporary.collect::<Vec<_>>(), [""; 0]);
    assert!(executed.count() > 3, "npm, a shell, node: {calls}");
    assert_eq!(std::fs::read_dir(&temporary).unwrap().flatten().filter(|e| e.path().is_file()).count(), 0);
}
