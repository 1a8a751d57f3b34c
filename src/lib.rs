//! Runs any dev server on a stable free port, says when it really answers, and leaves nothing behind.

#![allow(dead_code, unused_imports)] // until the parts are joined

mod error;
mod event;
mod output;
mod plan;
mod ports;
mod ready;
mod registry;
mod sys;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;

pub use error::{Error, Kind};
pub use event::Event;
