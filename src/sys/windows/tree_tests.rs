use super::*;
use crate::sys::process;
use crate::testing::eventually;

/// Three generations: cmd, which starts cmd, which starts ping for a minute. Every Windows has both.
fn three_generations(own_group: bool) -> Tree {
    Tree::spawn(spawn(&["/c", "cmd /c ping -n 60 127.0.0.1 > nul"], own_group)).unwrap()
}

fn spawn(args: &[&str], own_group: bool) -> Spawn {
    Spawn {
        program: std::env::var_os("COMSPEC").unwrap().into(),
        argv: ["cmd"].iter().chain(args).map(Into::into).collect(),
        environment: std::env::vars_os().collect(),
        cwd: std::env::temp_dir(),
        own_group,
        outputs: [None, None],
        hold: Vec::new(),
        spare: SpareList::default(),
        orphaned: (KILLED, Duration::ZERO),
        terminal: None,
        pty: None,
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn all_three(tree: &Tree) -> Vec<u32> {
    eventually("three generations run", || process::members(tree.guard()).len() >= 3);
    process::members(tree.guard())
}

#[test]
fn the_exit_code_is_handed_on_whole() {
    let mut tree = Tree::spawn(spawn(&["/c", "exit 123456789"], false)).unwrap();
    assert_eq!(run(tree.next()), TreeEvent::LeaderExited(123_456_789));
    assert_eq!(run(tree.next()), TreeEvent::Empty { killed: 0, left: Vec::new() });
}

#[test]
fn a_kill_ends_three_generations() {
    let mut tree = three_generations(false);
    let members = all_three(&tree);
    tree.kill();
    assert_eq!(run(tree.next()), TreeEvent::LeaderSignalled(KILLED));
    assert!(matches!(run(tree.next()), TreeEvent::Empty { killed: 3.., .. }));
    eventually("all are gone", || !members.iter().any(|pid| process::exists(*pid)));
}

#[test]
fn a_drop_ends_three_generations() {
    let tree = three_generations(false);
    let members = all_three(&tree);
    drop(tree);
    eventually("all are gone", || !members.iter().any(|pid| process::exists(*pid)));
}

#[test]
fn a_stop_that_nobody_obeys_ends_them_after_the_grace_period() {
    let mut tree = three_generations(false);
    let members = all_three(&tree);
    tree.stop(15, Duration::from_millis(50), true);
    assert_eq!(run(tree.next()), TreeEvent::LeaderSignalled(KILLED));
    eventually("all are gone", || !members.iter().any(|pid| process::exists(*pid)));
}

#[test]
fn the_longest_grace_period_there_is_has_no_end() {
    let mut tree = three_generations(false);
    all_three(&tree);
    tree.stop(15, Duration::MAX, true);
    assert_eq!(*tree.deadline.lock().unwrap(), None);
    tree.kill();
    assert_eq!(run(tree.next()), TreeEvent::LeaderSignalled(KILLED));
}

#[test]
fn the_leader_may_leave_first() {
    let mut tree = Tree::spawn(spawn(&["/c", "start /b ping -n 60 127.0.0.1 > nul"], false)).unwrap();
    assert_eq!(run(tree.next()), TreeEvent::LeaderExited(0));
    assert_eq!(process::members(tree.guard()).len(), 1, "the one that it left behind");
    tree.kill();
    assert!(matches!(run(tree.next()), TreeEvent::Empty { killed: 1, .. }));
}

#[test]
fn a_process_is_told_from_another_of_its_pid() {
    let mut child = Command::new("cmd").args(["/c", "ping -n 60 127.0.0.1 > nul"]).spawn().unwrap();
    let identity = process::identity(child.id()).unwrap();
    let other = process::Identity { start: identity.start + 1, ..identity };
    assert!(process::Process::open(&other).unwrap().is_none());
    let found = process::Process::open(&identity).unwrap().unwrap();
    assert!(found.is_alive());
    assert_eq!(process::parent(child.id()), Some(std::process::id()));
    found.signal(KILLED).unwrap();
    eventually("it ends", || !found.is_alive());
    child.wait().unwrap();
}

/// Says in the environment of a test program that it is to hold a tree until it is killed.
const HOLD: &str = "TEST_HOLDS_A_TREE";

/// The other half of the next test: without the variable there is nothing to do.
#[test]
fn holds_a_tree() {
    if std::env::var_os(HOLD).is_some() {
        let tree = three_generations(false);
        all_three(&tree);
        println!("\nleader {}", tree.leader());
        std::thread::park();
    }
}

#[test]
fn the_kernel_ends_the_tree_of_a_killed_owner() {
    use std::io::{BufRead, BufReader};
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sys::windows::tree::tests::holds_a_tree", "--nocapture"])
        .env(HOLD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let leader: u32 = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("leader ")?.trim().parse().ok())
        .unwrap();
    let members = process::members(leader);
    assert!(members.len() >= 3 && members.contains(&leader), "asked from outside: {members:?}");
    owner.kill().unwrap();
    owner.wait().unwrap();
    eventually("all are gone", || !members.iter().any(|pid| process::exists(*pid)));
}
