//! The terminal that the command shares with its caller: is there one, and how were its modes. Nothing here
//! takes the terminal or changes a mode that it did not save.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::termios::{self, InputModes, LocalModes, OptionalActions, OutputModes, Termios};

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

    pub(in crate::sys) fn modes(&self) -> &Termios {
        &self.modes
    }

    pub(in crate::sys) fn try_clone(&self) -> std::io::Result<Self> {
        Ok(Self { terminal: self.terminal.try_clone()?, modes: self.modes.clone() })
    }

    /// Whether this process may read from it and change its modes: it has the foreground, or job control has no
    /// part in it, since it is not our controlling terminal.
    pub(in crate::sys) fn is_foreground(&self) -> bool {
        group::foreground_of(self.terminal.as_fd()).is_none_or(|group| group == group::own_group())
    }

    /// Takes for saved what a shell gives a job that it starts.
    pub(in crate::sys) fn assume_sane(&mut self) {
        self.modes.input_modes |= InputModes::ICRNL | InputModes::IXON;
        self.modes.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
        self.modes.local_modes |= LocalModes::ISIG
            | LocalModes::ICANON
            | LocalModes::IEXTEN
            | LocalModes::ECHO
            | LocalModes::ECHOE
            | LocalModes::ECHOK;
    }

    /// Every byte as it is typed, every byte as it is written. What was set before is what is saved.
    pub(in crate::sys) fn enter_raw(&mut self) {
        let Ok(now) = termios::tcgetattr(&self.terminal) else { return };
        if !is_raw(&now) {
            self.modes = now;
        }
        let mut raw = self.modes.clone();
        raw.make_raw();
        let _ = termios::tcsetattr(&self.terminal, OptionalActions::Now, &raw);
    }

    /// Gives the terminal its modes back if it is still raw: then no shell has set modes of its own. Where the
    /// terminal is this process's own, only in the foreground.
    pub(in crate::sys) fn leave_raw(&self) {
        self.leave(|_, _| {});
    }

    /// The same for what is typed; what is written stays as it is.
    pub(in crate::sys) fn leave_raw_input(&self) {
        self.leave(|modes, now| modes.output_modes = now.output_modes);
    }

    fn leave(&self, change: impl Fn(&mut Termios, &Termios)) {
        let now = termios::tcgetattr(&self.terminal).ok().filter(is_raw);
        if let Some(now) = now.filter(|_| self.is_foreground()) {
            let mut modes = self.modes.clone();
            change(&mut modes, &now);
            let _ = termios::tcsetattr(&self.terminal, OptionalActions::Now, &modes);
        }
    }

    /// The same for this process.
    pub(crate) fn restore(&self) {
        self.restore_if_foreground(group::own_group());
    }
}

impl AsFd for SavedTerminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.terminal.as_fd()
    }
}

/// By what is written as it is: no shell reads its command line so.
fn is_raw(modes: &Termios) -> bool {
    !modes.output_modes.contains(OutputModes::OPOST)
}

/// Whether a line on standard error starts where the one before ended, since its terminal is in raw mode.
pub(crate) fn stderr_is_raw() -> bool {
    termios::tcgetattr(rustix::stdio::stderr()).is_ok_and(|modes| is_raw(&modes))
}
