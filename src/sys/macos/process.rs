//! Who a process is, by the unique id that the kernel never gives twice in a boot.
//! Nothing here waits, or chooses whom to signal.
#![allow(unsafe_code)]

use std::ffi::{CStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::ptr;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::end::Family;
use super::kernel::{self, About};
use super::parse::Birth;
use super::tree;
use crate::sys::types::SpareList;
pub(crate) use crate::sys::types::{Ancestor, Identity, Info};

pub(crate) const SIGTERM: i32 = libc::SIGTERM;
pub(crate) const SIGKILL: i32 = libc::SIGKILL;
pub(crate) const SIGCONT: i32 = libc::SIGCONT;

/// A handle on one process: its identity, and a kqueue that tells of its exit.
#[derive(Debug)]
pub(crate) struct Process {
    identity: Identity,
    exit: OwnedFd,
}

impl Process {
    /// A handle on the process that has this pid now.
    pub(crate) fn of_pid(pid: u32) -> io::Result<Option<Self>> {
        let Some(before) = identity(pid) else { return Ok(None) };
        let exit = match watch_exit(pid) {
            Ok(exit) => exit,
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
            Err(error) => return Err(error),
        };
        // Only now is it sure that the kqueue watches the process that was looked at.
        Ok((identity(pid) == Some(before)).then_some(Self { identity: before, exit }))
    }

    /// A handle on exactly this process; `None` if it is gone, its pid recycled or not.
    pub(crate) fn open(identity: &Identity) -> io::Result<Option<Self>> {
        Ok(Self::of_pid(identity.pid)?.filter(|found| found.identity == *identity))
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Always: `open` compares unique ids.
    pub(crate) fn is_certain(&self) -> bool {
        true
    }

    /// Sends the signal; an error of kind `NotFound` if the process is gone.
    ///
    /// There are no pidfds here: its identity is looked at right before, and a pid is not recycled within the
    /// few instructions in between, since the kernel hands pids out in a circle.
    pub(crate) fn signal(&self, signal: i32) -> io::Result<()> {
        if identity(self.identity.pid) != Some(self.identity) {
            return Err(io::ErrorKind::NotFound.into());
        }
        kill(self.identity.pid, signal)
    }

    /// Whether it has not exited yet; a zombie has.
    pub(crate) fn is_alive(&self) -> bool {
        identity(self.identity.pid) == Some(self.identity)
    }

    /// Whether it has exited, at the latest at the end of the patience (or earlier, by a signal to this thread).
    pub(crate) fn wait(&self, patience: Duration) -> bool {
        let timeout =
            Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: i64::from(patience.subsec_nanos()) };
        let _ = poll(&mut [PollFd::new(&self.exit, PollFlags::IN)], Some(&timeout));
        !self.is_alive()
    }
}

impl AsFd for Process {
    /// Readable once the process has exited.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.exit.as_fd()
    }
}

/// Sends the signal to the process that has this pid, or to nobody if that is not one of several processes.
pub(super) fn kill(pid: u32, signal: i32) -> io::Result<()> {
    let Some(pid) = i32::try_from(pid).ok().filter(|pid| *pid > 1) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // SAFETY: plain system call; a positive pid is one process.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ESRCH) => Err(io::ErrorKind::NotFound.into()),
            error => Err(error),
        },
    }
}

/// A kqueue that is readable once the process has exited.
fn watch_exit(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: what is returned is ours; the event lives here and names nothing that has to outlive the call.
    unsafe {
        let queue = libc::kqueue();
        if queue < 0 {
            return Err(io::Error::last_os_error());
        }
        let queue = OwnedFd::from_raw_fd(queue);
        libc::fcntl(queue.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC);
        let event = libc::kevent {
            ident: pid as libc::uintptr_t,
            filter: libc::EVFILT_PROC,
            flags: libc::EV_ADD,
            fflags: libc::NOTE_EXIT,
            data: 0,
            udata: ptr::null_mut(),
        };
        match libc::kevent(queue.as_raw_fd(), &event, 1, ptr::null_mut(), 0, ptr::null()) {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(queue),
        }
    }
}

/// The identity of the process that has this pid now.
pub(crate) fn identity(pid: u32) -> Option<Identity> {
    let about = kernel::about(pid)?;
    Some(Identity { pid, start: start(&about), inode: Some(about.id) })
}

/// A random name of this boot of the machine.
pub(crate) fn boot_id() -> Option<String> {
    kernel::boot_session()
}

