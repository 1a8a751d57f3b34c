//! Which of the processes above devrun the server dies with. Nothing here waits or polls: the caller gets
//! handles that become readable when their process ends.

use crate::error::{Error, Kind};
use crate::plan::Owner;
use crate::sys::process::{self, Process};
use crate::sys::{self, Ancestor};

/// How devrun was started, as far as it decides whom the server dies with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    /// SIGHUP came in ignored: `nohup` wants the server to outlive its caller.
    pub(crate) hangup_ignored: bool,
    /// There is a controlling terminal, whose hang-up tells of its end.
    pub(crate) has_terminal: bool,
    pub(crate) pid: u32,
    pub(crate) sid: u32,
}

impl Start {
    /// What is true of this process now.
    pub(crate) fn now(hangup_ignored: bool) -> Self {
        Self {
            hangup_ignored,
            has_terminal: process::has_terminal(),
            pid: std::process::id(),
            sid: sys::own_session(),
        }
    }
}

/// The pids to watch, of these ancestors (nearest first, pid 1 left out).
///
/// The direct parent is not enough: npm starts a shell that starts devrun, and whoever kills npm leaves the shell.
pub(crate) fn owners(ancestors: &[Ancestor], start: Start) -> Vec<u32> {
    if start.hangup_ignored || start.sid == start.pid {
        return Vec::new();
    }
    ancestors
        .iter()
        .take_while(|ancestor| !start.has_terminal || ancestor.sid == start.sid)
        .filter(|ancestor| !is_shell(&ancestor.name))
        .map(|ancestor| ancestor.pid)
        .collect()
}

/// Handles on the processes that the server dies with; `Err(Gone)` if one of them has just ended.
pub(crate) fn open(owner: Owner, start: Start) -> Result<Vec<Process>, Refused> {
    match owner {
        Owner::None => Ok(Vec::new()),
        Owner::Pid(pid) => match Process::of_pid(pid) {
            Ok(Some(process)) if process.is_alive() => Ok(vec![process]),
            Ok(_) => Err(Refused::Error(no_such_owner(pid))),
            Err(e) => Err(Refused::Error(no_such_owner(pid).source(e))),
        },
        Owner::Auto => open_ancestors(start),
    }
}

/// Why there are no handles.
#[derive(Debug)]
pub(crate) enum Refused {
    /// This owner ended while devrun started: the server must not start.
    Gone(u32),
    /// The owner that was asked for can't be watched.
    Error(Error),
}

fn open_ancestors(start: Start) -> Result<Vec<Process>, Refused> {
    let ancestors = process::ancestors(start.pid);
    let mut handles = Vec::new();
    for pid in owners(&ancestors, start) {
        let seen = ancestors.iter().find(|ancestor| ancestor.pid == pid).map(|ancestor| ancestor.start);
        match Process::of_pid(pid) {
            // Alive now and there when the chain was read: nobody took its pid in between.
            Ok(Some(handle)) if handle.is_alive() && Some(handle.identity().start) == seen => {
                handles.push(handle)
            }
            Ok(_) => return Err(Refused::Gone(pid)),
            // Without a descriptor to spare the server runs on, unwatched.
            Err(_) => continue,
        }
    }
    Ok(handles)
}

/// A shell hangs up on its jobs by itself, or leaves them running because the user wants that.
fn is_shell(name: &str) -> bool {
    const SHELLS: [&str; 18] = [
        "sh", "bash", "rbash", "dash", "zsh", "fish", "ksh", "mksh", "oksh", "ash", "yash", "tcsh", "csh",
        "nu", "pwsh", "elvish", "busybox", "toybox",
    ];
    // `zsh-5.9`, `ksh93`, and the `-` of a login shell where only that name can be read.
    let name =
        name.trim_start_matches('-').trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    SHELLS.contains(&name)
}

fn no_such_owner(pid: u32) -> Error {
    Error::new(Kind::Usage, format!("there is no process {pid} for the server to die with"))
        .hint("give --owner the pid of a running process, or `--owner none`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn ancestor(pid: u32, sid: u32, name: &str) -> Ancestor {
        Ancestor { pid, sid, name: name.into(), start: 1 }
    }

    #[test]
    fn every_ancestor_but_shells_up_to_the_end_of_the_session() {
        let npm_in_a_terminal = [
            ancestor(40, 20, "dash"),
            ancestor(30, 20, "node"),
            ancestor(20, 20, "bash"),
            ancestor(10, 10, "gnome-terminal-server"),
        ];
        let start = Start { hangup_ignored: false, has_terminal: true, pid: 50, sid: 20 };
        let table = [
            ("in a terminal", start, vec![30]),
            ("without one, past the session", Start { has_terminal: false, ..start }, vec![30, 10]),
            ("nohup", Start { hangup_ignored: true, ..start }, vec![]),
            ("setsid", Start { sid: 50, ..start }, vec![]),
        ];
        for (case, start, expected) in table {
            assert_eq!(owners(&npm_in_a_terminal, start), expected, "{case}");
        }
        assert_eq!(owners(&[], start), [0; 0], "the parent is pid 1");
        assert_eq!(owners(&[ancestor(20, 20, "sshd")], start), [20], "a session leader that is no shell");
    }

    #[test]
    fn shells_by_any_of_their_names() {
        for shell in ["sh", "-bash", "zsh-5.9", "ksh93", "busybox", "pwsh"] {
            assert!(is_shell(shell), "{shell}");
        }
        for other in ["node", "ssh", "sshd", "nushell-lsp", "make", ""] {
            assert!(!is_shell(other), "{other}");
        }
    }

    #[test]
    fn an_owner_that_was_asked_for_must_be_there() {
        let start = Start::now(false);
        assert!(matches!(open(Owner::None, start), Ok(watched) if watched.is_empty()));
        assert!(matches!(open(Owner::Pid(u32::MAX), start), Err(Refused::Error(_))));
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert_eq!(open(Owner::Pid(child.id()), start).unwrap().len(), 1);
        let watched = open(Owner::Pid(child.id()), start).unwrap();
        child.kill().unwrap();
        crate::testing::eventually("the owner is seen to end", || !watched[0].is_alive());
        assert!(open(Owner::Pid(child.id()), start).is_err(), "a zombie is no owner");
        child.wait().unwrap();
    }

    #[test]
    fn the_real_chain_opens() {
        let start = Start { hangup_ignored: false, has_terminal: false, ..Start::now(false) };
        let watched = open(Owner::Auto, start).unwrap();
        assert_eq!(watched.len(), owners(&process::ancestors(start.pid), start).len());
        assert!(watched.iter().all(Process::is_alive));
    }
}
