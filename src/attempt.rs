//! One start of the command, from the spawn to the empty tree: the only place that waits for several things at
//! once. What follows from what stands in `lifecycle`; here it is done.

use std::cell::Cell;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::error::Error;
use crate::event::{Event, Exit, Left, LeftWhy, Seen, StopCause};
use crate::health::{Change, Health};
use crate::launch::{self, Launched, SHORT_GRACE};
use crate::lifecycle::{self, Act, Early, Ended, Grace, Input, Leader, Signalled, State};
use crate::output::{self, Diagnosis, Streams};
use crate::plan::{Plan, RestartPolicy};
use crate::ready::{self, Answer, NotReady};
use crate::serving::Serving;
use crate::session::Session;
use crate::sys::process;
use crate::sys::{self, Tree, TreeEvent, Typed};
use crate::terminal::Terminal;
use crate::{outcome, spare};

/// When the first word comes on a server that is not ready, and how often from then on.
const WAITING: Duration = Duration::from_secs(30);

/// After readiness the members are written down once more at these times: a crash of front and guard together
/// leaves nothing that was not written. Few and far between, so that an idle server costs nothing.
const SNAPSHOTS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];

/// How often it is looked whether a reader that does not read does so again.
const DRAIN_LOOK: Duration = Duration::from_millis(20);

/// By then a stop of the whole group has reached this process.
const GROUP_STOP: Duration = Duration::from_millis(50);

/// What a run needs besides its plan.
pub(crate) struct Context {
    /// Who wants the server to stop, and why.
    pub(crate) stops: UnboundedReceiver<StopCause>,
    /// The way to say so.
    pub(crate) stop: UnboundedSender<StopCause>,
    /// Further variables for the command.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// This process does nothing but run the server: what its guard leaves becomes its own.
    pub(crate) owns_process: bool,
}

/// One start of the command.
pub(crate) struct Attempt<'a> {
    plan: &'a Plan,
    session: &'a mut Session,
    tree: Tree,
    output: Option<Streams>,
    terminal: Terminal,
    owns_process: bool,
    started: Instant,
    state: State,
    exit: Option<Exit>,
    ready_at: Option<Instant>,
    answer: Option<Answer>,
    health: Option<Health>,
    /// What was seen when it was found unhealthy.
    hung: Option<Seen>,
    /// Why it will not become ready, in words.
    not_ready: Option<String>,
    emptied: Emptied,
    /// When to look whether the command has stopped itself alone.
    follow_stop: Option<Instant>,
    serving: Serving,
    /// A key was typed before there was a command that it could reach.
    key_missed: bool,
}

/// What an ended tree leaves to tell.
#[derive(Default)]
struct Emptied {
    killed: u32,
    left: Vec<Left>,
    guard_lost: bool,
}

/// How one start ended.
pub(crate) struct End {
    pub(crate) ended: Ended,
    pub(crate) killed: u32,
    pub(crate) left: Vec<Left>,
    pub(crate) error: Option<Error>,
    /// The end of what it said, where that was read.
    pub(crate) tail: Vec<u8>,
}

impl<'a> Attempt<'a> {
    /// Finds the program and starts it under a guard.
    pub(crate) fn start(
        plan: &'a Plan,
        session: &'a mut Session,
        context: &Context,
        say: &mut dyn FnMut(Event),
    ) -> Result<Self, Error> {
        let Launched { tree, output, terminal, started } =
            launch::launch(plan, session, &context.environment, context.owns_process)?;
        session.started(&tree, !context.owns_process, say);
        say(Event::Started {
            name: plan.name.clone(),
            url: session.url().to_string(),
            port: session.port(),
            pid: tree.leader(),
            cwd: plan.cwd.clone(),
            extra_ports: session.port_set().extra.into_iter().collect(),
        });
        Ok(Self {
            plan,
            session,
            tree,
            output,
            terminal,
            owns_process: context.owns_process,
            started,
            state: State::Starting { leader: Leader::Running },
            exit: None,
            ready_at: None,
            answer: None,
            health: None,
            hung: None,
            not_ready: None,
            emptied: Emptied::default(),
            follow_stop: None,
            serving: Serving::Command,
            key_missed: false,
        })
    }

