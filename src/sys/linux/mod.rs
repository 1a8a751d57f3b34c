//! Linux: pidfds, subreaper, /proc.

pub(crate) mod files;
pub(crate) mod lock;
pub(crate) mod ports;
pub(crate) mod process;
