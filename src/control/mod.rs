//! The way to a front that lives: a socket in its server's folder, on which others ask for its state, its end, a
//! restart, or to hear its events. Nothing here decides what follows: a request becomes a [`StopCause`] among the
//! others.
//!
//! [`StopCause`]: crate::event::StopCause

mod client;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod protocol;
mod server;
mod stop;
#[cfg(test)]
mod tests;

#[cfg(test)]
use client::Silent;
pub(crate) use client::{ask, subscribe};
pub(crate) use protocol::Ask;
pub(crate) use server::Control;
pub(crate) use stop::stop;

use crate::plan::ServerId;
use crate::registry::Registry;

/// Where the front of this server listens.
fn socket(registry: &Registry, id: &ServerId) -> std::path::PathBuf {
    registry.server(id).join("control.sock")
}
