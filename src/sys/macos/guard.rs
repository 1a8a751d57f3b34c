//! The guard: a process that does nothing while its front lives but see who is born into the tree; when the front is
//! gone without a word, it ends the tree. It adopts nobody and starts nothing.
//!
//! It is a fork without exec, of a program that may have threads. So nothing in it allocates, locks or panics, it
//! calls nothing of Apple's frameworks, and every signal is blocked: nothing but SIGKILL and SIGSTOP reaches it.
#![allow(unsafe_code)]

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, WaitOptions, getrlimit, waitpid};

use super::end::Family;
use super::parse::Birth;
use super::tree::{ENDING, HARD_LIMIT};
use crate::sys::unix::group::{self, Group};
use crate::sys::{Held, SavedTerminal};

/// The signal and the grace period when the front is gone.
type Orphaned = (i32, Duration);

/// A running guard. Dropping it says that all is over, and waits until it has ended.
#[derive(Debug)]
pub(super) struct Guard {
    line: UnixStream,
    pid: Pid,
}

impl Guard {
    /// Forks the guard, which holds open what is to be held.
    pub(super) fn start(
        mut family: Family,
        orphaned: Orphaned,
        hold: &[Held],
        terminal: Option<&SavedTerminal>,
    ) -> io::Result<Self> {
        let (line, theirs) = UnixStream::pair()?;
        let front_group = group::own_group();
        let most = getrlimit(Resource::Nofile).current.unwrap_or(1 << 16).min(1 << 16);
        let most = RawFd::try_from(most).unwrap_or(RawFd::MAX);
        // SAFETY: the signal sets live here. All signals are blocked across the fork, so that no handler of this
        // program runs in the child; the mask is put back right after. In the child nothing is called but what the
        // comment of this module promises, and nothing of the forked program is dropped.
        let child = unsafe {
            let mut all = std::mem::zeroed();
            let mut before = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
            let child = libc::fork();
            let error = io::Error::last_os_error();
            if child == 0 {
                // A SIGKILL to the front's whole group must not find the guard in it.
                libc::setpgid(0, 0);
                let terminal_fd = terminal.map(|terminal| terminal.as_fd().as_raw_fd());
                let kept = |fd| {
                    fd == theirs.as_raw_fd()
                        || Some(fd) == terminal_fd
                        || hold.iter().any(|held| held.as_raw_fd() == fd)
                };
                keep_only(kept, most);
                if watch(&mut family, &theirs) == Watched::FrontGone {
                    end(&mut family, orphaned);
                    restore(terminal, front_group);
                }
                libc::_exit(0);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &before, ptr::null_mut());
            Pid::from_raw(child).filter(|_| child > 0).ok_or(error)
        };
        Ok(Self { line, pid: child? })
    }

    /// Tells whose tree it is.
    pub(super) fn tell_leader(&self, leader: Birth) {
        self.send(leader.id);
    }

    /// A unique id, or 0: it is over. A guard that is gone can't be helped; the front goes on without it.
    fn send(&self, id: u64) {
        let _ = (&self.line).write_all(&id.to_ne_bytes());
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.send(0);
        let _ = rustix::io::retry_on_intr(|| waitpid(Some(self.pid), WaitOptions::empty()));
    }
}

#[derive(PartialEq)]
enum Watched {
    FrontGone,
    Over,
}

/// Until the front has said its last word or is gone without one. Every fork in the tree makes it look, so that the
/// child is known before its parent can be forgotten.
fn watch(family: &mut Family, line: &UnixStream) -> Watched {
    // SAFETY: plain system calls; the event lives here.
    let queue = unsafe { libc::kqueue() };
    add(queue, line.as_raw_fd() as libc::uintptr_t, libc::EVFILT_READ, 0);
    loop {
        // SAFETY: events are plain integers, for which zeroes are a value, and the list is as long as is said.
        let (count, events) = unsafe {
            let mut events: [libc::kevent; 64] = std::mem::zeroed();
            let count = libc::kevent(queue, ptr::null(), 0, events.as_mut_ptr(), 64, ptr::null());
            (usize::try_from(count).unwrap_or(0), events)
        };
        if queue < 0 || events[..count].iter().any(|event| event.filter == libc::EVFILT_READ) {
            let mut id = [0; 8];
            // A packet is so small that it comes whole; less is the front's end.
            match rustix::io::retry_on_intr(|| rustix::io::read(line, &mut id)) {
                Ok(8) if id == [0; 8] => return Watched::Over,
                Ok(8) => family.join(u64::from_ne_bytes(id)),
                Ok(_) | Err(_) => return Watched::FrontGone,
            }
        }
        // Whoever is watched already stays so.
        for member in family.descendants() {
            add(queue, member.pid as libc::uintptr_t, libc::EVFILT_PROC, libc::NOTE_FORK | libc::NOTE_EXIT);
        }
    }
}

/// Asks the queue to tell of this from now on.
fn add(queue: RawFd, about: libc::uintptr_t, filter: i16, what: u32) {
    let flags = libc::EV_ADD | if filter == libc::EVFILT_PROC { libc::EV_CLEAR } else { 0 };
    let event = libc::kevent { ident: about, filter, flags, fflags: what, data: 0, udata: ptr::null_mut() };
    // SAFETY: the event lives here and names nothing that has to outlive the call.
    unsafe { libc::kevent(queue, &event, 1, ptr::null_mut(), 0, ptr::null()) };
}

/// The stop signal, the grace period, the kills: as the front does it.
fn end(family: &mut Family, (signal, grace): Orphaned) {
    if signal != libc::SIGKILL {
        family.ask(signal, None);
        let killing = Instant::now() + grace;
        while Instant::now() < killing && !family.doomed().is_empty() {
            pause(ENDING);
        }
    }
    let limit = Instant::now() + HARD_LIMIT;
    while family.kill_round() > 0 && Instant::now() < limit {
        pause(ENDING);
    }
}

fn pause(time: Duration) {
    let time = libc::timespec { tv_sec: 0, tv_nsec: time.subsec_nanos().into() };
    // SAFETY: the time lives here.
    unsafe { libc::nanosleep(&time, ptr::null_mut()) };
}

/// As the front would have. SIGTTOU is blocked.
fn restore(terminal: Option<&SavedTerminal>, front_group: Group) {
    if let Some(terminal) = terminal {
        terminal.restore_if_foreground(front_group);
    }
}

/// Closes every descriptor but the guard's own: a pipe of the program that was forked, or another guard's line, would
/// otherwise stay open for as long as the tree lives. Standard streams become /dev/null.
fn keep_only(kept: impl Fn(RawFd) -> bool, most: RawFd) {
    // SAFETY: nothing in the guard uses a descriptor that is closed here; their owners live in the other process.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        for fd in 0..3 {
            libc::dup2(null, fd);
        }
        for fd in (3..most).filter(|fd| !kept(*fd)) {
            libc::close(fd);
        }
    }
}
