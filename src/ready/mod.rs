//! Readiness: waits until a process of the tree listens on the port and answers. It never says so because some
//! other program does, and it sends nothing to a port before it knows whose it is.

mod pick;
mod probe;
mod tls;
mod wait;
mod watch;

#[cfg(test)]
mod tests;

pub(crate) use wait::{Answer, NotReady, Others, Target, wait};
