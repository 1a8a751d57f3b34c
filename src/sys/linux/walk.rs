//! Who belongs to the tree below a process, read from /proc without a single allocation: the guard is the child
//! of a fork in a program that may have had threads, where only async-signal-safe calls are allowed
//! (signal-safety(7)). No signal is sent from here.
#![allow(unsafe_code)]

use core::fmt::Write;
use core::mem::MaybeUninit;
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use rustix::fs::{CWD, Mode, OFlags, RawDir};
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitOptions};

/// How deep a walk goes. Deeper members are met when those above them are gone and they have become children
/// of the subreaper.
const DEPTH: usize = 128;

/// Whether /proc is not mounted or shows nothing of this process.
pub(super) fn proc_is_hidden() -> bool {
    open(c"/proc/self/task", OFlags::DIRECTORY).is_err()
}

/// Whether the kernel keeps lists of children (CONFIG_PROC_CHILDREN), as the one of `me`, this process.
pub(super) fn lists_children(me: Pid) -> bool {
    let me = me.as_raw_nonzero();
    open(Text::new(format_args!("/proc/{me}/task/{me}/children")).as_c_str(), OFlags::empty()).is_ok()
}

/// Calls `visit` with each child of `parent`, whichever of its threads made it. Of a process that is gone there is
/// none; neither is of any but our own where /proc is hidden.
pub(super) fn each_child(parent: Pid, visit: &mut dyn FnMut(Pid)) {
    let tasks = Text::new(format_args!("/proc/{}/task", parent.as_raw_nonzero()));
    let Ok(tasks) = open(tasks.as_c_str(), OFlags::DIRECTORY) else {
        if parent == rustix::process::getpid() {
            each_child_by_asking(parent, visit);
        }
        return;
    };
    let mut supported = true;
    each_number(&tasks, &mut |tid| {
        let name = Text::new(format_args!("/proc/{}/task/{tid}/children", parent.as_raw_nonzero()));
        match open(name.as_c_str(), OFlags::empty()) {
            Ok(file) => each_word(&file, visit),
            // A kernel without CONFIG_PROC_CHILDREN has the thread's folder and not this file in it.
            Err(Errno::NOENT) => supported &= !exists(tid, parent),
            Err(_) => {}
        }
    });
    if !supported {
        each_child_by_scan(parent, visit);
    }
}

/// The same by looking at the parent of every process there is.
fn each_child_by_scan(parent: Pid, visit: &mut dyn FnMut(Pid)) {
    let Ok(all) = open(c"/proc", OFlags::DIRECTORY) else { return };
    each_number(&all, &mut |number| {
        if let Some(pid) = Pid::from_raw(number)
            && parent_of(pid) == Some(parent)
        {
            visit(pid);
        }
    });
}

/// The same without /proc, for our own children: asks the kernel of every pid that was given since this process
/// started whether it is a child of ours. Pids are given in turn, so a child made now has the newest.
fn each_child_by_asking(me: Pid, visit: &mut dyn FnMut(Pid)) {
    // SAFETY: the child ends at once and runs nothing of the program that was forked.
    let newest = unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::_exit(0);
        }
        child
    };
    let (me, most) = (me.as_raw_nonzero().get(), 4_194_304);
    if newest > 0 {
        let _ = Pid::from_raw(newest).map(|pid| rustix::process::waitpid(Some(pid), WaitOptions::empty()));
    }
    // Fewer than newest: they began again at the lowest.
    let (upper, lower) = if newest > me { (newest, 1) } else { (most, newest.max(1)) };
    for number in (me + 1..upper).chain(1..lower) {
        let Some(pid) = Pid::from_raw(number) else { continue };
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if rustix::process::waitid(WaitId::Pid(pid), look).is_ok() {
            visit(pid);
        }
    }
}

/// Calls `visit` with each descendant of `root` and a pidfd of it, parents first; it says whether to go on below that
/// one. `root` is this process or a child that it has not waited for.
///
/// A descendant further down is not our child and its pid could be taken over between the listing and the pidfd.
/// So: its pidfd is opened first, then its parent is read and must be the one above, and then the one above must
/// still be alive by the pidfd that is held of it. All three true: it was a member when its pidfd was opened.
/// Children of ours need none of this, since they keep their pids until we wait for them.
pub(super) fn each_member(root: Pid, visit: &mut dyn FnMut(Pid, &OwnedFd) -> bool) {
    walk(root, None, 0, visit);
}

fn walk(
    parent: Pid,
    parent_fd: Option<&OwnedFd>,
    depth: usize,
    visit: &mut dyn FnMut(Pid, &OwnedFd) -> bool,
) {
    let ours = parent == rustix::process::getpid();
    each_child(parent, &mut |pid| {
        let Ok(fd) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) else { return };
        // Nobody is below one that has ended.
        if has_ended(&fd) || !ours && (parent_of(pid) != Some(parent) || parent_fd.is_some_and(has_ended)) {
            return;
        }
        if visit(pid, &fd) && depth < DEPTH {
            walk(pid, Some(&fd), depth + 1, visit);
        }
    });
}

/// Whether the process of this pidfd has ended: a pidfd is readable then (pidfd_open(2)).
pub(super) fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut fds = [rustix::event::PollFd::new(pidfd, rustix::event::PollFlags::IN)];
    matches!(rustix::event::poll(&mut fds, Some(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1..))
}

/// The parent of a process: the second field after the last `)` of its stat, since its name may hold anything.
fn parent_of(pid: Pid) -> Option<Pid> {
    let mut buffer = [0; 512];
    let text =
        read_start(Text::new(format_args!("/proc/{}/stat", pid.as_raw_nonzero())).as_c_str(), &mut buffer)?;
    parent_in(text)
}

