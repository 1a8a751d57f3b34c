//! The command line: what is asked for, and who answers.

mod act;
pub(crate) mod args;
mod ask;
mod browser;
mod clean;
pub(crate) mod completions;
#[cfg(feature = "dashboard")]
mod dashboard;
mod detach;
mod doctor;
pub(crate) mod escape;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod logs;
mod ls;
mod main;
mod man;
mod render;
mod run;
pub(crate) mod script_shell;
mod status;
mod stderr;
mod table;
mod tauri;
mod trace;
mod verb;
mod who;
mod words;

pub use main::main;
