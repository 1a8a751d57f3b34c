//! macOS: no subreaper and no /proc. Membership is ancestry by unique ids, which survives a new session and a lost
//! parent; a guard process outlives a killed front and ends its tree.

mod end;
#[cfg(feature = "cli")]
mod features;
mod guard;
mod kernel;
pub(super) mod parse;
pub(crate) mod ports;
pub(crate) mod process;
mod sockets;
mod tree;

pub(in crate::sys) use end::without_adopting;
pub(crate) use end::{adopt_orphans, end_adopted, living_guards};
#[cfg(feature = "cli")]
pub(crate) use features::{SEES_ENVIRONMENTS, features};
pub(crate) use sockets::*;
pub(crate) use tree::Tree;
