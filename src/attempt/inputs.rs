//! What happens to a tree, as inputs to the lifecycle.

use std::time::{Duration, Instant};

use super::serving::Serving;
use super::{Attempt, Emptied};
use crate::event::{Event, Exit, Left, LeftWhy, StopCause};
use crate::health::Change;
use crate::lifecycle::{Input, State};
use crate::plan::RestartPolicy;
use crate::ready::{self, Answer, NotReady};
use crate::sys::process;
use crate::sys::{self, TreeEvent, Typed};

/// By then a stop of the whole group has reached this process.
const GROUP_STOP: Duration = Duration::from_millis(50);

impl Attempt<'_> {
    pub(super) fn target(&mut self) -> ready::Target {
        let guard = self.tree.guard();
        ready::Target {
            port: self.session.port(),
            wished: self.plan.ports.port(),
            others: ready::Others {
                ports: self.session.port_set().extra.into_iter().map(|(_, port)| port).collect(),
                patience: self.plan.injection.patience(),
            },
            check: self.plan.ready.at(self.session.port()),
            members: Box::new(move || process::members(guard)),
            lines: self.output.as_mut().and_then(|output| output.lines.take()),
        }
    }

    /// What the guard says, as an input to the lifecycle.
    pub(super) fn tree_event(&mut self, event: TreeEvent, say: &mut dyn FnMut(Event)) -> Option<Input> {
        match event {
            TreeEvent::LeaderExited(code) => Some(self.leader_ended(Exit::Code(code))),
            TreeEvent::LeaderSignalled(signal) => Some(self.leader_ended(Exit::Signal(signal))),
            TreeEvent::LeaderStopped => {
                self.terminal.leader_stopped();
                let shared = self.terminal.is_shared();
                self.follow_stop = shared.then(|| Instant::now() + GROUP_STOP);
                None
            }
            TreeEvent::Blind => {
                let text =
                    "/proc is hidden: only the command itself could be asked to end, the rest will be killed";
                say(Event::Warning { text: text.into(), hint: None });
                None
            }
            TreeEvent::Scans => {
                let text = "this kernel keeps no lists of children (CONFIG_PROC_CHILDREN): the tree is found by a \
                            look at every process";
                say(Event::Note { text: text.into() });
                None
            }
            TreeEvent::Empty { killed, left } => {
                let why = |spared| if spared { LeftWhy::Spared } else { LeftWhy::Unkillable };
                let named = |(pid, spared, name)| Left { pid, name, why: why(spared) };
                let left = left.into_iter().map(named).collect();
                self.emptied = Emptied { at: Some(Instant::now()), killed, left, guard_lost: false };
                Some(Input::TreeEmpty)
            }
            TreeEvent::GuardLost => Some(Input::GuardLost),
        }
    }

    /// What was typed, as an input to the lifecycle.
    pub(super) fn typed(&mut self, typed: Typed) -> Option<Input> {
        match typed {
            Typed::Signal(signal) => Some(Input::Stop(StopCause::Keyboard(signal))),
            Typed::Resumed => {
                self.tree.resume();
                None
            }
        }
    }

    /// A command that stops itself alone would leave its shell waiting for us: then we stop too.
    ///
    /// Ctrl-Z stops the whole group, us with it, and fg wakes all of it, one after the other. Had we looked at the
    /// command before that stop, or right after the wake-up and before its own, and acted on it, we would stop a
    /// job that was just continued. So we look only when a stop of the group would have reached us already, and
    /// when it has (we are late), once more.
    pub(super) fn follow_leader_stop(&mut self) -> Option<Input> {
        let due = self.follow_stop?;
        let stopped = process::info(self.tree.leader()).is_some_and(|info| info.state == 'T');
        let late = due.elapsed() > GROUP_STOP / 2;
        self.follow_stop = (stopped && late).then(|| Instant::now() + GROUP_STOP);
        if stopped && !late {
            sys::stop_self();
        }
        None
    }

    fn leader_ended(&mut self, exit: Exit) -> Input {
        self.exit = Some(exit);
        let up = matches!(self.state, State::Starting { .. } | State::Ready { .. });
        let serving = self.serving_member().filter(|_| up && exit == Exit::Code(0));
        if serving.is_some() {
            self.serving.seen(serving);
        }
        Input::LeaderExited { serving: serving.is_some() }
    }

    /// After the command's exit, whenever the member that served has ended.
    pub(super) fn look_who_serves(&mut self) -> Option<Input> {
        let serving = self.serving_member();
        self.serving.seen(serving);
        let wait = matches!(self.serving, Serving::Nobody(_));
        (!wait).then_some(Input::LeaderExited { serving: serving.is_some() })
    }

    /// The member that listens on the server's port, if one does.
    pub(super) fn serving_member(&self) -> Option<u32> {
        let port = self.answer.as_ref().map_or(self.session.port(), |answer| answer.port);
        let members = process::members(self.tree.guard());
        if members.is_empty() {
            return None;
        }
        let listeners = sys::listeners_of(&members, port.get()).unwrap_or_default();
        listeners.into_iter().find(|(_, listener)| listener.port == port.get()).map(|(pid, _)| pid)
    }

    pub(super) fn readiness(&mut self, answer: Result<Answer, NotReady>) -> Input {
        match answer {
            Ok(answer) => {
                self.answer = Some(answer);
                Input::BecameReady
            }
            Err(NotReady::Stranger { who, .. }) => {
                self.not_ready = Some(who);
                Input::StrangerAnswers
            }
            Err(NotReady::Impossible(why)) => {
                self.not_ready = Some(why);
                Input::ReadyTimedOut
            }
        }
    }

    pub(super) fn health_changed(&mut self, change: Change) -> Input {
        match change {
            Change::Hung { seen, well } => {
                self.hung = Some((seen, well));
                Input::Hung { restart: self.plan.restart != RestartPolicy::Never }
            }
            Change::Recovered => Input::Recovered,
        }
    }
}
