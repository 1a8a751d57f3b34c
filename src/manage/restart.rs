//! Restarting a server: its tree ends and the same server begins, with its port, name and log.

use super::{start, stop};
use crate::error::Error;
use crate::event::Event;
use crate::registry::{Record, Registry};

/// Returns the URL once the server is ready again. One that does not run is started.
pub(crate) fn restart(
    registry: &Registry,
    record: &Record,
    say: &mut dyn FnMut(Event),
) -> Result<String, Error> {
    stop(registry, record)?;
    start(registry, record, say)
}