/// What the system tells of the process that has this pid now.
pub(crate) fn info(pid: u32) -> Option<Info> {
    let about = kernel::about(pid)?;
    let bytes = about.bsd.pbi_comm.map(libc::c_char::cast_unsigned);
    let comm = CStr::from_bytes_until_nul(&bytes).map_or(&bytes[..], CStr::to_bytes);
    let comm = String::from_utf8_lossy(comm).into_owned();
    let name =
        kernel::executable(pid).and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let argv = kernel::arguments(pid).unwrap_or_default().argv;
    Some(Info {
        pid,
        ppid: about.bsd.pbi_ppid,
        pgid: about.bsd.pbi_pgid,
        sid: session(pid),
        uid: about.bsd.pbi_uid,
        name: name.unwrap_or_else(|| comm.clone()),
        comm,
        argv: argv.into_iter().map(OsString::from_vec).collect(),
        cwd: kernel::folder(pid),
        start: start(&about),
        state: match about.bsd.pbi_status {
            libc::SSTOP => 'T',
            libc::SZOMB => 'Z',
            libc::SRUN => 'R',
            _ => 'S',
        },
    })
}

/// When a process started, by its `start`, in milliseconds since 1970.
pub(crate) fn started_at(start: u64) -> Option<u64> {
    Some(start / 1000)
}

/// The values of this variable with which the process was started: usually one or none, and none if that can't be read:
/// the system's own programs show no environment at all.
pub(crate) fn environment_values(pid: u32, key: &str) -> Vec<String> {
    let environment = kernel::arguments(pid).map(|found| found.environment).unwrap_or_default();
    let entries = environment.iter();
    let values = entries.filter_map(|entry| entry.strip_prefix(key.as_bytes())?.strip_prefix(b"="));
    values.map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

/// Every pid in sight.
pub(crate) fn all_pids() -> Vec<u32> {
    kernel::pids()
}

/// The effective user of this process.
pub(crate) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The children of the process.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    all_pids().into_iter().filter(|child| parent(*child) == Some(pid)).collect()
}

/// Every pid in sight that belongs to this user.
pub(crate) fn pids_of_user(uid: u32) -> Vec<u32> {
    let of_user = |pid: &u32| kernel::about(*pid).is_some_and(|about| about.bsd.pbi_uid == uid);
    kernel::pids().into_iter().filter(of_user).collect()
}

/// The process, if it lives, all its descendants, and all that have its `DEVRUN_ID`, in ascending order. Of the leader of
/// a tree of this process they are found also when it is gone.
pub(crate) fn members(root: u32) -> Vec<u32> {
    let of_any = || kernel::birth(root).map(|birth| (Some(birth.id), run_id(root)));
    let Some((id, run)) = tree::led_by(root).map(|tree| (tree.id, tree.run)).or_else(of_any) else {
        return Vec::new();
    };
    let mut family = Family::new(run.as_deref(), SpareList::default());
    id.into_iter().for_each(|id| family.join(id));
    let mut pids: Vec<u32> = family.members().iter().map(|member: &Birth| member.pid).collect();
    pids.sort_unstable();
    pids
}

fn run_id(pid: u32) -> Option<String> {
    let environment = kernel::arguments(pid)?.environment;
    let value = environment.iter().find_map(|entry| entry.strip_prefix(b"DEVRUN_ID="))?;
    String::from_utf8(value.to_vec()).ok().filter(|value| !value.is_empty())
}

/// The parents of the process up to pid 1, which is left out, the nearest first.
pub(crate) fn ancestors(pid: u32) -> Vec<Ancestor> {
    let mut found: Vec<Ancestor> = Vec::new();
    let mut next = parent(pid).unwrap_or(0);
    // The bound is for a chain that changes while it is read and leads in a circle.
    while next > 1 && found.len() < 1000 {
        let Some(parent) = info(next) else { break };
        next = parent.ppid;
        found.push(Ancestor { pid: parent.pid, sid: parent.sid, name: parent.name, start: parent.start });
    }
    found
}

/// Whether this process has a controlling terminal.
pub(crate) fn has_terminal() -> bool {
    const NO_DEVICE: u32 = u32::MAX;
    kernel::about(std::process::id()).is_some_and(|about| about.bsd.e_tdev != NO_DEVICE)
}

/// The parent of the process now.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    kernel::about(pid).map(|about| about.bsd.pbi_ppid)
}

/// The session of the process; 0 if it is gone.
pub(super) fn session(pid: u32) -> u32 {
    // SAFETY: plain system call.
    u32::try_from(unsafe { libc::getsid(pid.cast_signed()) }).unwrap_or(0)
}

/// In microseconds since 1970.
fn start(about: &About) -> u64 {
    about.bsd.pbi_start_tvsec * 1_000_000 + about.bsd.pbi_start_tvusec
}
