//! Starting a program that is none of ours.

use std::io;
use std::os::windows::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use windows_sys::Win32::System::Threading::{CREATE_NEW_PROCESS_GROUP, DETACHED_PROCESS};

use crate::event::Exit;

/// The programs that show a URL to the user, and their arguments before it. `rundll32` hands the URL to the
/// user's browser and needs no quoting, unlike `cmd /c start`.
pub(crate) const URL_OPENERS: &[(&str, &[&str])] = &[("rundll32", &["url.dll,FileProtocolHandler"])];

/// Starts the program without any of our streams and without our console. It is in no job of ours: those hold
/// only the commands that were put into them.
pub(crate) fn start_apart<'a>(program: &str, args: impl Iterator<Item = &'a str>) -> io::Result<()> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.creation_flags(DETACHED_PROCESS).spawn().map(drop)
}

/// Starts the command without our console, so that neither its closing nor its keys reach it.
pub(crate) fn start_in_background(command: &mut Command) -> io::Result<Child> {
    command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP).spawn()
}

/// How a process ended: here always with a status.
pub(crate) fn exit_of(status: ExitStatus) -> Exit {
    Exit::Code(status.code().unwrap_or(1))
}
