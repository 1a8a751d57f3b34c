//! From the end of one tree to the next start of the same server: for the sake of its port, by the restart policy,
//! or because somebody asked. Pure; the randomness of the backoff comes in as a number.

use std::time::Duration;

use crate::event::{Exit, StopCause};
use crate::plan::RestartPolicy;

/// How many times a command is started that could not have its port.
const TRIES: u32 = 3;

/// What is known of a tree that ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Early {
    pub(crate) was_ready: bool,
    pub(crate) was_stopped: bool,
    /// A member listened on some port, for however short.
    pub(crate) listened: bool,
    /// The output says that the address is in use.
    pub(crate) said_in_use: bool,
    /// A process outside the tree listens on the port.
    pub(crate) stranger_listens: bool,
    pub(crate) had_reservation: bool,
}

/// How a command is started once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// On the same port, with nothing of ours bound to it: some servers don't set SO_REUSEADDR and can't bind
    /// over a reservation.
    WithoutReservation,
    /// On the next port: somebody took this one between the choice and the bind.
    NextPort,
}

/// Whether a command that ended before it was ready is started once more; `tries` counts the starts so far.
fn retry(early: &Early, tries: u32) -> Option<Retry> {
    if early.was_ready || early.was_stopped || tries >= TRIES {
        return None;
    }
    if early.stranger_listens {
        return Some(Retry::NextPort);
    }
    (early.said_in_use && early.had_reservation && !early.listened).then_some(Retry::WithoutReservation)
}

/// A server that was ready for so long has recovered: what went wrong before it counts no more.
const STEADY: Duration = Duration::from_secs(10);

/// The first wait before a restart, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// How many quick ends in a row `--restart always` takes.
const QUICK_ENDS: u32 = 5;

/// How a tree ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) early: Early,
    pub(crate) exit: Exit,
    pub(crate) cause: Option<StopCause>,
    /// Somebody wanted the end of the server, not only of this tree.
    pub(crate) for_good: bool,
    pub(crate) guard_lost: bool,
    /// From readiness to the end, or to the last answer of one that hangs.
    pub(crate) ready_for: Duration,
}

/// What was tried so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Starts {
    /// Starts in a row for the sake of the port.
    for_port: u32,
    /// Restarts by the policy since it last ran steadily.
    quick: u32,
}

/// What comes after the end of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: the end of the tree is the server's.
    Over,
    /// It ended quickly so many times in a row.
    GiveUp { quick: u32 },
    /// Once more at once, on a port that fits better.
    ForPort(Retry),
    /// Once more after this time.
    Again { after: Duration },
}

/// What comes after the end of a tree. `jitter`, from 0 to 1, spreads the restarts of servers that fell together.
pub(crate) fn after(policy: RestartPolicy, ended: &Ended, starts: Starts, jitter: f64) -> (Next, Starts) {
    if ended.for_good || ended.guard_lost {
        return (Next::Over, starts);
    }
    if ended.cause == Some(StopCause::Restart) {
        return (Next::Again { after: Duration::ZERO }, Starts::default());
    }
    if let Some(retry) = retry(&ended.early, starts.for_port + 1) {
        return (Next::ForPort(retry), Starts { for_port: starts.for_port + 1, ..starts });
    }
    let limit = match policy {
        RestartPolicy::OnFailure(limit) if failed(ended) => limit,
        RestartPolicy::Always => QUICK_ENDS,
        RestartPolicy::OnFailure(_) | RestartPolicy::Never => return (Next::Over, starts),
    };
    let quick = if ended.ready_for >= STEADY { 0 } else { starts.quick };
    if quick >= limit {
        return (Next::GiveUp { quick }, starts);
    }
    (Next::Again { after: backoff(quick, jitter) }, Starts { for_port: 0, quick: quick + 1 })
}

/// An end that is no success: before readiness whatever the status, since servers exit with 0 on a taken port.
fn failed(ended: &Ended) -> bool {
    match ended.cause {
        Some(StopCause::Unhealthy | StopCause::ReadyTimeout) => true,
        _ => !ended.early.was_ready || ended.exit != Exit::Code(0),
    }
}

/// Twice as long each time, up to the longest; a fifth more or less.
fn backoff(quick: u32, jitter: f64) -> Duration {
    let (first, longest) = BACKOFF;
    first.saturating_mul(1 << quick.min(16)).min(longest).mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
#[path = "again_tests.rs"]
mod tests;
