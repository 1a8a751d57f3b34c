//! Starting a program that is none of ours.

use std::io;
use std::os::windows::process::CommandExt;
use std::process::{Command, Stdio};

use windows_sys::Win32::System::Threading::DETACHED_PROCESS;

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
