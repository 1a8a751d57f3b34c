//! Linux: pidfds, subreaper, /proc.

mod pipe;
mod sockets;

pub(crate) use pipe::*;
pub(crate) use sockets::*;
