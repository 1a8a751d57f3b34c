//! Whatever ends a run, no process of the tree is left.

use crate::fixture;
use crate::support::{Running, Scratch, eventually};
use crate::sys::Process;

#[test]
fn the_tree_dies_with_a_devrun_that_was_terminated_and_the_next_start_has_its_port() {
    let scratch = Scratch::new();
    let (mut devrun, port) = scratch.server(&[]);
    let members = scratch.members(3);
    devrun.kill();
    members.assert_dead(3);
    let (_again, same) = scratch.server(&[]);
    assert_eq!(same, port, "nothing of the killed one holds the port or the server");
}

#[test]
fn the_tree_dies_when_its_leader_leaves() {
    let scratch = Scratch::new();
    let mut devrun = scratch.run(&["--ready", "none"], "below=2 exit=3");
    let members = scratch.members(3);
    scratch.go();
    assert_eq!(devrun.ended(), 3);
    members.assert_dead(3);
}

#[test]
fn the_tree_dies_with_the_program_that_started_devrun() {
    let scratch = Scratch::new();
    let argv = fixture::argv();
    let mut command = scratch.command(&argv[0], "call");
    command.args(&argv[1..]);
    let mut caller = Running::spawn(command);
    eventually("the server is ready", || scratch.file("ready").exists());
    // The caller, the three, and devrun.
    let members = scratch.members(5);
    caller.kill();
    members.assert_dead(5);
}

#[test]
fn a_server_is_stopped_by_its_name_and_replaced_on_request() {
    let scratch = Scratch::new();
    let (mut first, port) = scratch.server(&["-n", "shop"]);
    let members = scratch.members(3);
    std::fs::remove_file(scratch.file("record")).unwrap();
    let (mut second, same) = scratch.server(&["-n", "shop", "--if-running", "replace"]);
    members.assert_dead(3);
    first.ended();
    assert_eq!(same, port);
    let members = scratch.members(3);
    assert_eq!(scratch.devrun(&["stop", "shop"]).ended(), 0);
    members.assert_dead(3);
    second.ended();
}

/// The harness: without devrun the two below outlive the one above, so the others prove something.
#[test]
fn without_devrun_they_would_live() {
    let scratch = Scratch::new();
    let argv = fixture::argv();
    let mut command = scratch.command(&argv[0], "below=2");
    command.args(&argv[1..]);
    let mut leader = Running::spawn(command);
    let members = scratch.members(3);
    let pids = std::fs::read_to_string(scratch.file("record")).unwrap();
    let below: Vec<Process> = pids
        .lines()
        .filter_map(|pid| pid.parse().ok())
        .filter(|pid| *pid != leader.pid())
        .filter_map(Process::open)
        .collect();
    leader.kill();
    assert!(below.len() == 2 && below.iter().all(|process| !process.has_ended()));
    for pid in pids.lines() {
        let _ = std::process::Command::new("taskkill").args(["/f", "/pid", pid]).output();
    }
    members.assert_dead(3);
}
