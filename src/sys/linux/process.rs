//! Who a process is, and a handle on it that no recycled pid can fool: pidfds and /proc.
//! Nothing here signals a bare number, waits without a bound, or chooses whom to signal.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{fstat, fstatfs};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::stat::{Stat, read_short};
pub(crate) use crate::sys::types::{Ancestor, Identity, Info};

pub(crate) const SIGTERM: i32 = libc::SIGTERM;
pub(crate) const SIGKILL: i32 = libc::SIGKILL;
pub(crate) const SIGCONT: i32 = libc::SIGCONT;

/// A handle on one process, whatever becomes of its pid.
#[derive(Debug)]
pub(crate) struct Process {
    identity: Identity,
    by_inode: bool,
    pidfd: OwnedFd,
}

impl Process {
    /// A handle on the process that has this pid now.
    pub(crate) fn of_pid(pid: u32) -> io::Result<Option<Self>> {
        let Some(number) = raw(pid) else { return Ok(None) };
        let pidfd = match pidfd_open(number, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(Errno::SRCH) => return Ok(None),
            // What has the number is a thread and no process.
            Err(Errno::INVAL | Errno::NOENT) => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let Some(stat) = Stat::read(pid) else { return Ok(None) };
        let inode = unique_inode(&pidfd);
        // Only now is it sure that the stat was read of the process that the pidfd is of.
        if pidfd_number_is_gone(&pidfd) {
            return Ok(None);
        }
        Ok(Some(Self { identity: Identity { pid, start: stat.start, inode }, by_inode: false, pidfd }))
    }

    /// A handle on exactly this process; `None` if it is gone, its pid recycled or not.
    pub(crate) fn open(identity: &Identity) -> io::Result<Option<Self>> {
        let Some(mut found) = Self::of_pid(identity.pid)? else { return Ok(None) };
        found.by_inode = identity.inode.is_some() && identity.inode == found.identity.inode;
        let contradicts = identity.inode.is_some() && found.identity.inode.is_some() && !found.by_inode;
        let same = found.identity.start == identity.start && !contradicts;
        Ok(same.then_some(found))
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Whether `open` compared numbers that are never given twice. Otherwise a stranger that got the pid within
    /// the same clock tick is not told apart.
    pub(crate) fn is_certain(&self) -> bool {
        self.by_inode
    }

    /// Sends the signal; an error of kind `NotFound` if the process has been reaped.
    pub(crate) fn signal(&self, signal: i32) -> io::Result<()> {
        let signal = Signal::from_named_raw(signal)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("no signal {signal}")))?;
        match pidfd_send_signal(&self.pidfd, signal) {
            Err(Errno::SRCH) => Err(io::ErrorKind::NotFound.into()),
            other => Ok(other?),
        }
    }

    /// Whether it has not exited yet; a zombie has.
    pub(crate) fn is_alive(&self) -> bool {
        !self.wait(Duration::ZERO)
    }

    /// Whether it has exited, at the latest at the end of the patience (or earlier, by a signal to this thread).
    pub(crate) fn wait(&self, patience: Duration) -> bool {
        let timeout =
            Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: i64::from(patience.subsec_nanos()) };
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        matches!(poll(&mut fds, Some(&timeout)), Ok(ready) if ready > 0)
    }
}

