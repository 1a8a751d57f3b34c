//! The command line: what is asked for, and who answers.

pub(crate) mod args;
mod browser;
mod clean;
pub(crate) mod completions;
mod doctor;
pub(crate) mod escape;
mod ls;
mod main;
mod man;
mod render;
mod run;
pub(crate) mod script_shell;
mod stop;
mod tauri;
mod trace;

pub use main::main;
