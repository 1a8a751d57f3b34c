//! Which port a server gets, and keeping it until it is used. No port is ever tested by connecting to it, and
//! none is handed out that anybody else has.

mod choice;
mod holder;
mod lease;

#[cfg(feature = "cli")]
pub(crate) use lease::would_acquire;
pub(crate) use lease::{Leases, acquire, taken};
