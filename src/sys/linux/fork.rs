//! From the fork of the guard to its loop: makes it a subreaper, starts the command, closes what is not its own.
//!
//! The guard is a fork without exec. Between fork and exec, and in the guard for all of its life, only
//! async-signal-safe calls are made (signal-safety(7)), so it does not matter which threads the program has.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use rustix::process::{Pid, Resource, Signal, getrlimit};

use super::ending::{Killed, Signalled};
use super::exec::{self, Join, Prepared};
use super::guard::Guard;
use super::walk;
use super::wire::{self, Report, Step};
use crate::sys::types::Spawn;
use crate::sys::unix::group::{self, Group};

/// The name that the guard goes by: without the word `devrun`, so that `pkill devrun` leaves it to its work.
const GUARD_NAME: &[u8] = b"tree-guard";

/// How far descriptors are looked for by number, where they can't be listed: some milliseconds.
const MOST_DESCRIPTORS: u64 = 65_536;

/// Forks the guard, which forks the command. Returns the guard's pid. `front_end`: the other end of its socket.
pub(super) fn fork_guard(
    spawn: &Spawn,
    prepared: &Prepared,
    socket: OwnedFd,
    front_end: &OwnedFd,
) -> io::Result<Pid> {
    // Borrowed, so that nothing is freed in the child.
    let (mut signalled, mut killed) = (Signalled::new(), Killed::new());
    let mut stack = vec![0; STACK];
    let arguments = argument_area();
    let session = group::session_of(0);
    let front_group = group::own_group();
    // SAFETY: the signal sets live here. All signals are blocked across the fork, so that no handler of this
    // program runs in the child; the mask is put back right after. In the child nothing is called but what the
    // module comments of `guard`, `walk`, `ending` and `exec` promise.
    unsafe {
        let mut all = std::mem::zeroed();
        let mut before = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let child = libc::fork();
        let error = io::Error::last_os_error();
        if child == 0 {
            // By itself and first: while the guard has this open, it never sees the front's end.
            libc::close(front_end.as_raw_fd());
            let start = |starting: &mut Starting| start_command(starting, &mut stack);
            be_guard(spawn, prepared, &socket, front_group, arguments, start, |leader, child_events| {
                let orphaned = Signal::from_named_raw(spawn.orphaned.0).unwrap_or(Signal::TERM);
                let has_pty = spawn.pty.is_some();
                Guard {
                    socket: &socket,
                    child_events,
                    leader,
                    front_group,
                    foreground: if has_pty { leader.as_raw_nonzero().get() } else { front_group },
                    leads_group: has_pty || spawn.own_group,
                    session: if has_pty { group::session_of(0) } else { session },
                    spare: &spawn.spare,
                    orphaned: (orphaned, spawn.orphaned.1),
                    terminal: spawn.terminal.as_ref(),
                    pty: spawn.pty.as_ref(),
                    signalled: &mut signalled,
                    killed: &mut killed,
                    following: None,
                }
                .run();
            });
            libc::_exit(0);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, ptr::null_mut());
        Pid::from_raw(child).filter(|_| child > 0).ok_or(error)
    }
}

/// The guard from the fork to the command's start, then `run`.
fn be_guard(
    spawn: &Spawn,
    prepared: &Prepared,
    socket: &OwnedFd,
    front_group: Group,
    arguments: Option<(usize, usize)>,
    start: impl FnOnce(&mut Starting) -> Option<Pid>,
    run: impl FnOnce(Pid, &OwnedFd),
) {
    let fail = |step, errno| wire::send(socket, &Report::Failed { errno, step }.encode());
    let me = rustix::process::getpid();
    // Before there is a command: whatever it leaves behind must come here.
    let _ = rustix::process::set_child_subreaper(Some(me));
    // A SIGKILL to the front's whole group must not find the guard in it. So the guard leaves that group before
    // there is a command, which is then put back in it; a group without a number can only be inherited, and the
    // guard leaves it right after.
    let own_group = spawn.own_group || spawn.pty.is_some();
    let group = Pid::from_raw(front_group).filter(|_| !own_group);
    let leave_at_once = own_group || group.is_some();
    if let Some(pty) = &spawn.pty {
        let taken = rustix::process::setsid().and_then(|_| rustix::process::ioctl_tiocsctty(pty));
        if let Err(error) = taken {
            return fail(Step::Fork, error.raw_os_error());
        }
    } else if leave_at_once {
        let _ = rustix::process::setpgid(None, None);
    }
    let join = if own_group { Join::Own } else { group.map_or(Join::Stay, Join::Other) };
    let streams = [spawn.pty.as_ref(), spawn.outputs[0].as_ref(), spawn.outputs[1].as_ref()];
    let mut starting = Starting { prepared, guard: me, join, streams, failed: None };
    let Some(leader) = start(&mut starting) else { return fail(Step::Fork, exec::errno()) };
    if !leave_at_once {
        let _ = rustix::process::setpgid(None, None);
    }
    if let Some((step, errno)) = starting.failed {
        return fail(step, errno);
    }
    let Some(child_events) = child_events() else { return fail(Step::Fork, exec::errno()) };
    hide(arguments);
    keep_only(spawn, socket, &child_events);
    wire::send(socket, &Report::Started { leader: leader.as_raw_nonzero().get() }.encode());
    run(leader, &child_events);
}

