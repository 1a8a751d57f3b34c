//! Who serves once the command has left: a member of its tree that listens on the server's port, for as long as one
//! does.

use std::pin::Pin;
use std::time::{Duration, Instant};

use crate::sys;
use crate::sys::process::Process;

/// A server may restart itself: so long after the end of the member that served another one may take its place.
const SUCCESSION: Duration = Duration::from_secs(10);

/// What is known of who serves.
pub(super) enum Serving {
    /// The command runs, and its exit is the end; or it has left, and nobody serves any more.
    Command,
    /// A member, until it ends.
    Member(Pin<Box<dyn Future<Output = ()>>>),
    /// Nobody now. Somebody may until then.
    Nobody(Instant),
}

impl Serving {
    /// What follows from a look at the port: `serves` listens there.
    pub(super) fn seen(&mut self, serves: Option<u32>) {
        let process = serves.and_then(|pid| Process::of_pid(pid).ok().flatten());
        *self = match (process, &self) {
            (Some(process), _) => Serving::Member(Box::pin(async move {
                sys::first_to_end(std::slice::from_ref(&process)).await;
            })),
            (None, Serving::Nobody(_)) => Serving::Command,
            (None, Serving::Command | Serving::Member(_)) => Serving::Nobody(Instant::now() + SUCCESSION),
        };
    }

    /// Returns when it has to be looked for anew.
    pub(super) async fn look_again(&mut self) {
        match self {
            Serving::Command => std::future::pending().await,
            Serving::Member(ended) => ended.await,
            Serving::Nobody(until) => tokio::time::sleep_until((*until).into()).await,
        }
    }
}
