//! What this kernel offers of that on which devrun relies, for `devrun doctor`. It only looks.

use std::fs;

use super::process::{self, Process};
use super::tcp_table::listeners;

/// Whether the environment of other processes can be read.
pub(crate) const SEES_ENVIRONMENTS: bool = true;

/// Each feature with what it is good for, or what is lost without it.
pub(crate) fn features() -> Vec<(&'static str, Result<String, String>)> {
    let found =
        |is: bool, good: &str, lost: &str| if is { Ok(good.to_string()) } else { Err(lost.to_string()) };
    let me = rustix::process::getpid();
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    let own = Process::of_pid(me.as_raw_nonzero().get().unsigned_abs()).ok().flatten();
    vec![
        ("kernel", Ok(kernel)),
        (
            "subreaper",
            found(
                rustix::process::child_subreaper().is_ok(),
                "what loses its parent comes to the guard",
                "what loses its parent is found only by a search",
            ),
        ),
        (
            "pidfd",
            match own.map(|own| own.identity().inode.is_some()) {
                Some(true) => Ok("processes have handles, and numbers that are never given twice".into()),
                Some(false) => Ok("processes have handles".into()),
                None => Err("processes are known by their number alone".into()),
            },
        ),
        (
            "children file",
            found(
                fs::read_to_string("/proc/thread-self/children").is_ok(),
                "the kernel lists a process's children",
                "children are found by reading all of /proc",
            ),
        ),
        (
            "/proc",
            found(
                process::info(1).is_some(),
                "shows every process",
                "hides processes: other users' can't be named",
            ),
        ),
        (
            "socket table",
            found(
                listeners().is_ok(),
                "tells who listens on which port",
                "a server that moves to another port can't be followed",
            ),
        ),
    ]
}
