//! What the lifecycle says to do, done.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;

use super::snapshots::Snapshots;
use super::{Attempt, Emptied, End};
use crate::event::{Event, Exit, Seen, StopCause};
use crate::health::Health;
use crate::launch::SHORT_GRACE;
use crate::lifecycle::{self, Act, Early, Ended, Grace, Input, Signalled, State};
use crate::output::{self, Diagnosis, Streams};
use crate::ready;
use crate::sys::{self, process};
use crate::terminal::Terminal;
use crate::{outcome, spare};

/// How often it is looked whether a reader that does not read does so again.
const DRAIN_LOOK: Duration = Duration::from_millis(20);

impl Attempt<'_> {
    /// One step of the lifecycle, and what it says to do.
    pub(super) fn step(&mut self, input: Input, say: &mut dyn FnMut(Event)) {
        let state = std::mem::replace(&mut self.state, State::Over { cause: None, for_good: false });
        let (state, act) = lifecycle::step(state, input, self.started.elapsed());
        tracing::info!(target: "devrun::attempt", ?state, ?act);
        self.state = state;
        match act {
            None => {}
            Some(Act::AnnounceReady) => self.announce_ready(say),
            Some(Act::AnnounceLeaderless) => {
                let pid = self.serving_member().unwrap_or_else(|| self.tree.guard());
                self.session.saw_members(&self.tree);
                say(Event::LeaderLeft { pid });
            }
            Some(Act::AnnounceUnhealthy) => {
                let seen = self.hung.map_or(Seen::NoAnswer, |(seen, _)| seen);
                say(Event::Unhealthy { seen });
                self.session.health(Some(seen));
            }
            Some(Act::AnnounceHealthy) => {
                say(Event::Healthy);
                self.session.health(None);
            }
            Some(Act::Stop { grace, signalled }) => {
                let timeout = self.plan.stop.timeout;
                let grace = match grace {
                    Grace::Policy => timeout,
                    Grace::Short => timeout.min(SHORT_GRACE),
                };
                let foreground =
                    signalled == Signalled::Foreground && self.terminal.has_had_keys() && !self.key_missed;
                let signal = match &self.state {
                    State::Stopping { cause: StopCause::Keyboard(key), .. }
                        if self.terminal.passes_keys_on() =>
                    {
                        *key
                    }
                    _ => sys::signal_number(self.plan.stop.signal),
                };
                self.tree.stop(signal, grace, foreground);
                self.terminal.release();
                self.announce_stopping(say);
            }
            Some(Act::Kill) => self.tree.kill(),
            Some(Act::EndWithoutGuard) => {
                let mut killed = 0;
                if self.owns_process {
                    killed = sys::end_adopted(&spare::list(&self.plan.spare), self.session.sessions());
                }
                let (ended, left) = self.session.hunt();
                killed += u32::try_from(ended.len()).unwrap_or(u32::MAX);
                self.emptied = Emptied { at: Some(Instant::now()), killed, left, guard_lost: true };
            }
        }
    }

    /// Not of a command that has exited: mostly nothing is left of its tree, and what is ends at once.
    fn announce_stopping(&mut self, say: &mut dyn FnMut(Event)) {
        let State::Stopping { cause, .. } = &self.state else { return };
        if *cause != StopCause::LeaderExited {
            self.session.stopping();
        }
        say(Event::Stopping { cause: cause.clone() });
    }

    fn announce_ready(&mut self, say: &mut dyn FnMut(Event)) {
        let now = Instant::now();
        self.ready_at = Some(now);
        self.snapshots = Snapshots::since(now);
        let Some(answer) = &self.answer else { return };
        let ms = self.age_ms();
        if answer.port != self.session.port() {
            let hint = self.plan.port_hint();
            say(Event::Moved { wanted: self.session.port(), port: answer.port, hint });
        }
        let (url, port, pid) = (answer.url.clone(), answer.port, self.tree.leader());
        self.session.ready(&url, ms);
        say(Event::Ready { url, port, pid, ms });
        self.session.saw_members(&self.tree);
        self.session.say_news(say);
        self.watch_health();
    }

    /// What was said before the command ended by itself is for its reader, however long that takes, as from any filter;
    /// until somebody wants an end.
    pub(super) async fn drain(&mut self, stops: &UnboundedReceiver<StopCause>) {
        let Some(output) = &mut self.output else { return };
        let mut told = false;
        // What asks for an end stays where it is, for whoever decides whether there is another start.
        while !output.drained() && stops.is_empty() {
            if !std::mem::replace(&mut told, true) {
                self.session.stopping();
                self.terminal.release(); // Ctrl-C is for us now
            }
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    }

    pub(super) fn end(mut self, cause: Option<StopCause>, for_good: bool, listened: bool, seen: Seen) -> End {
        let tail = self.output.take().map(Streams::finish).unwrap_or_default();
        std::mem::replace(&mut self.terminal, Terminal::None).restore();
        // A guard that was killed could not say how the command ended; it ended by the guard's death.
        let exit = self.exit.unwrap_or(Exit::Signal(sys::KILLED));
        let diagnosis = output::diagnose(&tail);
        let was_ready = self.ready_at.is_some();
        let was_stopped = !matches!(cause, None | Some(StopCause::LeaderExited));
        let early = Early {
            was_ready,
            was_stopped,
            listened,
            said_in_use: matches!(diagnosis, Some(Diagnosis::PortInUse(_))),
            stranger_listens: !was_ready && !was_stopped && self.session.somebody_listens(),
            had_reservation: self.session.has_reservation(),
        };
        let error = outcome::error(&outcome::Facts {
            plan: self.plan,
            port: self.session.port(),
            cause: cause.as_ref(),
            exit,
            early,
            seen,
            why: self.not_ready.as_deref(),
            guard_lost: self.emptied.guard_lost,
            left: &self.emptied.left,
            diagnosis,
        });
        let said = output::last_lines(&tail);
        let unseen = self.plan.detached && !was_ready && !said.is_empty();
        let error = error.map(|error| if unseen { error.output(said) } else { error });
        let Emptied { at, killed, left, guard_lost } = self.emptied;
        // The time that it took to see that it hangs is none in which it was well.
        let well = self.hung.map(|(_, well)| well).filter(|_| cause == Some(StopCause::Unhealthy)).or(at);
        let ready_for =
            self.ready_at.zip(well).map(|(ready, end)| end.duration_since(ready)).unwrap_or_default();
        let ended = Ended { early, exit, cause, for_good, guard_lost, ready_for };
        End { ended, killed, left, error, tail }
    }

    /// Asks from now on whether it still answers where it did.
    fn watch_health(&mut self) {
        let (Some(check), Some(answer)) = (&self.plan.health, &self.answer) else { return };
        let (port, guard, question) = (answer.port, self.tree.guard(), check.check.at(answer.port));
        let wished = self.plan.ports.port();
        self.health = Some(Health::watch(check, move || ready::Target {
            port,
            wished,
            others: ready::Others::default(),
            check: question.clone(),
            members: Box::new(move || process::members(guard)),
            lines: None,
        }));
    }
}
