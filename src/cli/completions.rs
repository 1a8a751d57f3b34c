//! Completions for shells, by clap. Nothing but printing.

use std::io::Write;

use clap::CommandFactory;

/// Writes the completions of this shell.
pub(crate) fn write(shell: clap_complete::Shell, out: &mut dyn Write) {
    clap_complete::generate(shell, &mut super::args::Cli::command(), "devrun", out);
}
