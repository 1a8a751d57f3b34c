//! The console that the command shares with its caller: is there one, and how were its modes.
#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};

use windows_sys::Win32::System::Console::{CONSOLE_MODE, GetConsoleMode, SetConsoleMode};

use super::handle::done;

/// The console's modes when the command was started. A killed Node leaves its raw mode behind.
#[derive(Debug)]
pub(crate) struct SavedTerminal {
    saved: Vec<(OwnedHandle, CONSOLE_MODE)>,
}

impl SavedTerminal {
    /// Those of the standard streams that are a console.
    pub(crate) fn of_this_process() -> Option<Self> {
        let streams = [
            io::stdin().as_handle().try_clone_to_owned(),
            io::stdout().as_handle().try_clone_to_owned(),
            io::stderr().as_handle().try_clone_to_owned(),
        ];
        let mode = |stream: io::Result<OwnedHandle>| {
            let (stream, mut mode) = (stream.ok()?, 0);
            // SAFETY: the handle is open and the mode lives here.
            unsafe { done(GetConsoleMode(stream.as_raw_handle(), &mut mode)) }.ok()?;
            Some((stream, mode))
        };
        let saved: Vec<_> = streams.into_iter().filter_map(mode).collect();
        (!saved.is_empty()).then_some(Self { saved })
    }

    /// Gives the console its modes back.
    pub(crate) fn restore(&self) {
        for (stream, mode) in &self.saved {
            // SAFETY: the handle is open.
            unsafe { SetConsoleMode(stream.as_raw_handle(), *mode) };
        }
    }
}

/// Unknown here.
pub(crate) fn stderr_has_room() -> bool {
    false
}

/// Never here: a console that is in raw mode ends its lines all the same.
pub(crate) fn stderr_is_raw() -> bool {
    false
}