    /// Waits for whatever comes until the tree is empty.
    pub(crate) async fn supervise(
        mut self,
        stops: &mut UnboundedReceiver<StopCause>,
        say: &mut dyn FnMut(Event),
    ) -> End {
        let seen = Cell::new(Seen::NothingListens);
        let listened = Cell::new(false);
        let mut readiness = std::pin::pin!(ready::wait(self.target(), |now| {
            listened.set(listened.get() || !matches!(now, Seen::NothingListens | Seen::NoSign));
            seen.set(now);
        }));
        self.hear_early(stops, say);
        let deadline = self.plan.ready_timeout.map(|limit| self.started + limit);
        let mut waiting = self.started + WAITING;
        let mut snapshots = SNAPSHOTS.iter();
        let mut snapshot = None;
        loop {
            let starting = matches!(self.state, State::Starting { .. });
            let up = matches!(self.state, State::Starting { .. } | State::Ready { .. });
            if self.ready_at.is_some() && snapshot.is_none() {
                snapshot = snapshots.next().and_then(|after| Some(self.ready_at? + *after));
            }
            let input = tokio::select! {
                biased;
                event = self.tree.next() => self.tree_event(event, say),
                Some(cause) = stops.recv() => Some(Input::Stop(cause)),
                typed = self.terminal.typed() => self.typed(typed),
                () = self.serving.look_again(), if up => self.look_who_serves(),
                change = Health::next(&mut self.health), if up => Some(self.health_changed(change)),
                answer = &mut readiness, if starting => Some(self.readiness(answer)),
                () = at(deadline), if starting => Some(Input::ReadyTimedOut),
                () = at(Some(waiting)), if starting => {
                    say(Event::Waiting { ms: self.age_ms(), seen: seen.get() });
                    waiting += WAITING;
                    None
                }
                () = at(self.follow_stop) => self.follow_leader_stop(),
                () = at(snapshot), if up => {
                    self.session.saw_members(&self.tree);
                    self.session.say_news(say);
                    snapshot = None;
                    None
                }
            };
            if let Some(input) = input {
                self.step(input, say);
            }
            if let State::Over { cause, for_good } = &self.state {
                let (cause, for_good) = (cause.clone(), *for_good);
                if matches!(cause, None | Some(StopCause::LeaderExited)) {
                    self.drain(stops).await;
                }
                return self.end(cause, for_good, listened.get(), seen.get());
            }
        }
    }

    /// What asked for a stop while the command was being started, which may not have heard of it.
    fn hear_early(&mut self, stops: &mut UnboundedReceiver<StopCause>, say: &mut dyn FnMut(Event)) {
        if let Ok(cause) = stops.try_recv() {
            self.key_missed = true;
            self.step(Input::Stop(cause), say);
        }
    }

    fn target(&mut self) -> ready::Target {
        let guard = self.tree.guard();
        ready::Target {
            port: self.session.port(),
            wished: self.plan.ports.wanted.map(|wanted| wanted.port),
            others: ready::Others {
                ports: self.session.port_set().extra.into_iter().map(|(_, port)| port).collect(),
                patience: self.plan.injection.patience(),
            },
            check: self.plan.ready.at(self.session.port()),
            members: Box::new(move || process::members(guard)),
            lines: self.output.as_mut().and_then(|output| output.lines.take()),
        }
    }

    fn age_ms(&self) -> u64 {
        self.started.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }

    /// What the guard says, as an input to the lifecycle.
    fn tree_event(&mut self, event: TreeEvent, say: &mut dyn FnMut(Event)) -> Option<Input> {
        match event {
            TreeEvent::LeaderExited(code) => Some(self.leader_ended(Exit::Code(code))),
            TreeEvent::LeaderSignalled(signal) => Some(self.leader_ended(Exit::Signal(signal))),
            TreeEvent::LeaderStopped => {
                self.terminal.leader_stopped();
                let shared = self.terminal.is_shared() && self.owns_process;
                self.follow_stop = shared.then(|| Instant::now() + GROUP_STOP);
                None
            }
            TreeEvent::Blind => {
                let text =
                    "/proc is hidden: only the command itself could be asked to end, the rest will be killed";
                say(Event::Warning { text: text.into(), hint: None });
                None
            }
            TreeEvent::Empty { killed, left } => {
                let why = |spared| if spared { LeftWhy::Spared } else { LeftWhy::Unkillable };
                self.emptied.killed = killed;
                self.emptied.left = left
                    .into_iter()
                    .map(|(pid, spared, name)| Left { pid, name, why: why(spared) })
                    .collect();
                Some(Input::TreeEmpty)
            }
            TreeEvent::GuardLost => Some(Input::GuardLost),
        }
    }

