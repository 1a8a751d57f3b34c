//! The command's output where it does not write to our own streams itself: passed on as it comes, kept in a bounded log, looked
//! through for what went wrong. No byte is changed, reordered within a stream, or sent to the other stream.

mod diagnose;
mod json;
mod keep;
mod log;
mod pass;
mod patience;
mod queue;
mod streams;
mod text;

#[cfg(test)]
mod tests;

pub(crate) use diagnose::{Diagnosis, diagnose};
pub(crate) use json::printable;
pub(crate) use log::Log;
pub(crate) use pass::{PassOn, Route};
pub(crate) use streams::Streams;
pub(crate) use text::{last_lines, strip_all_but_colours, strip_control};
