//! Stops a server that another devrun runs: its front is asked, and ends the tree in its own way. Only what does
//! not react is ended from here, and nobody whose identity was not verified.

use std::time::Duration;

use super::hunt::{end_run, wait_for_exit};
use super::record::Record;
use super::store::Registry;
use crate::error::{Error, Kind};
use crate::sys::process::{self, Process};

/// What a front may take beyond its grace period.
const PATIENCE: Duration = Duration::from_secs(3);

/// Returns once the server's tree is empty.
pub(crate) fn stop(registry: &Registry, record: &Record) -> Result<(), Error> {
    let failed = |cause: String| {
        Error::new(Kind::Internal, format!("{} could not be stopped", record.name))
            .cause(cause)
            .hint("look at its processes with `devrun ls --json`")
    };
    // Under the lock the record's front lives or died just now; an older record's pids mean nothing.
    if registry.live_run(&record.id).is_none_or(|run| run != record.run) {
        return match registry.is_live(&record.id) {
            true => Err(failed("it is only just starting".into())),
            false => Ok(()),
        };
    }
    if record.boot.is_none() || record.boot != process::boot_id() {
        return Err(failed("its record is not of this boot of the machine".into()));
    }
    let open = |identity| Process::open(identity).ok().flatten();
    let front = record.front.as_ref().filter(|_| !record.hosted).and_then(open);
    let guard = record.guard.as_ref().and_then(open);
    // One that is stopped, by Ctrl-Z or a debugger, hears the request once it is woken.
    let ask = |front: &Process| front.signal(process::SIGTERM).and_then(|()| front.signal(process::SIGCONT));
    if let Some(Err(error)) = front.as_ref().map(ask)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(failed(error.to_string()));
    }
    let both: Vec<&Process> = front.iter().chain(&guard).collect();
    if both.is_empty() || record.hosted || !wait_for_exit(&both, record.stop_timeout() + PATIENCE) {
        end_run(record);
    }
    match registry.live_run(&record.id) {
        Some(run) if run == record.run => Err(failed("its processes do not end".into())),
        Some(_) | None => Ok(()),
    }
}
