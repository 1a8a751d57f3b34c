//! Programs that a test makes for itself.
//!
//! Not written by this process: other tests start children all the time, and from its fork to its exec each has a copy
//! of every open file, so that the kernel may still take the file for one that is being written (ETXTBSY of execve(2)).

use std::path::Path;
use std::process::Command;

/// A copy that can be executed.
pub fn copy_program(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    done(Command::new("cp").arg(from.as_ref()).arg(to.as_ref()));
}

/// A shell script that can be executed, of these lines.
pub fn write_program(path: impl AsRef<Path>, lines: &str) {
    let text = format!("#!/bin/sh\n{lines}\n");
    done(
        Command::new("sh")
            .args(["-c", r#"printf %s "$1" >"$0" && chmod 755 "$0""#])
            .arg(path.as_ref())
            .arg(text),
    );
}

#[track_caller]
fn done(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}
