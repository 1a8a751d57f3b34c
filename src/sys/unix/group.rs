//! Process groups and sessions by number. Never by `rustix::process::Pid`: a group that was made outside of this
//! pid namespace has the number 0 here (pid_namespaces(7)), as when a container's runtime did not call setsid.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd};

/// The number of a process group or session; 0 stands for all those that this pid namespace can't name.
pub(in crate::sys) type Group = i32;

/// The process group of this process.
pub(in crate::sys) fn own_group() -> Group {
    // SAFETY: reads a number; it can't fail (getpgrp(2)).
    unsafe { libc::getpgrp() }
}

/// The process group of a process; `None` when there is no such process.
pub(in crate::sys) fn group_of(pid: i32) -> Option<Group> {
    // SAFETY: reads a number.
    Some(unsafe { libc::getpgid(pid) }).filter(|group| *group >= 0)
}

/// The session of a process, or of this one for pid 0; `None` when there is no such process.
pub(in crate::sys) fn session_of(pid: i32) -> Option<Group> {
    // SAFETY: reads a number.
    Some(unsafe { libc::getsid(pid) }).filter(|session| *session >= 0)
}

/// The session of this process, 0 likewise.
pub(crate) fn own_session() -> u32 {
    session_of(0).map_or(0, i32::unsigned_abs)
}

/// The process group that has the terminal's foreground; `None` when this is not our terminal.
pub(in crate::sys) fn foreground_of(terminal: BorrowedFd<'_>) -> Option<Group> {
    // SAFETY: reads a number through a descriptor that is borrowed for the call.
    Some(unsafe { libc::tcgetpgrp(terminal.as_raw_fd()) }).filter(|group| *group >= 0)
}