pub(super) fn parent_in(stat: &[u8]) -> Option<Pid> {
    let after_name = stat.iter().rposition(|b| *b == b')')? + 1;
    let mut fields = stat[after_name..].split(|b| *b == b' ').filter(|f| !f.is_empty());
    fields.next()?;
    pid(fields.next()?)
}

/// The executable's file name of a process, in `buffer`.
pub(super) fn executable(pid: Pid, buffer: &mut [MaybeUninit<u8>; 512]) -> Option<&[u8]> {
    let link = Text::new(format_args!("/proc/{}/exe", pid.as_raw_nonzero()));
    let (path, _) = rustix::fs::readlinkat_raw(CWD, link.as_c_str(), &mut buffer[..]).ok()?;
    let name = path.rsplit(|b| *b == b'/').next()?;
    // What was replaced on disk since it started still counts by its name (proc_pid_exe(5)).
    Some(name.strip_suffix(b" (deleted)").unwrap_or(name))
}

/// The name that a process goes by, at most 15 bytes.
pub(super) fn command_name(pid: Pid, buffer: &mut [u8; 32]) -> Option<&[u8]> {
    let text = read_start(Text::new(format_args!("/proc/{}/comm", pid.as_raw_nonzero())).as_c_str(), buffer)?;
    Some(text.strip_suffix(b"\n").unwrap_or(text))
}

/// Whether the start of a process's argument list holds this text.
pub(super) fn arguments_contain(pid: Pid, needle: &[u8]) -> bool {
    let mut buffer = [0; 4096];
    let name = Text::new(format_args!("/proc/{}/cmdline", pid.as_raw_nonzero()));
    read_start(name.as_c_str(), &mut buffer)
        .is_some_and(|text| text.windows(needle.len()).any(|w| w == needle))
}

/// Calls `visit` with each descriptor of this process, which may close it; `false` if they can't be listed.
pub(super) fn each_descriptor(visit: &mut dyn FnMut(RawFd)) -> bool {
    let Ok(folder) = open(c"/proc/self/fd", OFlags::DIRECTORY) else { return false };
    each_number(&folder, &mut |fd| {
        if fd != folder.as_raw_fd() {
            visit(fd);
        }
    });
    true
}

fn exists(tid: i32, parent: Pid) -> bool {
    open(
        Text::new(format_args!("/proc/{}/task/{tid}/stat", parent.as_raw_nonzero())).as_c_str(),
        OFlags::empty(),
    )
    .is_ok()
}

fn open(path: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, flags | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

fn read_start<'b>(path: &CStr, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let file = open(path, OFlags::empty()).ok()?;
    let length = rustix::io::read(file, &mut *buffer).ok()?;
    Some(&buffer[..length])
}

/// Calls `visit` with every entry of a folder that is a number.
fn each_number(folder: impl AsFd, visit: &mut dyn FnMut(i32)) {
    let mut buffer = [MaybeUninit::uninit(); 1024];
    let mut entries = RawDir::new(folder, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        if let Some(n) = number(entry.file_name().to_bytes()) {
            visit(n);
        }
    }
}

/// Calls `visit` with every number in a file, whichever chunk boundary it crosses.
pub(super) fn each_word(file: &OwnedFd, visit: &mut dyn FnMut(Pid)) {
    let mut buffer = [0; 1024];
    let mut kept = 0;
    while let Ok(length) = rustix::io::read(file, &mut buffer[kept..]) {
        let filled = kept + length;
        let end = if length == 0 {
            filled
        } else {
            buffer[..filled].iter().rposition(|b| *b == b' ').map_or(0, |at| at + 1)
        };
        for word in buffer[..end].split(|b| *b == b' ') {
            if let Some(pid) = pid(word) {
                visit(pid);
            }
        }
        if length == 0 {
            return;
        }
        buffer.copy_within(end..filled, 0);
        kept = filled - end;
    }
}

/// The number that is all of this text.
pub(super) fn number(digits: &[u8]) -> Option<i32> {
    core::str::from_utf8(digits.trim_ascii()).ok()?.parse().ok()
}

/// The process that this text names. A number below 0 would be a process group.
fn pid(digits: &[u8]) -> Option<Pid> {
    number(digits).filter(|number| *number > 0).and_then(Pid::from_raw)
}

/// A short C string on the stack.
struct Text {
    bytes: [u8; 64],
    length: usize,
}

impl Text {
    fn new(text: core::fmt::Arguments<'_>) -> Self {
        let mut this = Self { bytes: [0; 64], length: 0 };
        let _ = this.write_fmt(text);
        this
    }

    fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or(c"")
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let end = self.length + text.len();
        // One byte stays 0.
        let room = self.bytes.get_mut(self.length..end.min(63)).ok_or(core::fmt::Error)?;
        if room.len() < text.len() {
            return Err(core::fmt::Error);
        }
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// How many processes are below this one.
#[cfg(test)]
pub(super) fn count(root: u32) -> usize {
    let mut count = 0;
    if let Some(root) = Pid::from_raw(root.cast_signed()) {
        each_member(root, &mut |_, _| {
            count += 1;
            true
        });
    }
    count
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn every_way_of_listing_finds_the_children() {
        let mut children: Vec<_> =
            (0..3).map(|_| Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap()).collect();
        let me = rustix::process::getpid();
        let ways: [fn(Pid, &mut dyn FnMut(Pid)); 3] = [each_child, each_child_by_scan, each_child_by_asking];
        for way in ways {
            let mut found = Vec::new();
            way(me, &mut |pid| found.push(pid.as_raw_nonzero().get().unsigned_abs()));
            // Other tests have children too.
            assert!(children.iter().all(|child| found.contains(&child.id())), "{found:?}");
        }
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
