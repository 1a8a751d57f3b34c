//! Mechanism only, one folder or file per platform behind the same names: every call returns at once; waiting
//! and choosing live above. `cfg(...)` of a platform and `unsafe` are found nowhere else.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

mod exec;
pub(crate) use exec::exec;
#[cfg(test)]
pub(crate) use exec::not_utf8;
