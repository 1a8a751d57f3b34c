//! Runs any dev server on a stable free port, says when it really answers, and leaves nothing behind.
//!
//! ```no_run
//! use devrun::Server;
//!
//! let server = Server::command("npm").args(["run", "dev"]).start()?; // returns when it is ready
//! println!("{} answers", server.url());
//! server.stop()?; // returns when none of its processes is left
//! # Ok::<(), devrun::Error>(())
//! ```
//!
//! [`Server::command`] makes a [`Builder`], [`Builder::start`] a [`Server`]; what happens meanwhile comes to
//! [`Builder::on_event`], or as a stream from [`Builder::events`], as [`Event`]s. Every call that waits has a twin for
//! async code, on any runtime: [`Builder::start_async`], [`Server::stop_async`], [`Server::wait_async`].
//!
//! The default feature `cli` is the program `devrun`; a library does without it.

#![cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports))] // what only the command line needs

mod attempt;
mod builder;
mod control;
mod detach;
mod error;
mod event;
mod events;
#[cfg(any(fuzzing, all(test, feature = "dashboard")))]
#[doc(hidden)]
pub mod fuzzing;
mod health;
mod launch;
mod lifecycle;
mod manage;
mod outcome;
mod output;
mod owner;
mod plan;
mod ports;
mod ready;
mod registry;
mod server;
mod session;
mod single;
mod spare;
mod spawn;
mod supervise;
mod sys;
mod terminal;
#[cfg(test)]
mod testing;
#[cfg(feature = "cli")]
mod then;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "dashboard")]
mod dashboard;

pub use builder::Builder;
pub use error::{Error, Kind};
pub use event::{Event, Exit, Left, LeftWhy, Seen, StopCause};
pub use events::Events;
pub use plan::{Port, PortRange, RestartPolicy, StopSignal};
pub use server::Server;
