//! Executing the command in the child of a fork: everything is prepared before, so that between fork and exec
//! only async-signal-safe calls are made (signal-safety(7)).
#![allow(unsafe_code)]

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::ptr;

use rustix::process::{Pid, Signal};

use super::stat::read_short;
use super::walk::number;
use super::wire::Step;

/// A command that is ready to be executed.
pub(super) struct Prepared {
    path: CString,
    cwd: CString,
    args: Strings,
    /// `/bin/sh path args...`, for a script without a `#!` line: what execvp(3) does with ENOEXEC.
    shell_args: Strings,
    environment: Strings,
    /// A little more killable than the guard when memory runs out (proc_pid_oom_score_adj(5)).
    oom_score: Option<CString>,
}

/// C strings and the null-terminated list of pointers to them that exec wants.
struct Strings {
    pointers: Vec<*const libc::c_char>,
    _owned: Vec<CString>,
}

impl Strings {
    fn new(owned: Vec<CString>) -> Self {
        let pointers = owned.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect();
        Self { pointers, _owned: owned }
    }
}

/// The process group that the command is to be in.
#[derive(Clone, Copy)]
pub(super) enum Join {
    /// One of its own.
    Own,
    Other(Pid),
    /// Its parent's.
    Stay,
}

impl Prepared {
    /// Copies everything into the form that exec wants; fails on a text that holds a NUL byte.
    pub(super) fn new(
        program: &Path,
        argv: &[OsString],
        environment: &[(OsString, OsString)],
        cwd: &Path,
    ) -> io::Result<Self> {
        let path = CString::new(program.as_os_str().as_bytes())?;
        let argv = argv.iter().map(|a| CString::new(a.as_bytes())).collect::<Result<Vec<_>, _>>()?;
        let of_shell = [c"/bin/sh".to_owned(), path.clone()].into_iter().chain(argv.iter().skip(1).cloned());
        let environment = environment
            .iter()
            .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()))
            .collect::<Result<Vec<_>, _>>()?;
        let own_score = read_short("/proc/self/oom_score_adj").ok().and_then(|text| number(&text));
        Ok(Self {
            shell_args: Strings::new(of_shell.collect()),
            args: Strings::new(argv),
            path,
            cwd: CString::new(cwd.as_os_str().to_owned().into_vec())?,
            environment: Strings::new(environment),
            oom_score: own_score.and_then(|s| CString::new((s + 100).min(1000).to_string()).ok()),
        })
    }

    /// Becomes the command. Only returns when that failed: at which step, and why.
    ///
    /// Of its standard streams (input, output, error) those that are given are replaced. An input that is given is
    /// the terminal of the guard's session, whose foreground the command's group becomes.
    pub(super) fn execute(&self, guard: Pid, join: Join, streams: [Option<&OwnedFd>; 3]) -> (Step, i32) {
        // Should the guard be killed, the command must not stay behind. The guard has one thread, so its death
        // is that thread's (PR_SET_PDEATHSIG(2const)). It may have died before this call: then we have another
        // parent by now.
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
        if rustix::process::getppid() != Some(guard) {
            return (Step::Fork, libc::ESRCH);
        }
        let _ = match join {
            Join::Own => rustix::process::setpgid(None, None),
            Join::Other(group) => rustix::process::setpgid(None, Some(group)),
            Join::Stay => Ok(()),
        };
        if let Some(score) = &self.oom_score {
            let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC;
            if let Ok(file) = rustix::fs::open(c"/proc/self/oom_score_adj", flags, rustix::fs::Mode::empty())
            {
                let _ = rustix::io::write(file, score.to_bytes());
            }
        }
        if let Some(terminal) = streams[0] {
            // Every signal is blocked, so this does not stop a group that is not in the foreground yet.
            let _ = rustix::termios::tcsetpgrp(terminal, rustix::process::getpid());
        }
        // SAFETY: plain system calls on descriptors that are open and on signal sets that live here. SIGPIPE is
        // ignored in every Rust program and would stay ignored through exec; other programs expect its default.
        unsafe {
            for (stream, number) in streams.into_iter().zip(0..) {
                if let Some(stream) = stream {
                    libc::dup2(stream.as_raw_fd(), number);
                }
            }
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            let mut none = std::mem::zeroed();
            libc::sigemptyset(&mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut());
            if libc::chdir(self.cwd.as_ptr()) != 0 {
                return (Step::Folder, errno());
            }
            libc::execve(self.path.as_ptr(), self.args.pointers.as_ptr(), self.environment.pointers.as_ptr());
            if errno() == libc::ENOEXEC {
                let (args, environment) = (&self.shell_args.pointers, &self.environment.pointers);
                libc::execve(c"/bin/sh".as_ptr(), args.as_ptr(), environment.as_ptr());
            }
        }
        (Step::Execute, errno())
    }
}

pub(super) fn errno() -> i32 {
    // The last error of this thread; reads a number, allocates nothing.
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
