//! What this system offers of that on which devrun relies, for `devrun doctor`. It only looks.

use std::io;
use std::process::Command;

/// Whether the environment of other processes can be read.
pub(crate) const SEES_ENVIRONMENTS: bool = false;

/// Each feature with what it is good for, or what is lost without it.
pub(crate) fn features() -> Vec<(&'static str, Result<String, String>)> {
    vec![("job objects", Ok("the system ends the tree with devrun".into()))]
}

/// A terminal for one command: there is none to be had here.
pub(crate) fn in_a_terminal(_command: &mut Command) -> io::Result<std::fs::File> {
    Err(io::ErrorKind::Unsupported.into())
}
