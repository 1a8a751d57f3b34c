//! The guard with real processes; how it ends every shape of tree is tested from outside, in `tests/it`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use super::{Spawn, SpawnError, Tree, TreeEvent};

/// Ends a process that allocates or frees in the child of a fork: there a lock of the allocator may be held by a
/// thread that does not exist.
struct NoneAfterFork;

static FIRST_PROCESS: AtomicI32 = AtomicI32::new(0);

fn check() {
    // SAFETY: asks for a number.
    let me = unsafe { libc::getpid() };
    let first =
        FIRST_PROCESS.compare_exchange(0, me, Ordering::Relaxed, Ordering::Relaxed).unwrap_or_else(|p| p);
    if first != me && first != 0 {
        // SAFETY: ends this process.
        unsafe { libc::abort() };
    }
}

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for NoneAfterFork {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        check();
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: NoneAfterFork = NoneAfterFork;

fn shell(script: &str) -> Spawn {
    Spawn {
        program: "/bin/sh".into(),
        argv: ["sh", "-c", script].map(OsString::from).into(),
        environment: std::env::vars_os().collect(),
        cwd: "/".into(),
        own_group: true,
        outputs: [None, None],
        hold: Vec::new(),
        spare: Default::default(),
        orphaned: (libc::SIGTERM, Duration::from_millis(200)),
        terminal: None,
        pty: None,
    }
}

fn with_runtime<T>(test: impl AsyncFnOnce() -> T) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        tokio::time::timeout(Duration::from_secs(20), test()).await.expect("the test ends in time")
    })
}

async fn end_of(tree: &mut Tree) -> (Vec<TreeEvent>, u32) {
    let mut events = Vec::new();
    loop {
        match tree.next().await {
            TreeEvent::Empty { killed, left } => {
                assert_eq!(left, []);
                return (events, killed);
            }
            other => events.push(other),
        }
    }
}

#[test]
fn the_status_of_the_command_is_reported_and_the_tree_is_empty() {
    with_runtime(async || {
        let mut tree = Tree::spawn(shell("exit 3")).unwrap();
        assert_eq!(end_of(&mut tree).await, (vec![TreeEvent::LeaderExited(3)], 0));
        let mut tree = Tree::spawn(shell("kill -SEGV $$")).unwrap();
        assert_eq!(end_of(&mut tree).await, (vec![TreeEvent::LeaderSignalled(libc::SIGSEGV)], 0));
    });
}

#[test]
fn the_guard_never_allocates_while_it_stops_and_kills() {
    with_runtime(async || {
        let script =
            "trap '' TERM; setsid sh -c \"trap '' TERM; sleep 60 & wait; sleep 60\" & sleep 60; sleep 60";
        let mut tree = Tree::spawn(shell(script)).unwrap();
        let deep = || super::super::walk::count(tree.guard());
        while deep() < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tree.stop(libc::SIGTERM, Duration::from_millis(100), false);
        let (events, killed) = end_of(&mut tree).await;
        assert_eq!(events, [TreeEvent::LeaderSignalled(libc::SIGKILL)]);
        assert!(killed >= 2, "{killed}");
    });
}

#[test]
fn the_guard_ends_the_tree_when_the_front_lets_go_and_frees_what_it_held() {
    with_runtime(async || {
        let (ours, theirs) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let mut spawn = shell("trap '' TERM; while :; do sleep 60; done");
        spawn.hold = vec![theirs];
        let tree = Tree::spawn(spawn).unwrap();
        drop(tree);
        // End of file comes when the last holder, the guard, is gone.
        read_to_end(ours).await;
    });
}

async fn read_to_end(fd: OwnedFd) {
    tokio::task::spawn_blocking(move || {
        let mut buffer = [0; 1];
        while rustix::io::read(&fd, &mut buffer).unwrap() > 0 {}
    })
    .await
    .unwrap();
}

#[test]
fn what_cant_be_executed_is_said_with_its_step() {
    with_runtime(async || {
        let missing = Spawn { program: "/no/such".into(), ..shell("") };
        assert!(
            matches!(Tree::spawn(missing), Err(SpawnError::Execute(e)) if e.kind() == std::io::ErrorKind::NotFound)
        );
        let folder = Spawn { cwd: PathBuf::from("/no/such"), ..shell("") };
        assert!(matches!(Tree::spawn(folder), Err(SpawnError::Folder(_))));
    });
}

#[test]
fn the_guard_goes_by_another_name() {
    with_runtime(async || {
        let tree = Tree::spawn(shell("sleep 60")).unwrap();
        let read =
            |what: &str| std::fs::read(Path::new("/proc").join(tree.guard().to_string()).join(what)).unwrap();
        assert_eq!(read("comm"), b"tree-guard\n");
        assert_eq!(read("cmdline").split(|b| *b == 0).next(), Some(&b"tree-guard"[..]));
    });
}