/// A command between its fork and its exec.
struct Starting<'a> {
    prepared: &'a Prepared,
    guard: Pid,
    join: Join,
    streams: [Option<&'a OwnedFd>; 3],
    /// Why it was not executed.
    failed: Option<(Step, i32)>,
}

/// The stack of a command that is being started, in units of 16 bytes: 64 KiB, of which little is ever touched.
const STACK: usize = 4096;

/// Makes the child that becomes the command, and returns once it has, or has failed to: so the child borrows this
/// memory, which is not copied for it (vfork(2), on a stack of its own as in posix_spawn(3)).
fn start_command(starting: &mut Starting, stack: &mut [u128]) -> Option<Pid> {
    extern "C" fn become_command(starting: *mut libc::c_void) -> libc::c_int {
        // SAFETY: it is the `Starting` below, which nobody else touches while the guard waits for this.
        let starting = unsafe { &mut *starting.cast::<Starting>() };
        starting.failed = Some(starting.prepared.execute(starting.guard, starting.join, starting.streams));
        127
    }
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack ends at an address that its type aligns; it, `starting` and all that is borrowed there
    // live until this returns, which is when the child uses them no longer. The child calls only `execute`.
    let leader = unsafe {
        let top = stack.as_mut_ptr_range().end;
        libc::clone(become_command, top.cast(), flags, ptr::from_mut(starting).cast())
    };
    Pid::from_raw(leader).filter(|_| leader > 0)
}

/// A descriptor that is readable when a child changes its state. Every signal is blocked already.
fn child_events() -> Option<OwnedFd> {
    // SAFETY: the set lives here; a program that ignores SIGCHLD would have its children reaped by the kernel
    // before the guard hears of them, so the default is put back.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGCHLD);
        let fd = libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        (fd >= 0).then(|| OwnedFd::from_raw_fd(fd))
    }
}

/// Closes every descriptor but the guard's own: a pipe or a lock of the program that was forked would otherwise
/// stay open for as long as the tree lives. Standard streams become /dev/null.
fn keep_only(spawn: &Spawn, socket: &OwnedFd, child_events: &OwnedFd) {
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
    if let Ok(null) = rustix::fs::open(c"/dev/null", flags, rustix::fs::Mode::empty()) {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
    let kept = || {
        let hold = spawn.hold.iter().chain([socket, child_events]).chain(&spawn.pty).map(AsRawFd::as_raw_fd);
        hold.chain(spawn.terminal.as_ref().map(|t| t.as_fd().as_raw_fd()))
    };
    let mut next = 3;
    loop {
        let first_kept = kept().filter(|fd| *fd >= next).min();
        let last = first_kept.map_or(u32::MAX, |fd| fd.unsigned_abs().saturating_sub(1));
        if last >= next.unsigned_abs() {
            // SAFETY: nothing in the guard uses a descriptor of this gap; their owners live in the other process.
            let closed = unsafe { libc::syscall(libc::SYS_close_range, next, last, 0) };
            if closed != 0 {
                return close_one_by_one(&|fd| fd < next || kept().any(|kept| kept == fd));
            }
        }
        match first_kept {
            Some(fd) => next = fd + 1,
            None => return,
        }
    }
}

/// The same without close_range(2): before Linux 5.9, and where a sandbox refuses what it does not know.
fn close_one_by_one(is_kept: &dyn Fn(RawFd) -> bool) {
    let close = &mut |fd| {
        if !is_kept(fd) {
            // SAFETY: as for a gap.
            unsafe { libc::close(fd) };
        }
    };
    if !walk::each_descriptor(close) {
        // In containers the limit can be a billion; a descriptor has the lowest number that is free.
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(MOST_DESCRIPTORS).min(MOST_DESCRIPTORS);
        (0..RawFd::try_from(limit).unwrap_or(RawFd::MAX)).for_each(close);
    }
}

/// Where the kernel reads this process's argument list from: fields 48 and 49 of proc_pid_stat(5).
fn argument_area() -> Option<(usize, usize)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace().skip(45);
    let (start, end) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (0 < start && start < end).then_some((start, end))
}

/// Gives the guard a name and an argument list of its own.
fn hide(arguments: Option<(usize, usize)>) {
    let _ = rustix::thread::set_name(c"tree-guard");
    let Some((start, end)) = arguments else { return };
    // SAFETY: the area is this process's own argument strings, writable by the C standard (5.1.2.2.1) and, since
    // the fork, a private copy that nothing in the guard reads.
    unsafe {
        ptr::write_bytes(start as *mut u8, 0, end - start);
        ptr::copy_nonoverlapping(
            GUARD_NAME.as_ptr(),
            start as *mut u8,
            GUARD_NAME.len().min(end - start - 1),
        );
    }
}
