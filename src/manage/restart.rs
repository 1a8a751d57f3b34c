//! Restarting a server: its tree ends and the same server begins, with its port, name and log.

use std::time::Duration;

use super::wait::{ready_event, until};
use super::{start, stop};
use crate::control::{self, Ask};
use crate::error::Error;
use crate::event::Event;
use crate::plan::READY_TIMEOUT;
use crate::registry::{Phase, Record, Registry};

/// How long a front may take to agree.
const ANSWER: Duration = Duration::from_secs(1);

/// Returns the URL once the server is ready again. One that does not run is started.
///
/// A front that answers does it itself, so that the server stays in its terminal. Otherwise it is stopped and started
/// in the background.
pub(crate) fn restart(
    registry: &Registry,
    record: &Record,
    say: &mut dyn FnMut(Event),
) -> Result<String, Error> {
    let live = registry.live_record(&record.id);
    let asks = |live: &Record| control::ask(registry, &live.id, &live.run, Ask::Restart, ANSWER).is_ok();
    let Some(before) = live.filter(asks) else {
        stop(registry, record)?;
        return start(registry, record, say);
    };
    let again = |record: &Record| record.state == Phase::Ready && record.leader != before.leader;
    let ready =
        until(&again, registry, &record.id, Duration::ZERO, Some(READY_TIMEOUT)).ready(&record.name)?;
    say(ready_event(&ready));
    Ok(ready.url)
}
