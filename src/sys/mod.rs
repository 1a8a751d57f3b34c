//! Mechanism only, one folder per platform behind the same names: every call returns at once; waiting and
//! choosing live above. `cfg(...)` of a platform and `unsafe` are found nowhere else.

#[cfg(all(feature = "dashboard", not(target_os = "linux")))]
mod changes;
mod exec;
#[cfg(not(target_os = "linux"))]
mod folder_poll;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(all(test, not(target_os = "macos")))]
#[path = "macos/parse.rs"]
mod macos_parse; // the pure part of macOS, tested wherever the tests run
#[cfg(not(all(target_os = "linux", feature = "cli")))]
mod no_pty;
#[cfg(all(feature = "dashboard", not(target_os = "linux")))]
mod no_usage;
#[cfg(test)]
pub(crate) mod testing;
mod types;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(all(feature = "dashboard", not(target_os = "linux")))]
pub(crate) use changes::Changes;
pub(crate) use exec::{SHELL, exec};
#[cfg(not(target_os = "linux"))]
pub(crate) use folder_poll::FolderWatch;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;
#[cfg(target_os = "macos")]
pub(crate) use macos::*;
#[cfg(not(all(target_os = "linux", feature = "cli")))]
pub(crate) use no_pty::{Pty, Typing};
#[cfg(all(feature = "dashboard", not(target_os = "linux")))]
pub(crate) use no_usage::usage;
pub(crate) use types::*;
#[cfg(all(any(fuzzing, test), not(target_os = "linux")))]
pub(crate) fn read_proc(_: &[u8]) {} // there is none
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;
