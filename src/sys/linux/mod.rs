//! Linux: a guard process that is subreaper, pidfds, /proc.

mod adopted;
mod apart;
mod ending;
mod exec;
pub(crate) mod files;
mod fork;
mod guard;
pub(crate) mod lock;
mod pipe;
pub(crate) mod ports;
pub(crate) mod process;
mod signals;
mod sockets;
mod stat;
mod terminal;
mod tree;
mod walk;
mod watch;
mod wire;

pub(crate) use adopted::{adopt_orphans, end_adopted};
pub(crate) use apart::{URL_OPENERS, start_apart};
pub(crate) use ending::SpareList;
pub(crate) use pipe::*;
pub(crate) use signals::{
    HANG_UP, KILLED, Received, die_of, exit, hang_up_is_ignored, on_ending_signals, signal_number, stop_self,
};
pub(crate) use sockets::*;
pub(crate) use terminal::{SavedTerminal, has_terminal};
pub(crate) use tree::{Spawn, SpawnError, Tree, TreeEvent};
pub(crate) use watch::first_to_end;
