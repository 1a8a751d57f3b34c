//! The guard: parent of the command and subreaper of all that it starts, so that whatever daemonises, changes
//! its session or clears its environment is in the end the guard's own child. It outlives the front only for as
//! long as it takes to end the tree.
//!
//! It runs in the child of a fork of a program that may have threads. So nothing in here allocates, locks or
//! panics, and every signal is blocked: nothing but SIGKILL and SIGSTOP reaches it.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustix::process::{Pid, Signal, WaitOptions};

use super::ending::{self, IMPATIENT, Killed, Signalled};
use super::walk;
use super::wire::{self, Order, Report};
use crate::sys::unix::group::Group;
use crate::sys::{SavedTerminal, SpareList};

/// How long the hard loop goes on before it names what does not die (state D).
const HARD_LIMIT: Duration = Duration::from_secs(3);

/// How long one that can't be killed, as `sudo`, may take to end when those below it have.
const FOLLOWING: Duration = Duration::from_millis(200);

/// What the guard knows from before the fork.
pub(super) struct Guard<'a> {
    pub(super) socket: &'a OwnedFd,
    pub(super) child_events: &'a OwnedFd,
    pub(super) leader: Pid,
    /// The process group of the front.
    pub(super) front_group: Group,
    /// The process group to which the terminal's keys are signals.
    pub(super) foreground: Group,
    /// The command was started as the leader of a group of its own.
    pub(super) leads_group: bool,
    pub(super) session: Option<Group>,
    pub(super) spare: &'a SpareList,
    /// What to do when the front is gone.
    pub(super) orphaned: (Signal, Duration),
    pub(super) terminal: Option<&'a SavedTerminal>,
    /// The terminal between, of whose session the guard is the leader: so the command's exit hangs up on nobody, and
    /// its group can be stopped, having a parent outside of it.
    pub(super) pty: Option<&'a OwnedFd>,
    pub(super) signalled: &'a mut Signalled,
    pub(super) killed: &'a mut Killed,
    /// Until when those that can't be killed may follow those below them.
    pub(super) following: Option<Instant>,
}

/// How far the end has come.
#[derive(Clone, Copy)]
enum Phase {
    Running,
    /// The stop signal was sent; killing starts then.
    Grace(Instant),
    /// Killing; what is left then is named.
    Hard(Instant),
}

impl Phase {
    /// How long nothing has to happen before there is something to do.
    fn patience(&self) -> Option<Duration> {
        match self {
            Phase::Running => None,
            Phase::Grace(end) => Some(end.saturating_duration_since(Instant::now())),
            // Deaths wake us; the timer is for members that are being born while they are killed.
            Phase::Hard(_) => Some(Duration::from_millis(2)),
        }
    }
}

/// What reaping found.
#[derive(PartialEq)]
enum Reaped {
    Some,
    NoChild,
}

