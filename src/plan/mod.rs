//! Everything that is decided before anything is touched. No function in here reads the machine, except in
//! `facts`, and none writes to it.

mod config;
pub(crate) mod facts;
pub(crate) mod frameworks;
mod frameworks_table;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
pub(crate) mod inject;
mod look;
mod make;
mod names;
mod port;
mod project;
#[cfg(test)]
mod properties;
pub(crate) mod request;
mod runner;
pub(crate) mod script;
mod see;
mod settings;
pub(crate) mod tauri;
#[cfg(test)]
mod tests;
#[cfg(feature = "cli")]
mod then;
pub(crate) mod values;

pub(crate) use config::variables;
pub(crate) use facts::{Facts, Sources};
pub(crate) use make::{READY_TIMEOUT, argv, make};
pub use port::{Port, PortRange};
pub(crate) use request::Request;
pub(crate) use settings::*;
pub use settings::{RestartPolicy, StopSignal};
