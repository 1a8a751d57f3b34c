//! One start of the command, from the spawn to the empty tree: the one loop that waits for whatever happens to a tree.
//! What follows from what stands in `lifecycle`; here it is done.

mod acts;
mod inputs;
mod serving;
mod snapshots;

use std::cell::Cell;
use std::ffi::OsString;
use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::error::Error;
use crate::event::{Event, Exit, Left, Seen, StopCause};
use crate::health::Health;
use crate::launch::{self, Launched};
use crate::lifecycle::{Ended, Input, Leader, State};
use crate::output::Streams;
use crate::plan::Plan;
use crate::ready::{self, Answer};
use crate::session::Session;
use crate::sys::Tree;
use crate::terminal::Terminal;
use serving::Serving;
use snapshots::Snapshots;

/// When the first word comes on a server that is not ready, and how often from then on.
const WAITING: Duration = Duration::from_secs(30);

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
    /// What was seen when it was found unhealthy, and when it was last well.
    hung: Option<(Seen, Instant)>,
    /// Why it will not become ready, in words.
    not_ready: Option<String>,
    emptied: Emptied,
    /// When to look whether the command has stopped itself alone.
    follow_stop: Option<Instant>,
    serving: Serving,
    snapshots: Snapshots,
    /// A key was typed before there was a command that it could reach.
    key_missed: bool,
}

/// What an ended tree leaves to tell.
#[derive(Default)]
struct Emptied {
    at: Option<Instant>,
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
            snapshots: Snapshots::since(started),
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
        let mut readiness = std::pin::pin!(Some(ready::wait(self.target(), |now| {
            listened.set(listened.get() || !matches!(now, Seen::NothingListens | Seen::NoSign));
            seen.set(now);
        })));
        self.hear_early(stops, say);
        let deadline = self.plan.ready_timeout.and_then(|limit| self.started.checked_add(limit));
        let mut waiting = self.started + WAITING;
        loop {
            let starting = matches!(self.state, State::Starting { .. });
            let up = matches!(self.state, State::Starting { .. } | State::Ready { .. });
            if !starting {
                readiness.set(None); // and with it the lines that nobody takes
            }
            let input = tokio::select! {
                biased;
                event = self.tree.next() => self.tree_event(event, say),
                Some(cause) = stops.recv() => Some(Input::Stop(cause)),
                typed = self.terminal.typed() => self.typed(typed),
                () = self.serving.look_again(), if up => self.look_who_serves(),
                change = Health::next(&mut self.health), if up => Some(self.health_changed(change)),
                answer = of(readiness.as_mut()), if starting => Some(self.readiness(answer)),
                () = at(deadline), if starting => Some(Input::ReadyTimedOut),
                () = at(Some(waiting)), if starting => {
                    say(Event::Waiting { ms: self.age_ms(), seen: seen.get() });
                    waiting += WAITING;
                    None
                }
                () = at(self.follow_stop) => self.follow_leader_stop(),
                () = at(self.snapshots.due()), if up => {
                    self.session.saw_members(&self.tree);
                    self.session.say_news(say);
                    self.snapshots.taken();
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

    fn age_ms(&self) -> u64 {
        self.started.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }
}

/// What comes of it; nothing ever without it.
async fn of<F: Future>(future: Pin<&mut Option<F>>) -> F::Output {
    match future.as_pin_mut() {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

/// Waits until then; for ever without a time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}