    /// What was typed, as an input to the lifecycle.
    fn typed(&mut self, typed: Typed) -> Option<Input> {
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
    fn follow_leader_stop(&mut self) -> Option<Input> {
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
    fn look_who_serves(&mut self) -> Option<Input> {
        let serving = self.serving_member();
        self.serving.seen(serving);
        let wait = matches!(self.serving, Serving::Nobody(_));
        (!wait).then_some(Input::LeaderExited { serving: serving.is_some() })
    }

    /// The member that listens on the server's port, if one does.
    fn serving_member(&self) -> Option<u32> {
        let port = self.answer.as_ref().map_or(self.session.port(), |answer| answer.port);
        let members = process::members(self.tree.guard());
        if members.is_empty() {
            return None;
        }
        let listeners = sys::listeners_of(&members).unwrap_or_default();
        listeners.into_iter().find(|(_, listener)| listener.port == port.get()).map(|(pid, _)| pid)
    }

    fn readiness(&mut self, answer: Result<Answer, NotReady>) -> Input {
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

    fn health_changed(&mut self, change: Change) -> Input {
        match change {
            Change::Hung(seen) => {
                self.hung = Some(seen);
                Input::Hung { restart: self.plan.restart != RestartPolicy::Never }
            }
            Change::Recovered => Input::Recovered,
        }
    }

    /// Asks from now on whether it still answers where it did.
    fn watch_health(&mut self) {
        let (Some(check), Some(answer)) = (&self.plan.health, &self.answer) else { return };
        let (port, guard, question) = (answer.port, self.tree.guard(), check.check.at(answer.port));
        let wished = self.plan.ports.wanted.map(|wanted| wanted.port);
        self.health = Some(Health::watch(check, move || ready::Target {
            port,
            wished,
            others: ready::Others::default(),
            check: question.clone(),
            members: Box::new(move || process::members(guard)),
            lines: None,
        }));
    }

    /// One step of the lifecycle, and what it says to do.
    fn step(&mut self, input: Input, say: &mut dyn FnMut(Event)) {
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
                let seen = self.hung.unwrap_or(Seen::NoAnswer);
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
                self.emptied.guard_lost = true;
                if self.owns_process {
                    self.emptied.killed =
                        sys::end_adopted(&spare::list(&self.plan.spare), self.session.sessions());
                }
                self.session.hunt();
            }
        }
    }

    /// Not of a command that has exited: mostly nothing is left of its tree, and what is ends at once.
    fn announce_stopping(&mut self, say: &mut dyn FnMut(Event)) {
        let State::Stopping { cause, .. } = &self.state else { return };
        say(Event::Stopping { cause: cause.clone() });
        if *cause != StopCause::LeaderExited {
            self.session.stopping();
        }
    }

    fn announce_ready(&mut self, say: &mut dyn FnMut(Event)) {
        self.ready_at = Some(Instant::now());
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
    async fn drain(&mut self, stops: &UnboundedReceiver<StopCause>) {
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

    fn end(mut self, cause: Option<StopCause>, for_good: bool, listened: bool, seen: Seen) -> End {
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
            diagnosis,
        });
        let ready_for = self.ready_at.map(|ready| ready.elapsed()).unwrap_or_default();
        let said = output::last_lines(&tail);
        let unseen = self.plan.detached && !was_ready && !said.is_empty();
        let error = error.map(|error| if unseen { error.output(said) } else { error });
        let Emptied { killed, left, guard_lost } = self.emptied;
        let ended = Ended { early, exit, cause, for_good, guard_lost, ready_for };
        End { ended, killed, left, error, tail }
    }
}

/// Waits until then; for ever without a time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}
