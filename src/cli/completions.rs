//! Completions for shells, by clap. Nothing but printing.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::error::Error;

/// Writes the completions of this shell.
pub(crate) fn write(shell: clap_complete::Shell) -> Result<ExitCode, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::args::Cli::command(), "devrun", &mut script);
    super::table::print(&String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}
