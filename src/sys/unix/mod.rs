//! What is the same on every Unix: signals to the front, the terminal's modes, streams, private files, locks.
#![cfg_attr(target_os = "macos", allow(dead_code, unused_imports))] // the guard of Linux has use for more of it

mod apart;
mod control;
pub(crate) mod files;
pub(in crate::sys) mod group;
mod knock;
pub(crate) mod lock;
mod pipe;
pub(in crate::sys) mod signals;
mod terminal;
#[cfg(feature = "cli")]
mod trial;
mod users;
mod watch;

pub(crate) use apart::{URL_OPENERS, exit_of, start_apart, start_in_background};
pub(crate) use control::{ControlListener, ControlStream, connect_control};
pub(crate) use group::own_session;
pub(crate) use knock::knock;
pub(crate) use pipe::*;
pub(crate) use signals::{
    HANG_UP, KILLED, Received, die_of, exit, hang_up_is_ignored, signal_number, stop_self,
};
/// What is kept open for as long as a tree lives.
pub(crate) type Held = std::os::fd::OwnedFd;
#[cfg(feature = "cli")]
pub(crate) use signals::on_ending_signals;
pub(crate) use terminal::{SavedTerminal, stderr_is_raw};
#[cfg(feature = "cli")]
pub(crate) use trial::in_a_terminal;
pub(crate) use users::user_name;
pub(crate) use watch::first_to_end;
