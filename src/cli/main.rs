//! The whole program: parse, then hand over.

use std::process::ExitCode;

use clap::error::ContextKind;

use super::args::{self, Invocation};
use super::render::Style;
use super::{completions, run, script_shell, verb};
use crate::error::{Error, Kind};

/// Runs the program; returns its exit status.
pub fn main() -> ExitCode {
    let style = Style::new(false, false);
    match args::parse(std::env::args_os()) {
        Ok(Invocation::Run(request)) => run::run(*request),
        Ok(Invocation::ScriptShell { script, args }) => run::fail(style, &script_shell::exec(&script, &args)),
        Ok(Invocation::Names { verb }) => completions::names(&verb).unwrap_or(ExitCode::FAILURE),
        Ok(Invocation::Verb(verb)) => verb::run(verb).unwrap_or_else(|error| run::fail(style, &error)),
        // Help and version.
        Err(told) if !told.use_stderr() => {
            let _ = told.print();
            ExitCode::SUCCESS
        }
        Err(error) => run::fail(style, &usage(&error)),
    }
}

/// clap's finding in our form: in its own, a value's control characters would reach the terminal.
fn usage(error: &clap::Error) -> Error {
    let told = |kind| error.get(kind).map(ToString::to_string);
    let hint = told(ContextKind::SuggestedArg).map(|known| format!("is `{known}` meant?"));
    let wrong = match (told(ContextKind::InvalidArg), told(ContextKind::InvalidValue)) {
        (Some(arg), Some(value)) if !value.is_empty() => {
            let finding = Error::new(Kind::Usage, format!("{value:?} is no value for {arg}"));
            match std::error::Error::source(error) {
                Some(source) => finding.cause(source.to_string()),
                None => finding,
            }
        }
        (Some(arg), _) => {
            let kind = error.kind().as_str().unwrap_or("the option can't be used so");
            Error::new(Kind::Usage, format!("{arg}: {kind}"))
        }
        (None, _) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            Error::new(Kind::Usage, first.trim_start_matches("error: "))
        }
    };
    wrong.hint(hint.unwrap_or_else(|| "devrun --help".into()))
}
