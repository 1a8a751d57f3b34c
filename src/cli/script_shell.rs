//! devrun in the place of `sh`: as the script shell of npm, pnpm and yarn, and for `DEVRUN=0`. It becomes another
//! program; nothing of devrun stays behind.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use crate::error::{Error, Kind};
use crate::plan::inject::{INJECT, SHELL, Told};
use crate::plan::script::rewrite;
use crate::plan::{Facts, Request};
use crate::sys;

/// Becomes the shell that runs the script, with its server's port filled in. Returns only if that fails.
pub(crate) fn exec(script: &OsStr, args: &[OsString]) -> Error {
    let shell = std::env::var_os(SHELL).filter(|shell| !shell.is_empty());
    let chosen = shell.clone().unwrap_or_else(|| "/bin/sh".into());
    let mut command = Command::new(&chosen);
    let told = std::env::var_os(INJECT).and_then(|value| Told::parse(&value));
    match (script.to_str(), told) {
        (Some(text), Some(told)) => {
            let rewritten = rewrite(text, told);
            command.arg("-c").arg(rewritten.script);
            if !rewritten.pass_on {
                command.env_remove(INJECT).env_remove(SHELL);
                for variable in ["npm_config_script_shell", "pnpm_config_script_shell"] {
                    match &shell {
                        Some(shell) => command.env(variable, shell),
                        None => command.env_remove(variable),
                    };
                }
            }
        }
        _ => drop(command.arg("-c").arg(script)),
    }
    command.args(args);
    become_program(command)
}

/// Whether `DEVRUN=0` asks devrun to keep out.
pub(crate) fn bypassed() -> bool {
    std::env::var_os("DEVRUN").is_some_and(|value| value == "0")
}

/// Becomes the command as it stands, for `DEVRUN=0`. Returns only if that fails.
pub(crate) fn bypass(request: &Request, facts: &Facts) -> Error {
    let argv = match crate::plan::argv(request, facts) {
        Ok(argv) => argv,
        Err(error) => return error,
    };
    let (program, args) = argv.split_first().expect("a command has a program");
    let mut command = Command::new(program);
    command.args(args).current_dir(&facts.cwd);
    become_program(command)
}

fn become_program(command: Command) -> Error {
    let program = command.get_program().to_string_lossy().into_owned();
    let error = sys::exec(command);
    match error.kind() {
        std::io::ErrorKind::NotFound => Error::new(Kind::NotFound, format!("{program} was not found")),
        _ => Error::new(Kind::CannotExecute, format!("{program} cannot be executed")),
    }
    .source(error)
}
