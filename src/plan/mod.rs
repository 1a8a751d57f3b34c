//! Everything that is decided before anything is touched. No function in here reads the machine, except in
//! `facts`, and none writes to it.

pub(crate) mod inject;
mod port;
mod settings;

pub use port::{Port, PortRange};
pub(crate) use settings::*;
