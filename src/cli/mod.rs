//! The command line: what is asked for, and who answers.

pub(crate) mod args;
mod browser;
pub(crate) mod completions;
pub(crate) mod escape;
mod main;
mod render;
mod run;
pub(crate) mod script_shell;
mod trace;

pub use main::main;
