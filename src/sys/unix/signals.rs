//! Signals to the front, with their origin: a key typed in the terminal, or a process. What follows from them is
//! decided in `lifecycle`.
#![allow(unsafe_code)]

use std::io;

use crate::plan::StopSignal;

/// The signals that ask a program to end.
const ENDING: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// A signal that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) signal: i32,
    /// Sent by the kernel: typed in the terminal, or its hang-up.
    pub(crate) by_terminal: bool,
}

impl Received {
    pub(crate) fn is_hang_up(self) -> bool {
        self.signal == libc::SIGHUP
    }
}

/// Calls `heard` with each ending signal that this process gets from now on, on a thread that ends with the process.
///
/// Signals that were ignored when the process started stay ignored: nohup(1) and shells that start jobs in the
/// background want it so.
#[cfg(feature = "cli")]
pub(crate) fn on_ending_signals(mut heard: impl FnMut(Received) + Send + 'static) -> io::Result<()> {
    use signal_hook::iterator::SignalsInfo;
    use signal_hook::iterator::exfiltrator::WithOrigin;
    let taken: Vec<i32> = ENDING.into_iter().filter(|signal| !is_ignored(*signal)).collect();
    let mut signals = SignalsInfo::<WithOrigin>::new(&taken)?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for origin in signals.forever() {
            heard(Received { signal: origin.signal, by_terminal: origin.process.is_none() });
        }
    })?;
    Ok(())
}

/// The hang-up of a terminal.
pub(crate) const HANG_UP: i32 = libc::SIGHUP;

/// How a process ends that nobody could stop.
pub(crate) const KILLED: i32 = libc::SIGKILL;

/// The number of the signal.
pub(crate) fn signal_number(signal: StopSignal) -> i32 {
    match signal {
        StopSignal::Term => libc::SIGTERM,
        StopSignal::Int => libc::SIGINT,
        StopSignal::Hup => libc::SIGHUP,
        StopSignal::Quit => libc::SIGQUIT,
        StopSignal::Usr1 => libc::SIGUSR1,
        StopSignal::Usr2 => libc::SIGUSR2,
        StopSignal::Kill => libc::SIGKILL,
    }
}

/// Ends this process with this status, of which Unix callers see the low eight bits.
pub(crate) fn exit(code: i32) -> ! {
    std::process::exit(code)
}

/// Whether this process ignores the signal.
pub(crate) fn is_ignored(signal: i32) -> bool {
    // SAFETY: only asks; `action` lives here.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}

/// Whether a hang-up is ignored, as nohup(1) has it.
pub(crate) fn hang_up_is_ignored() -> bool {
    is_ignored(libc::SIGHUP)
}

/// Ends this process by the signal, so that its caller sees what ended it; without a second core dump.
pub(crate) fn die_of(signal: i32) -> ! {
    // SAFETY: plain system calls; the set and the limit live here.
    unsafe {
        let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::setrlimit(libc::RLIMIT_CORE, &limit);
        libc::signal(signal, libc::SIG_DFL);
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut());
        libc::raise(signal);
    }
    // A signal whose default is not to end a process.
    std::process::exit(128 + signal)
}

/// Stops this process as Ctrl-Z does, until its shell lets it go on.
pub(crate) fn stop_self() {
    // SAFETY: plain system call.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Stops this process's group, as Ctrl-Z does; returns when it goes on, and at once where it can't be stopped: in a
/// group that no shell waits for, and where the signal is ignored.
pub(in crate::sys) fn stop_group() {
    if is_ignored(libc::SIGTSTP) {
        return;
    }
    // SAFETY: plain system calls. What is sent to the whole group would stop us at a time of its own, when some thread
    // is scheduled, so it goes past us; what a thread sends to itself is there before the call returns.
    unsafe {
        libc::signal(libc::SIGTSTP, libc::SIG_IGN);
        libc::kill(0, libc::SIGTSTP);
        libc::signal(libc::SIGTSTP, libc::SIG_DFL);
        libc::raise(libc::SIGTSTP);
    }
}
