//! The terminal as one start of the command has it: none, shared with us, or one of the command's own with us between.
//! Nothing here reads a key or changes a mode: `sys` does.

use std::io::{self, IsTerminal};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::sys::{Pty, SavedTerminal, Typed, Typing};

/// The command's terminal.
#[derive(Debug)]
pub(crate) enum Terminal {
    /// None, or that of a program that does more than run the command, and keeps its modes itself.
    None,
    /// Ours, with the modes from before.
    Shared(SavedTerminal),
    /// One between.
    Between(Typing, UnboundedReceiver<Typed>),
}

impl Terminal {
    /// The terminal between, for a command that was started on it.
    pub(crate) fn between(pty: Pty, leader: u32) -> io::Result<Self> {
        let (tell, told) = unbounded_channel();
        let typing = pty.start(leader, move |typed| {
            let _ = tell.send(typed);
        })?;
        Ok(Self::Between(typing, told))
    }

    /// What is typed that we have to know of. Cancel-safe.
    pub(crate) async fn typed(&mut self) -> Typed {
        let typed = match self {
            Self::None | Self::Shared(_) => None,
            Self::Between(_, told) => told.recv().await,
        };
        match typed {
            Some(typed) => typed,
            None => std::future::pending().await,
        }
    }

    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }

    /// The command was stopped by its terminal.
    pub(crate) fn leader_stopped(&self) {
        match self {
            Self::None | Self::Shared(_) => {}
            Self::Between(typing, _) => typing.suspend(),
        }
    }

    /// Whether the command has had the signal of a key that was typed.
    pub(crate) fn has_had_keys(&self) -> bool {
        match self {
            Self::None => false,
            Self::Shared(_) => true,
            Self::Between(typing, _) => typing.has_keyboard(),
        }
    }

    /// Whether a key that was a signal to us alone is to be passed on as one.
    pub(crate) fn passes_keys_on(&self) -> bool {
        match self {
            Self::None | Self::Shared(_) => false,
            Self::Between(typing, _) => !typing.has_keyboard(),
        }
    }

    /// The command is being stopped: what is typed ahead is for who comes after it.
    pub(crate) fn release(&self) {
        match self {
            Self::None | Self::Shared(_) => {}
            Self::Between(typing, _) => typing.release(),
        }
    }

    /// Gives our terminal its modes back.
    pub(crate) fn restore(self) {
        match self {
            Self::Shared(saved) => saved.restore(),
            Self::None | Self::Between(..) => {} // whose end it is to be dropped
        }
    }
}

/// Which of standard input, output and error are terminals.
pub(crate) fn standard_streams() -> [bool; 3] {
    [io::stdin().is_terminal(), io::stdout().is_terminal(), io::stderr().is_terminal()]
}
