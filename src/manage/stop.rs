//! Stopping a server by its record. Its front ends the tree; what is not this user's is named and left alone.

use std::time::{Duration, Instant};

use crate::control;
use crate::error::{Error, Kind};
use crate::registry::{Record, Registry};
use crate::sys::{self, process};

/// How long a run may take from its lock to its first record.
const FIRST_RECORD: Duration = Duration::from_secs(2);

/// Returns when no process of the server is left. One that does not run is stopped already.
pub(crate) fn stop(registry: &Registry, record: &Record) -> Result<(), Error> {
    let deadline = Instant::now() + FIRST_RECORD;
    loop {
        // The record that was read may be that of the run before.
        match registry.live_record(&record.id) {
            Some(live) => {
                is_ours(&live)?;
                return control::stop(registry, &live);
            }
            None if !registry.is_live(&record.id) => return Ok(()),
            None if Instant::now() > deadline => return control::stop(registry, record),
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Refuses where the front belongs to another user, whom this one can't signal.
fn is_ours(record: &Record) -> Result<(), Error> {
    const ROOT: u32 = 0;
    let me = process::user();
    let front = record.front.filter(|front| process::identity(front.pid) == Some(*front));
    let Some(owner) = front.and_then(|front| process::info(front.pid)).map(|info| info.uid) else {
        return Ok(());
    };
    if me == ROOT || me == owner {
        return Ok(());
    }
    let who = sys::user_name(owner).unwrap_or_else(|| format!("user {owner}"));
    let pid = front.map_or(0, |front| front.pid);
    Err(Error::new(Kind::Internal, format!("{} can't be stopped by you", record.name))
        .cause(format!("it was started by {who} (pid {pid})"))
        .hint(format!("as {who} or root: kill {pid}")))
}
