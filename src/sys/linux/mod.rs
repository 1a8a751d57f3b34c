//! Linux: a guard process that is subreaper, pidfds, /proc.

mod adopted;
#[cfg(feature = "dashboard")]
mod changes;
mod ending;
mod exec;
#[cfg(feature = "cli")]
mod features;
mod folder_watch;
mod fork;
#[cfg(any(fuzzing, test))]
mod fuzzing;
mod guard;
pub(crate) mod ports;
pub(crate) mod process;
#[cfg(feature = "cli")]
mod pty;
mod sockets;
mod stat;
mod tcp_table;
mod tree;
#[cfg(feature = "dashboard")]
mod usage;
mod walk;
mod wire;

pub(in crate::sys) use adopted::without_adopting;
pub(crate) use adopted::{adopt_orphans, end_adopted};
#[cfg(feature = "dashboard")]
pub(crate) use changes::Changes;
#[cfg(feature = "cli")]
pub(crate) use features::{SEES_ENVIRONMENTS, features};
pub(crate) use folder_watch::FolderWatch;
#[cfg(any(fuzzing, test))]
pub(crate) use fuzzing::read_proc;
#[cfg(feature = "cli")]
pub(crate) use pty::{Pty, Typing};
pub(crate) use sockets::*;
pub(crate) use tcp_table::listeners;
pub(crate) use tree::{Tree, living_guards};
#[cfg(feature = "dashboard")]
pub(crate) use usage::usage;