impl Guard<'_> {
    /// Runs until nobody is left.
    pub(super) fn run(&mut self) {
        let me = rustix::process::getpid();
        let mut phase = Phase::Running;
        let mut front_alive = true;
        let mut leader_alive = true;
        let mut kills = 0;
        loop {
            if self.reap(&mut leader_alive) == Reaped::NoChild {
                break;
            }
            match phase {
                Phase::Running => {}
                Phase::Grace(end) => {
                    if Instant::now() >= end {
                        phase = Phase::Hard(Instant::now() + HARD_LIMIT);
                        continue;
                    }
                    if self.only_spared_left(me) {
                        break;
                    }
                }
                Phase::Hard(end) => {
                    if !self.kill_round(me, end, &mut kills) || Instant::now() >= end {
                        // Killed ones may still be on their way out: they are waited for until the limit.
                        break;
                    }
                }
            }
            match self.wait(phase.patience(), front_alive) {
                Wake::Nothing => {}
                Wake::FrontGone => {
                    front_alive = false;
                    self.free_terminal();
                    phase = match phase {
                        Phase::Running => {
                            let (signal, grace) = self.orphaned;
                            self.stop(me, signal, grace, None, &mut leader_alive)
                        }
                        // Nobody is there any more to wait for a long one.
                        Phase::Grace(end) => Phase::Grace(end.min(Instant::now() + self.orphaned.1)),
                        Phase::Hard(end) => Phase::Hard(end),
                    };
                }
                Wake::Order(Order::Continue) if leader_alive => {
                    // Not waited for, so its number, and that of the group it leads, are its own.
                    let _ = rustix::process::kill_process_group(self.leader, Signal::CONT);
                }
                Wake::Order(Order::Continue) => {}
                Wake::Order(Order::Kill) => phase = Phase::Hard(Instant::now() + HARD_LIMIT),
                Wake::Order(Order::Stop { signal, grace_ms, spare_foreground }) => {
                    let signal = Signal::from_named_raw(signal).unwrap_or(Signal::TERM);
                    let grace = Duration::from_millis(grace_ms.unsigned_abs().into());
                    let skip = spare_foreground.then_some(self.foreground);
                    phase = self.stop(me, signal, grace, skip, &mut leader_alive);
                }
            }
        }
        self.finish(me, front_alive, kills);
    }

    /// `skip`: the members of this group have the signal already.
    fn stop(
        &mut self,
        me: Pid,
        signal: Signal,
        grace: Duration,
        skip: Option<Group>,
        leader_alive: &mut bool,
    ) -> Phase {
        let now = Instant::now();
        if signal == Signal::KILL {
            return Phase::Hard(now + HARD_LIMIT);
        }
        if walk::proc_is_hidden() {
            self.tell(Report::Blind);
        } else if !walk::lists_children(me) {
            self.tell(Report::Scans);
        }
        let skip = skip.or_else(|| self.signal_group(signal, *leader_alive));
        // Those whom the signal has ended by now need not be looked at.
        self.reap(leader_alive);
        ending::ask(me, signal, skip, self.spare, self.session.as_slice(), self.signalled);
        Phase::Grace(now + grace)
    }

    /// Sends the stop signal to the command's whole group at once: most members are in it, and so need not be found
    /// one by one first. Not to a group whose number may be another's by now, nor where somebody in it may be spared;
    /// those in a session of their own are not in it.
    fn signal_group(&self, signal: Signal, leader_alive: bool) -> Option<Group> {
        if !(self.leads_group && leader_alive && self.spare.always.is_empty()) {
            return None;
        }
        rustix::process::kill_process_group(self.leader, signal).ok()?;
        Some(self.leader.as_raw_nonzero().get())
    }

    /// Reaps whoever is dead and reports what becomes of the leader.
    fn reap(&mut self, leader_alive: &mut bool) -> Reaped {
        loop {
            let reaped = rustix::process::wait(WaitOptions::NOHANG | WaitOptions::UNTRACED);
            if let Ok(Some((pid, status))) = reaped
                && !status.stopped()
            {
                self.signalled.remove(pid);
                self.killed.remove(pid);
            }
            match reaped {
                Ok(None) => return Reaped::Some,
                Err(Errno::INTR) => {}
                Err(_) => return Reaped::NoChild,
                Ok(Some((pid, status))) if pid == self.leader && *leader_alive => {
                    if let Some(code) = status.exit_status() {
                        *leader_alive = false;
                        self.tell(Report::Exited { code });
                    } else if let Some(signal) = status.terminating_signal() {
                        *leader_alive = false;
                        self.tell(Report::Signalled { signal });
                    } else if let Some(signal) = status.stopping_signal() {
                        self.tell(Report::Stopped { signal });
                    }
                }
                Ok(Some(_)) => {}
            }
        }
    }

    fn only_spared_left(&self, me: Pid) -> bool {
        let (mut others, mut any) = (false, false);
        walk::each_child(me, &mut |pid| {
            any = true;
            others = others || !self.spare.spares(pid, self.session.as_slice());
        });
        any && !others
    }

    /// One round of the hard loop; `false` when nobody is left who could still go.
    fn kill_round(&mut self, me: Pid, end: Instant, kills: &mut i32) -> bool {
        let now = Instant::now();
        let (own, impatient) = (self.session.as_slice(), now + IMPATIENT > end);
        let round = ending::kill_children(me, &[], self.spare, own, self.killed, impatient);
        *kills += round.killed;
        if round.below > 0 {
            self.following = Some(now + FOLLOWING);
        }
        let follows = round.refused > 0 && self.following.is_some_and(|until| now < until);
        round.going > 0 || follows || (round.spared == 0 && round.refused == 0)
    }

    fn wait(&self, timeout: Option<Duration>, front_alive: bool) -> Wake {
        let mut fds =
            [PollFd::new(self.child_events, PollFlags::IN), PollFd::new(self.socket, PollFlags::IN)];
        let watched = if front_alive { 2 } else { 1 };
        let timeout = timeout.and_then(|t| t.try_into().ok());
        let _ = rustix::event::poll(&mut fds[..watched], timeout.as_ref());
        let said = front_alive && !fds[1].revents().is_empty();
        if !fds[0].revents().is_empty() {
            // How many and who, waitpid tells; the queue only has to be emptied.
            let mut buffer = [0; 1024];
            let _ = rustix::io::read(self.child_events, &mut buffer);
        }
        if !said {
            return Wake::Nothing;
        }
        match wire::receive(self.socket, RecvFlags::DONTWAIT) {
            Ok(Some(bytes)) => Order::decode(&bytes).map_or(Wake::Nothing, Wake::Order),
            Ok(None) => Wake::FrontGone,
            Err(_) => Wake::Nothing,
        }
    }

    fn finish(&self, me: Pid, front_alive: bool, kills: i32) {
        ending::each_left(me, self.spare, self.session.as_slice(), &mut |report| self.tell(report));
        if let Some(pty) = self.pty {
            // The end of a session's leader is a hang-up to the foreground, where somebody spared may be.
            let _ = rustix::termios::tcsetpgrp(pty, me);
        }
        if !front_alive
            && self.pty.is_none()
            && let Some(terminal) = self.terminal
        {
            terminal.restore_if_foreground(self.front_group);
        }
        self.tell(Report::Empty { killed: kills });
    }

    /// The front is gone, and with it who had put its terminal into raw mode.
    fn free_terminal(&self) {
        if let (Some(_), Some(terminal)) = (self.pty, self.terminal) {
            terminal.leave_raw();
        }
    }

    fn tell(&self, report: Report) {
        wire::send(self.socket, &report.encode());
    }
}

/// What ended a wait.
enum Wake {
    /// A child, the timer, or nothing worth acting on.
    Nothing,
    FrontGone,
    Order(Order),
}
