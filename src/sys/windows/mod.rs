//! Windows: a job object that the kernel empties when its last handle is closed, so there is no guard process.

mod apart;
mod control;
#[cfg(feature = "cli")]
mod features;
pub(crate) mod files;
mod handle;
mod job;
pub(crate) mod lock;
mod pipe;
pub(crate) mod ports;
pub(crate) mod process;
mod signals;
mod sockets;
mod terminal;
mod tree;

pub(crate) use apart::{URL_OPENERS, exit_of, start_apart, start_in_background};
pub(crate) use control::{ControlListener, ControlStream, connect_control};
#[cfg(feature = "cli")]
pub(crate) use features::{SEES_ENVIRONMENTS, features, in_a_terminal};
pub(crate) use handle::Held;
pub(crate) use pipe::*;
pub(crate) use process::first_to_end;
pub(crate) use signals::*;
pub(crate) use sockets::*;
pub(crate) use terminal::{SavedTerminal, stderr_has_room, stderr_is_raw};
pub(crate) use tree::{Tree, adopt_orphans, end_adopted, living_guards};

/// Who is on this process's console is of its session.
pub(crate) fn own_session() -> u32 {
    process::has_terminal().into()
}

/// Users have no numbers here.
pub(crate) fn user_name(_uid: u32) -> Option<String> {
    None
}
