use super::*;
use crate::testing::eventually;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that lives until it is dropped.
fn start() -> Running {
    Running(
        Command::new("cat")
            .env("DEVRUN_ID", "abc")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    )
}

#[test]
fn a_process_is_told_from_one_with_another_start_or_number() {
    let child = start();
    let known = identity(child.0.id()).unwrap();
    assert!(Process::open(&known).unwrap().unwrap().is_alive());
    assert_eq!(Process::open(&known).unwrap().unwrap().is_certain(), known.inode.is_some());
    assert!(Process::open(&Identity { start: known.start + 1, ..known }).unwrap().is_none());
    if let Some(inode) = known.inode {
        let other = Identity { inode: Some(inode + 1), ..known };
        assert!(Process::open(&other).unwrap().is_none(), "recycled within one tick");
    }
    assert!(!Process::open(&Identity { inode: None, ..known }).unwrap().unwrap().is_certain());
    assert!(Process::open(&Identity { pid: 0, ..known }).unwrap().is_none());
    assert!(Process::open(&Identity { pid: u32::MAX, ..known }).unwrap().is_none());
}

#[test]
fn a_handle_signals_its_process_and_nobody_after_it() {
    let mut child = start();
    let handle = Process::of_pid(child.0.id()).unwrap().unwrap();
    handle.signal(libc::SIGTERM).unwrap();
    assert_eq!(child.0.wait().unwrap().signal(), Some(libc::SIGTERM));
    assert!(!handle.is_alive());
    assert_eq!(handle.signal(libc::SIGKILL).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(Process::open(&handle.identity()).unwrap().is_none());
    assert_eq!(identity(child.0.id()), None);
}

#[test]
fn what_proc_tells_of_a_child() {
    let child = start();
    // Until the exec is over the child still is a copy of this program.
    eventually("the child is cat", || info(child.0.id()).unwrap().argv == ["cat"]);
    let info = info(child.0.id()).unwrap();
    assert_eq!(info.ppid, std::process::id());
    assert_eq!(info.cwd, std::env::current_dir().ok());
    assert_eq!(info.uid, rustix::process::geteuid().as_raw());
    assert_eq!(environment_values(info.pid, "DEVRUN_ID"), ["abc"]);
    assert!(
        environment_values(info.pid, "DEVRUN").is_empty() && environment_values(u32::MAX, "PATH").is_empty()
    );
    assert!(pids_of_user(info.uid).contains(&info.pid));
    assert_eq!(ancestors(info.pid)[0].pid, std::process::id());
    assert!(ancestors(info.pid).iter().all(|parent| parent.pid > 1));
}

#[test]
fn members_are_all_descendants_by_either_way() {
    let script = "sleep 99 & (sleep 99 & sleep 99 & echo up; wait) & wait";
    let mut root =
        Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(root.stdout.as_mut().unwrap()), &mut line)
        .unwrap();
    eventually("four members", || members(root.id()).len() == 4);
    let found = members(root.id());
    assert_eq!(found, members_by_parent(root.id()));
    assert!(!found.contains(&root.id()));
    for pid in found {
        Process::of_pid(pid).unwrap().map(|process| process.signal(libc::SIGKILL));
    }
    root.kill().unwrap();
    root.wait().unwrap();
}

/// Gives a pid to a second process at once, in a pid namespace of its own where the next pid can be set. Needs
/// root, or a kernel that gives every user a namespace.
#[test]
fn a_recycled_pid_is_a_stranger() {
    if std::env::var_os("DEVRUN_TEST_NAMESPACE").is_none() {
        let user: &[&str] = if user() == 0 { &[] } else { &["--user", "--map-root-user"] };
        let output = Command::new("unshare")
            .args(user)
            .args(["--pid", "--fork", "--mount-proc"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "sys::linux::process::tests::a_recycled_pid_is_a_stranger", "--nocapture"])
            .env("DEVRUN_TEST_NAMESPACE", "1")
            .output()
            .unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let (mut recycled, mut within_a_tick) = (0, 0);
    for _ in 0..200 {
        let first = start();
        let known = identity(first.0.id()).unwrap();
        drop(first);
        fs::write("/proc/sys/kernel/ns_last_pid", (known.pid - 1).to_string()).unwrap();
        let second = start();
        if second.0.id() != known.pid {
            continue;
        }
        recycled += 1;
        let found = Process::open(&known).unwrap();
        if identity(known.pid).unwrap().start == known.start {
            within_a_tick += 1;
            // Without pidfs the start time says nothing here, and the handle says so.
            assert!(found.is_none_or(|found| known.inode.is_none() && !found.is_certain()));
        } else {
            assert!(found.is_none());
        }
    }
    println!("{recycled} recycled, {within_a_tick} of them within one clock tick");
    assert!(recycled > 100, "{recycled}");
}
