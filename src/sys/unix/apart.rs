//! Starting a program that is none of ours: in a session of its own, so that nothing that ends a tree or a
//! terminal reaches it.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// The programs that show a URL to the user, and their arguments before it; the first one that exists is taken.
#[cfg(not(target_os = "macos"))]
pub(crate) const URL_OPENERS: &[(&str, &[&str])] =
    &[("xdg-open", &[]), ("gio", &["open"]), ("wslview", &[]), ("sensible-browser", &[])];
/// The same here.
#[cfg(target_os = "macos")]
pub(crate) const URL_OPENERS: &[(&str, &[&str])] = &[("open", &[])];

/// Starts the program without any of our streams, in a session of its own.
#[allow(unsafe_code)]
pub(crate) fn start_apart<'a>(program: &str, args: impl Iterator<Item = &'a str>) -> io::Result<()> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: setsid(2) is async-signal-safe.
    unsafe { command.pre_exec(|| Ok(rustix::process::setsid().map(drop)?)) };
    let mut child = command.spawn()?;
    // Nobody waits for a browser; this thread only takes its status when it ends.
    std::thread::Builder::new().name("browser".into()).spawn(move || child.wait())?;
    Ok(())
}
