//! Becoming another program. Where the system can't, the other program runs in devrun's place; devrun itself
//! never goes on after it.

use std::io;
use std::process::Command;

/// The program that runs a line as the platform's shell does, and its arguments before that line.
#[cfg(unix)]
pub(crate) const SHELL: (&str, &[&str]) = ("/bin/sh", &["-c"]);
#[cfg(not(unix))]
pub(crate) const SHELL: (&str, &[&str]) = ("cmd.exe", &["/d", "/s", "/c"]);

/// Becomes the command; returns only if that fails.
#[cfg(unix)]
pub(crate) fn exec(mut command: Command) -> io::Error {
    std::os::unix::process::CommandExt::exec(&mut command)
}

/// Runs the command and exits with its status; returns only if it can't be started.
#[cfg(not(unix))]
pub(crate) fn exec(mut command: Command) -> io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(125)),
        Err(error) => error,
    }
}
