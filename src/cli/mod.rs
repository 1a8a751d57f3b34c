//! The command line.

pub(crate) mod args;
pub(crate) mod completions;
pub(crate) mod script_shell;

use std::process::ExitCode;

/// Runs the program.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
