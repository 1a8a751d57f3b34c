//! Where there is no pseudo-terminal between ours and the command's: the output goes through pipes instead. No value of
//! these types can be made.

use std::io;

use super::types::Typed;
use super::{Pipe, SavedTerminal};

/// A pseudo-terminal like ours.
#[derive(Debug)]
pub(crate) enum Pty {}

/// What is typed, on its way to the command.
#[derive(Debug)]
pub(crate) enum Typing {}

impl Pty {
    /// Never succeeds here.
    pub(crate) fn open() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn output(&self) -> io::Result<Pipe> {
        match *self {}
    }

    pub(crate) fn of_command(&self) -> io::Result<Pipe> {
        match *self {}
    }

    pub(crate) fn ours(&self) -> Option<SavedTerminal> {
        match *self {}
    }

    pub(crate) fn start(self, _: u32, _: impl Fn(Typed) + Send + 'static) -> io::Result<Typing> {
        match self {}
    }
}

impl Typing {
    pub(crate) fn has_keyboard(&self) -> bool {
        match *self {}
    }

    pub(crate) fn release(&self) {
        match *self {}
    }

    pub(crate) fn suspend(&self) {
        match *self {}
    }
}
