//! Stopping a live run: its front is asked, and ends the tree in its own way; only what does not answer is ended by
//! its identity.

use std::time::{Duration, Instant};

use super::{Ask, ask};
use crate::error::Error;
use crate::registry::{self, Record, Registry};
use crate::sys::process::Process;

/// How long a front may take to answer.
const ANSWER: Duration = Duration::from_secs(1);

/// What it may take beyond its grace period.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often it is looked whether the run has let go of its server.
const LOOK: Duration = Duration::from_millis(2);

/// Returns once the tree of this run is empty. Not to be called on a runtime.
///
/// Errs when it can't be stopped: another user's, or a process that does not end.
pub(crate) fn stop(registry: &Registry, record: &Record) -> Result<(), Error> {
    match ask(registry, &record.id, &record.run, Ask::Stop, ANSWER) {
        Ok(()) if ended(registry, record) => return Ok(()),
        Ok(()) => {}
        Err(silent) => {
            tracing::info!(target: "devrun::control", %silent, "ended by its identity");
        }
    }
    registry::stop(registry, record)
}

/// Waits for the end of the run: first, without looking again and again, for that of its guard, which lives until the
/// tree is empty; then for the lock.
fn ended(registry: &Registry, record: &Record) -> bool {
    let deadline = Instant::now() + record.stop_timeout() + PATIENCE;
    if let Some(Ok(Some(guard))) = record.guard.as_ref().map(Process::open) {
        guard.wait(deadline.saturating_duration_since(Instant::now()));
    }
    loop {
        // A front takes its name off the lock before it lets go of it.
        let let_go = match registry.live_run(&record.id) {
            Some(run) => run != record.run,
            None => !registry.is_live(&record.id),
        };
        if let_go {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(LOOK);
    }
}
