//! The promises on Windows, with real processes: on Windows itself, and under Wine as far as that goes. What Wine can't
//! show says NOT RUN there.
#![allow(clippy::unwrap_used)] // all of this is tests
#![cfg(windows)]

mod fixture;
mod support;
mod sys;

mod console;
mod nothing_survives;
mod ports;
mod registry;
mod status;
