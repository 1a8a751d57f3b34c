//! Runs any dev server on a stable free port, says when it really answers, and leaves nothing behind.

#![allow(dead_code, unused_imports)] // until the parts are joined

mod attempt;
mod builder;
mod error;
mod event;
mod launch;
mod lifecycle;
mod outcome;
mod output;
mod owner;
mod plan;
mod ports;
mod ready;
mod registry;
mod server;
mod session;
mod spare;
mod spawn;
mod supervise;
mod sys;
#[cfg(test)]
mod testing;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;

pub use builder::Builder;
pub use error::{Error, Kind};
pub use event::{Event, Exit, Left, LeftWhy, Seen, StopCause};
pub use plan::{Port, PortRange};
pub use server::Server;
