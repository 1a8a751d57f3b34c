//! Health: asks a server that is ready again and again, and says when it stops answering and when it answers again.
//! What follows from that is not decided here.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::event::Seen;
use crate::plan::HealthCheck;
use crate::ready::{self, Target};

/// How long an answer may take: as long as the time between two questions, within these bounds.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What became of a server's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// So many questions in a row had no answer.
    Hung {
        /// Last.
        seen: Seen,
        /// When it last answered; when it became ready, if it has not since.
        well: Instant,
    },
    /// It answers again.
    Recovered,
}

/// Questions under way. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Health {
    changes: UnboundedReceiver<Change>,
    task: JoinHandle<()>,
}

impl Health {
    /// Asks from now on, the first time after the interval. To be called on the runtime that supervises.
    pub(crate) fn watch(check: &HealthCheck, target: impl Fn() -> Target + Send + 'static) -> Self {
        let (sender, changes) = unbounded_channel();
        let (interval, retries) = (check.interval, check.retries);
        Self { changes, task: tokio::spawn(questions(interval, retries, target, sender)) }
    }

    /// The next change; never, if nobody asks. Cancel-safe.
    pub(crate) async fn next(health: &mut Option<Self>) -> Change {
        match health {
            Some(health) => match health.changes.recv().await {
                Some(change) => change,
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn questions(
    interval: Duration,
    retries: u32,
    target: impl Fn() -> Target + Send,
    tell: UnboundedSender<Change>,
) {
    let mut count = Count { failures: 0, retries, well: Instant::now() };
    loop {
        tokio::time::sleep(interval).await;
        let answered = question(target(), interval.clamp(PATIENCE.0, PATIENCE.1)).await;
        if let Some(change) = count.heard(answered, Instant::now())
            && tell.send(change).is_err()
        {
            return;
        }
    }
}

/// Asks once: readiness looked at anew, so that only a member of the tree that answers is an answer.
async fn question(target: Target, patience: Duration) -> Result<(), Seen> {
    let seen = Mutex::new(Seen::NothingListens);
    let last = || *seen.lock().unwrap_or_else(PoisonError::into_inner);
    let tell = |now| *seen.lock().unwrap_or_else(PoisonError::into_inner) = now;
    match tokio::time::timeout(patience, ready::wait(target, tell)).await {
        Ok(Ok(answer)) if !answer.moved => Ok(()),
        // Another of its processes answers on another port.
        Ok(Ok(_)) => Err(Seen::NothingListens),
        Ok(Err(_)) | Err(_) => Err(last()),
    }
}

/// Failures in a row.
struct Count {
    failures: u32,
    retries: u32,
    well: Instant,
}

impl Count {
    /// A change is told once.
    fn heard(&mut self, answer: Result<(), Seen>, now: Instant) -> Option<Change> {
        match answer {
            Ok(()) => {
                self.well = now;
                let was = std::mem::take(&mut self.failures);
                (was >= self.retries).then_some(Change::Recovered)
            }
            Err(seen) => {
                self.failures = self.failures.saturating_add(1);
                (self.failures == self.retries).then_some(Change::Hung { seen, well: self.well })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_unhealthy_after_the_retries_and_each_change_is_told_once() {
        let start = Instant::now();
        let at = |step: usize| start + Duration::from_secs(step as u64);
        let mut count = Count { failures: 0, retries: 2, well: start };
        let bad = Err(Seen::NoAnswer);
        let hung = Some(Change::Hung { seen: Seen::NoAnswer, well: at(1) });
        let table = [
            (bad, None),
            (Ok(()), None),
            (bad, None),
            (bad, hung),
            (bad, None),
            (Ok(()), Some(Change::Recovered)),
            (Ok(()), None),
        ];
        for (step, (answer, expected)) in table.into_iter().enumerate() {
            assert_eq!(count.heard(answer, at(step)), expected, "step {step}");
        }
    }
}
