//! Linux: a guard process that is subreaper, pidfds, /proc.

mod adopted;
mod ending;
mod exec;
mod guard;
pub(crate) mod process;
mod tree;
mod walk;
mod wire;

pub(crate) use adopted::{adopt_orphans, end_adopted};
pub(crate) use tree::Tree;
/// One end of a stream.
pub(crate) type Pipe = std::os::fd::OwnedFd;
