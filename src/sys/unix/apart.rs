//! Starting a program in a session of its own, so that nothing that ends a tree or a terminal reaches it: one that
//! is none of ours, or devrun itself in the background. It gets no descriptor but its standard streams.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::event::Exit;
use crate::sys::without_adopting;

/// The programs that show a URL to the user, and their arguments before it; the first one that exists is taken.
#[cfg(not(target_os = "macos"))]
pub(crate) const URL_OPENERS: &[(&str, &[&str])] =
    &[("xdg-open", &[]), ("gio", &["open"]), ("wslview", &[]), ("sensible-browser", &[])];
/// The same here.
#[cfg(target_os = "macos")]
pub(crate) const URL_OPENERS: &[(&str, &[&str])] = &[("open", &[])];

/// Starts the program without any of our streams, in a session of its own, and as nobody's child: what it starts and
/// leaves behind does not come to us either.
pub(crate) fn start_apart<'a>(program: &str, args: impl Iterator<Item = &'a str>) -> io::Result<()> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: fork(2) and _exit(2) are async-signal-safe, and nothing else is called. Whoever waits for the program to be
    // executed hears of it from the second child as from the first.
    unsafe {
        command.pre_exec(|| match libc::fork() {
            -1 => Err(io::Error::last_os_error()),
            0 => Ok(()),
            _ => libc::_exit(0),
        })
    };
    // Its parent has ended when it was waited for: only then has it got its new one.
    without_adopting(|| start_in_background(&mut command)?.wait()).map(drop)
}

/// Starts the command in a session of its own, and with none of the descriptors that this process was started with.
pub(crate) fn start_in_background(command: &mut Command) -> io::Result<Child> {
    // SAFETY: setsid(2), fcntl(2) and close_range(2) are async-signal-safe, and nothing else is called.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            close_at_exec();
            Ok(())
        })
    };
    command.spawn()
}

/// Marks every descriptor above the standard streams to be closed when a program is executed.
fn close_at_exec() {
    // SAFETY: only flags of descriptors change; that none is there at a number is no error here.
    unsafe {
        #[cfg(target_os = "linux")]
        if libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) == 0 {
            return;
        }
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        for number in 3..limit.rlim_cur.min(65_536) as i32 {
            let flags = libc::fcntl(number, libc::F_GETFD);
            if flags >= 0 {
                libc::fcntl(number, libc::F_SETFD, flags | libc::FD_CLOEXEC);
            }
        }
    }
}

/// How a process ended.
pub(crate) fn exit_of(status: ExitStatus) -> Exit {
    status.code().map_or_else(|| Exit::Signal(status.signal().unwrap_or(libc::SIGKILL)), Exit::Code)
}
