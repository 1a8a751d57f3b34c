//! The dashboard: all servers of this user on one page, and the same as an API. What it shows is read from the
//! registry, and what it does goes the way of the command line; no truth is kept only here.

mod actions;
mod answer;
mod assets;
mod board;
mod door;
mod events;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod guard;
mod logs;
mod query;
mod respond;
mod routes;
mod serve;
mod usage;
mod view;
mod watch;

pub(crate) use door::{Invitation, invitation};
pub(crate) use serve::Dashboard;
