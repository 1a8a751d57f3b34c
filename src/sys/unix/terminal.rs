//! The terminal that the command shares with its caller: is there one, and how were its modes. Nothing here
//! takes the terminal or changes a mode that it did not save.

use std::os::fd::{AsFd, OwnedFd};

use rustix::termios::{self, OptionalActions, Termios};

use super::group::{self, Group};

/// A terminal and the modes it had when the command was started.
#[derive(Debug)]
pub(crate) struct SavedTerminal {
    terminal: OwnedFd,
    modes: Termios,
}

impl SavedTerminal {
    /// The terminal on standard input, output or error, whichever is one.
    pub(crate) fn of_this_process() -> Option<Self> {
        let terminal = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()]
            .into_iter()
            .find(|fd| termios::isatty(fd))?;
        let modes = termios::tcgetattr(terminal).ok()?;
        let terminal = rustix::io::fcntl_dupfd_cloexec(terminal, 3).ok()?;
        Some(Self { terminal, modes })
    }

    /// Gives the terminal its modes back if this process group still has the foreground: then no shell has
    /// taken the terminal back and set modes of its own. Where the caller is not in the foreground itself,
    /// SIGTTOU must be blocked or ignored (tcsetattr(3)).
    pub(in crate::sys) fn restore_if_foreground(&self, group: Group) {
        if group::foreground_of(self.terminal.as_fd()) == Some(group) {
            let _ = termios::tcsetattr(&self.terminal, OptionalActions::Now, &self.modes);
        }
    }

    /// The same for this process.
    pub(crate) fn restore(&self) {
        self.restore_if_foreground(group::own_group());
    }

    pub(in crate::sys) fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.terminal.as_fd()
    }
}

/// Whether any of the three standard streams is a terminal.
pub(crate) fn has_terminal() -> bool {
    use std::io::IsTerminal;
    std::io::stdin().is_terminal() || std::io::stdout().is_terminal() || std::io::stderr().is_terminal()
}
