//! What the verbs do not do, and say why: start what lost its secret or its folder, forget what runs, stop what is
//! another user's.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{Ended, Running, SOON, Scratch, copy_program, is_root};
use crate::verbs::{fails, server, succeeds};

#[test]
fn what_can_not_be_started_from_its_record_says_why() {
    let scratch = Scratch::new();
    let secret = scratch.fixture("shape=plain --token=hunter2");
    let mut run = scratch.run("-n secret", &secret);
    run.ready();
    run.stop();
    fails(&scratch, "start secret", 2, "--token=***");
    std::fs::create_dir(scratch.dir().join("gone")).unwrap();
    let mut run = scratch.run("-n gone -C ../gone", &scratch.fixture(""));
    run.ready();
    run.stop();
    std::fs::remove_dir(scratch.dir().join("gone")).unwrap();
    fails(&scratch, "start gone", 2, "devrun clean");
    let (stdout, _) = succeeds(&scratch, "clean");
    assert!(stdout.contains("forgot gone"), "{stdout}");
    fails(&scratch, "start gone", 2, "no server is named gone");
}

#[test]
fn forgetting_frees_the_port_and_never_touches_what_runs() {
    let scratch = Scratch::new();
    let (run, ready) = server(&scratch, "-n web");
    fails(&scratch, "clean --forget web", 2, "web is running");
    run.stop();
    let (stdout, _) = succeeds(&scratch, "clean --dry-run --forget web");
    assert!(stdout.contains("would forget web"), "{stdout}");
    let (stdout, _) = succeeds(&scratch, "clean --forget web");
    assert!(stdout.contains(&format!(
        "forgot web in {}, which had port {}",
        scratch.project().display(),
        ready.port
    )));
    fails(&scratch, "url web", 2, "no server is named web");
    let kept = std::fs::read_to_string(scratch.state().join(format!("ports/{}", ready.port))).unwrap();
    assert_eq!(kept, "", "the port is nobody's");
}

#[test]
fn another_users_server_is_named_as_such_and_left_alone() {
    if !is_root("stopping a server of another user") {
        return;
    }
    const NOBODY: u32 = 65534;
    let scratch = Scratch::new();
    let (mut run, _) = server(&scratch, "-n web");
    // The record and the program where the other user can read them; the server runs as root.
    let public = tempfile::Builder::new()
        .prefix("devrun-it-")
        .permissions(PermissionsExt::from_mode(0o755))
        .tempdir()
        .unwrap();
    let at = |name: &str| public.path().join(name);
    copy_program(env!("CARGO_BIN_EXE_devrun"), at("devrun"));
    let state = scratch.state();
    give(&state, NOBODY);
    std::fs::set_permissions(scratch.dir(), PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = scratch.command("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(at("devrun"));
    command.args(["stop", "web"]).current_dir("/");
    let outcome = Running::spawn(command).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(125), "{outcome}");
    assert!(outcome.stderr.contains(&format!("it was started by root (pid {})", run.pid())), "{outcome}");
    assert!(!run.has_ended(), "it is left alone");
    give(&state, 0);
}

/// Gives all of a folder to a user.
fn give(path: &Path, user: u32) {
    std::os::unix::fs::chown(path, Some(user), None).unwrap();
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().flatten().for_each(|entry| give(&entry.path(), user));
    }
}
