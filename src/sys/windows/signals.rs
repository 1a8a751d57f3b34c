//! Windows has no signals. The keys of a console come in as SIGINT; the numbers are those that Unix programs and
//! Node know.
#![allow(unsafe_code)]

use std::io;

use windows_sys::Win32::Foundation::STATUS_CONTROL_C_EXIT;
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent};

use super::handle::done;
use crate::plan::StopSignal;

/// How a process ends that nobody could stop.
pub(crate) const KILLED: i32 = 9;

/// What a closed console counts as; nobody is told of it in time.
pub(crate) const HANG_UP: i32 = 1;

const SIGINT: i32 = 2;

/// A signal that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) signal: i32,
    /// Typed in the console; nothing else can send one.
    pub(crate) by_terminal: bool,
}

impl Received {
    /// Never: when its console is closed, a program is ended, and the job with it.
    pub(crate) fn is_hang_up(self) -> bool {
        false
    }
}

/// Calls `heard` with each Ctrl-C and Ctrl-Break from now on, on a thread that ends with the process.
///
/// A closed console, a logoff and a shutdown end the process when ctrlc's handler returns, which is at once; the
/// kernel then ends the job.
#[cfg(feature = "cli")]
pub(crate) fn on_ending_signals(mut heard: impl FnMut(Received) + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(move || heard(Received { signal: SIGINT, by_terminal: true }))
        .map_err(io::Error::other)
}

/// Presses Ctrl-Break for the process group that this process leads, if it shares our console.
pub(super) fn press_break(leader: u32) -> io::Result<()> {
    // SAFETY: plain call. 0 would mean everybody on the console, and no leader has that pid.
    unsafe { done(GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, leader)) }
}

/// The number of the signal.
pub(crate) fn signal_number(signal: StopSignal) -> i32 {
    match signal {
        StopSignal::Term => 15,
        StopSignal::Int => SIGINT,
        StopSignal::Hup => HANG_UP,
        StopSignal::Quit => 3,
        StopSignal::Usr1 => 30,
        StopSignal::Usr2 => 31,
        StopSignal::Kill => KILLED,
    }
}

/// Ends this process with this status, all 32 bits of it.
pub(crate) fn exit(code: i32) -> ! {
    std::process::exit(code)
}

/// Ends this process as Windows ends one by that key; other signals have no such status.
pub(crate) fn die_of(signal: i32) -> ! {
    std::process::exit(if signal == SIGINT { STATUS_CONTROL_C_EXIT } else { 128 + signal })
}

/// Nothing hangs up here.
pub(crate) fn hang_up_is_ignored() -> bool {
    false
}

/// There is no job control here.
pub(crate) fn stop_self() {}
