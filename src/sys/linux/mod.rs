//! Linux: a guard process that is subreaper, pidfds, /proc.

mod adopted;
mod ending;
mod exec;
mod guard;
pub(crate) mod files;
pub(crate) mod lock;
pub(crate) mod process;
mod tree;
mod walk;
mod wire;

pub(crate) use adopted::{adopt_orphans, end_adopted};
pub(crate) use ending::SpareList;
pub(crate) use super::unix::signals::{Received, die_of, hang_up_is_ignored, on_ending_signals, stop_self};
pub(crate) use super::unix::terminal::{SavedTerminal, has_terminal};
pub(crate) use tree::{Spawn, SpawnError, Tree, TreeEvent};