impl AsFd for Process {
    /// Readable once the process has exited.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// The identity of the process that has this pid now.
pub(crate) fn identity(pid: u32) -> Option<Identity> {
    Process::of_pid(pid).ok().flatten().map(|process| process.identity())
}

/// A random name of this boot of the machine.
pub(crate) fn boot_id() -> Option<String> {
    let text = String::from_utf8(read_short("/proc/sys/kernel/random/boot_id").ok()?).ok()?;
    Some(text.trim().to_string()).filter(|id| !id.is_empty())
}

/// What /proc tells of the process that has this pid now.
pub(crate) fn info(pid: u32) -> Option<Info> {
    let stat = Stat::read(pid)?;
    let folder = folder(pid);
    let uid = fs::metadata(&folder).ok()?.uid();
    let argv = fs::read(folder.join("cmdline")).unwrap_or_default();
    Some(Info {
        pid,
        ppid: stat.ppid,
        pgid: stat.pgid,
        sid: stat.sid,
        uid,
        name: executable_name(&folder).unwrap_or_else(|| stat.comm.clone()),
        comm: stat.comm,
        argv: arguments(&argv),
        cwd: fs::read_link(folder.join("cwd")).ok(),
        start: stat.start,
        state: stat.state,
    })
}

/// What a cmdline holds: each argument ends with a NUL, unless the process has written something else there.
pub(super) fn arguments(cmdline: &[u8]) -> Vec<OsString> {
    match cmdline.strip_suffix(&[0]).unwrap_or(cmdline) {
        [] => Vec::new(),
        all => all.split(|byte| *byte == 0).map(|arg| OsString::from_vec(arg.to_vec())).collect(),
    }
}

/// When a process of this boot started, by its `start`, in milliseconds since 1970.
pub(crate) fn started_at(start: u64) -> Option<u64> {
    let uptime: f64 = fs::read_to_string("/proc/uptime").ok()?.split_whitespace().next()?.parse().ok()?;
    let age = uptime - start as f64 / rustix::param::clock_ticks_per_second() as f64;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
    let then = now.checked_sub(Duration::try_from_secs_f64(age.max(0.0)).ok()?)?;
    u64::try_from(then.as_millis()).ok()
}

/// The values of this variable with which the process was started: usually one or none, and none if that can't be read.
pub(crate) fn environment_values(pid: u32, key: &str) -> Vec<String> {
    values_in(&fs::read(folder(pid).join("environ")).unwrap_or_default(), key)
}

pub(super) fn values_in(environ: &[u8], key: &str) -> Vec<String> {
    let entries = environ.split(|byte| *byte == 0);
    let values = entries.filter_map(|entry| entry.strip_prefix(key.as_bytes())?.strip_prefix(b"="));
    values.map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

/// Every pid in sight.
pub(crate) fn all_pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Every pid in sight that belongs to this user.
pub(crate) fn pids_of_user(uid: u32) -> Vec<u32> {
    let mut pids = all_pids();
    pids.retain(|pid| fs::metadata(folder(*pid)).is_ok_and(|metadata| metadata.uid() == uid));
    pids
}

/// All descendants of the process, itself left out, in ascending order.
pub(crate) fn members(root: u32) -> Vec<u32> {
    if !lists_children() {
        return members_by_parent(root);
    }
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        let children = listed_children(pid);
        next.extend(&children);
        found.extend(children);
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The parents of the process up to pid 1, which is left out, the nearest first.
pub(crate) fn ancestors(pid: u32) -> Vec<Ancestor> {
    let mut found: Vec<Ancestor> = Vec::new();
    let mut next = Stat::read(pid).map_or(0, |stat| stat.ppid);
    // The bound is for a chain that changes while it is read and leads in a circle.
    while next > 1 && found.len() < 1000 {
        let Some(stat) = Stat::read(next) else { break };
        let name = executable_name(&folder(next)).unwrap_or(stat.comm);
        found.push(Ancestor { pid: next, sid: stat.sid, name, start: stat.start });
        next = stat.ppid;
    }
    found
}

/// The effective user of this process.
pub(crate) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether this process has a controlling terminal.
pub(crate) fn has_terminal() -> bool {
    Stat::read(std::process::id()).is_some_and(|stat| stat.terminal != 0)
}

/// The parent of the process now.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    Stat::read(pid).map(|stat| stat.ppid)
}

/// The children of the process.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    if lists_children() {
        return listed_children(pid);
    }
    all_pids().into_iter().filter(|child| parent(*child) == Some(pid)).collect()
}

/// Whether the kernel keeps lists of children (`PROC_CHILDREN`).
fn lists_children() -> bool {
    Path::new("/proc/thread-self/children").exists()
}

/// The children of every thread, from the kernel's own lists.
fn listed_children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(folder(pid).join("task")) else { return Vec::new() };
    let lists =
        threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let lists: Vec<String> = lists.collect();
    lists.iter().flat_map(|list| list.split_ascii_whitespace()).filter_map(|pid| pid.parse().ok()).collect()
}

/// For a kernel without `children` files: one look at the parent of everybody.
fn members_by_parent(root: u32) -> Vec<u32> {
    let mut children = std::collections::HashMap::<u32, Vec<u32>>::new();
    for pid in all_pids() {
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        let of_this = children.remove(&pid).unwrap_or_default();
        next.extend(&of_this);
        found.extend(of_this);
    }
    found.sort_unstable();
    found
}

fn folder(pid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}

fn raw(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

fn executable_name(folder: &Path) -> Option<String> {
    let path = fs::read_link(folder.join("exe")).ok()?;
    let name = path.file_name()?.as_bytes();
    let name = name.strip_suffix(b" (deleted)").unwrap_or(name);
    Some(OsStr::from_bytes(name).to_string_lossy().into_owned())
}

/// A zombie still has its number; once reaped, the number can be another's.
fn pidfd_number_is_gone(pidfd: &OwnedFd) -> bool {
    match read_short(format!("/proc/self/fdinfo/{}", std::os::fd::AsRawFd::as_raw_fd(pidfd))) {
        Ok(info) => info.split(|byte| *byte == b'\n').any(|line| line == b"Pid:\t-1"),
        Err(_) => true,
    }
}

/// The inode of the pidfd, where it is a number of this one process alone.
fn unique_inode(pidfd: &OwnedFd) -> Option<u64> {
    const PIDFS_MAGIC: u64 = 0x5049_4446;
    // On 32 bits the inode is cut short and comes round again.
    let is_pidfs = fstatfs(pidfd).is_ok_and(|fs| fs.f_type as u64 == PIDFS_MAGIC);
    (is_pidfs && cfg!(target_pointer_width = "64"))
        .then(|| fstat(pidfd).ok().map(|stat| stat.st_ino))
        .flatten()
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
