//! What is the same on every Unix: signals to the front, the terminal's modes.

pub(crate) mod signals;
pub(crate) mod terminal;
