//! What can be done with servers that are known: find, start, stop, restart, wait for one, read its log, tell who has
//! a port. For the verbs and for the dashboard. Nothing here prints, parses arguments, or decides about a live tree:
//! that is its front's.

mod clean;
mod find;
mod log;
mod restart;
mod start;
mod stop;
mod view;
mod wait;
mod who;

pub(crate) use clean::clean;
pub(crate) use find::{fits_one_that_runs, meant};
pub(crate) use log::{LogReader, Part};
pub(crate) use restart::restart;
pub(crate) use start::{command_of, start};
pub(crate) use stop::stop;
pub(crate) use view::as_json;
pub(crate) use wait::{how_it_ended, ready_event, until_ready};
pub(crate) use who::{Listening, who};
