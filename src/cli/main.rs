//! The whole program: parse, then hand over.

use std::process::ExitCode;

use super::args::{self, Invocation};
use super::render::Style;
use super::{completions, run, script_shell};

/// Runs the program; returns its exit status.
pub fn main() -> ExitCode {
    let style = Style::new(false, false);
    match args::parse(std::env::args_os()) {
        Ok(Invocation::Run(request)) => run::run(*request),
        Ok(Invocation::ScriptShell { script, args }) => run::fail(style, &script_shell::exec(&script, &args)),
        Ok(Invocation::Completions { shell }) => {
            completions::write(shell, &mut std::io::stdout());
            ExitCode::SUCCESS
        }
        Ok(Invocation::Ls { .. } | Invocation::Stop { .. } | Invocation::Clean { .. }) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = error.print();
            ExitCode::from(error.exit_code().try_into().unwrap_or(2))
        }
    }
}
