//! `--then`: a second command beside the server, once it is ready, in a tree with a guard of its own. It stands around
//! `supervise`: hears its events, and passes on to it what asks it to stop. What follows from what is decided in
//! `chain`; no signal, no port and no record is handled here.
//!
//! Both commands have the same terminal, or the same three streams: a Ctrl-C that is typed reaches both at once, as it
//! does every part of a shell's job. Whatever else asks devrun to stop ends this command first, then the server.

mod chain;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::attempt::Context;
use crate::error::{Error, Kind};
use crate::event::{Event, Exit, StopCause};
use crate::launch::SHORT_GRACE;
use crate::plan::{self, Plan, Port, StopSignal};
use crate::registry::{Record, Registry, new_run_id};
use crate::spawn::{self, OwnerWatch};
use crate::supervise::{self, Outcome};
use crate::sys::{self, SavedTerminal, Tree, TreeEvent};
use crate::{spare, terminal};
use chain::{Act, Input, Stage};

/// Whether any of the three standard streams is one.
fn has_terminal() -> bool {
    terminal::standard_streams().contains(&true)
}

/// Runs the server, and beside it what the plan wants to be run then. Without such a wish, `supervise::run`.
pub(crate) async fn run(plan: &Plan, context: Context, say: &mut dyn FnMut(Event)) -> Result<Outcome, Error> {
    // Before anything starts: nothing is begun for a caller that is gone already.
    let _watch = OwnerWatch::start(plan.owner, context.stop.clone())?;
    let Some(command) = &plan.then else { return supervise::run(plan, context, say).await };
    let Context { mut stops, stop, environment, owns_process } = context;
    let (to_server, server_stops) = unbounded_channel();
    let (heard, mut hears) = unbounded_channel();
    let say = RefCell::new(say);
    let mut tell = |event: Event| {
        let _ = heard.send(event.clone());
        say.borrow_mut()(event);
    };
    // What asks for a stop through `stop` comes here first.
    let context = Context { stops: server_stops, stop, environment, owns_process };
    let mut server = std::pin::pin!(supervise::run(plan, context, &mut tell));
    let mut then = Then::new(plan, command, owns_process, to_server);
    let mut ended = None;
    while ended.is_none() || then.stage != Stage::Over {
        let input = tokio::select! {
            biased;
            Some(event) = hears.recv() => then.server_said(&event),
            event = then.tree_event() => then.heard(event),
            Some(cause) = stops.recv() => Some(Input::Stop(cause)),
            outcome = &mut server, if ended.is_none() => {
                let elsewhere = outcome.as_ref().ok().and_then(|outcome| outcome.already_running.clone());
                ended = Some(outcome);
                Some(elsewhere.map_or(Input::ServerEnded, |url| {
                    then.runs_elsewhere(url);
                    Input::Ready
                }))
            }
        };
        if let Some(input) = input {
            then.step(input, &mut **say.borrow_mut());
        }
    }
    ended.expect("the loop ends after the server").and_then(|outcome| then.outcome(outcome))
}

/// The second command.
struct Then<'a> {
    plan: &'a Plan,
    command: &'a plan::Then,
    owns_process: bool,
    to_server: UnboundedSender<StopCause>,
    stage: Stage,
    tree: Option<Tree>,
    /// Where the server answers.
    url: String,
    /// The server's further ports, by name.
    extra_ports: BTreeMap<String, Port>,
    /// Since when it is being ended.
    ending: Instant,
    exit: Option<Exit>,
    /// Why it was ended.
    cause: Option<StopCause>,
    /// It could not be started.
    failed: Option<Error>,
    guard_lost: bool,
}

impl<'a> Then<'a> {
    fn new(
        plan: &'a Plan,
        command: &'a plan::Then,
        owns_process: bool,
        to_server: UnboundedSender<StopCause>,
    ) -> Self {
        Self {
            plan,
            command,
            owns_process,
            to_server,
            stage: Stage::Waiting,
            tree: None,
            url: String::new(),
            extra_ports: BTreeMap::new(),
            ending: Instant::now(),
            exit: None,
            cause: None,
            failed: None,
            guard_lost: false,
        }
    }

    async fn tree_event(&mut self) -> TreeEvent {
        match &mut self.tree {
            Some(tree) => tree.next().await,
            None => std::future::pending().await,
        }
    }

    /// What the server's run says, as far as it matters here.
    fn server_said(&mut self, event: &Event) -> Option<Input> {
        if let Event::Started { extra_ports, .. } = event {
            self.extra_ports.clone_from(extra_ports);
        }
        if let Event::Ready { url, .. } = event {
            self.url.clone_from(url);
            return Some(Input::Ready);
        }
        let Event::Stopping { cause } = event else { return None };
        Some(Input::ServerStopping(cause.clone()))
    }

    /// Another devrun runs the server, at this URL.
    fn runs_elsewhere(&mut self, url: String) {
        self.url = url;
        let record = self.live_record();
        self.extra_ports = record.map(|record| record.extra_ports).unwrap_or_default();
    }

    fn heard(&mut self, event: TreeEvent) -> Option<Input> {
        match event {
            TreeEvent::LeaderExited(code) => self.exit = Some(Exit::Code(code)),
            TreeEvent::LeaderSignalled(signal) => self.exit = Some(Exit::Signal(signal)),
            TreeEvent::LeaderStopped | TreeEvent::Blind | TreeEvent::Scans => return None,
            TreeEvent::Empty { .. } => return Some(Input::Empty),
            TreeEvent::GuardLost => {
                self.guard_lost = true;
                // What it leaves has become ours. The server's guard, ours too, is left out.
                if self.owns_process {
                    sys::end_adopted(&spare::list(&self.plan.spare), &[sys::own_session()]);
                }
                return Some(Input::Empty);
            }
        }
        Some(Input::Exited)
    }

    /// One step of the chain, and what it says to do.
    fn step(&mut self, input: Input, say: &mut dyn FnMut(Event)) {
        let (stage, acts) = chain::step(&self.stage, &input, self.ending.elapsed(), has_terminal());
        tracing::info!(target: "devrun::then", ?input, ?stage, ?acts);
        self.stage = stage;
        for act in acts {
            match act {
                Act::Start => self.start(say),
                Act::End { cause, short } => self.end(cause, short),
                Act::Kill => self.tree.iter().for_each(Tree::kill),
                Act::Tell(cause) => drop(self.to_server.send(cause)),
                Act::SayEnded => {
                    say(Event::ThenEnded { exit: self.exit.unwrap_or(Exit::Signal(sys::KILLED)) });
                }
            }
        }
    }

    fn start(&mut self, say: &mut dyn FnMut(Event)) {
        match self.spawn() {
            Ok(tree) => {
                say(Event::ThenStarted { pid: tree.leader() });
                self.tree = Some(tree);
            }
            Err(error) => {
                self.exit = Some(Exit::Code(error.kind().exit_code().into()));
                self.failed = Some(error);
                self.step(Input::Empty, say);
            }
        }
    }

    fn end(&mut self, cause: StopCause, short: bool) {
        let typed = matches!(cause, StopCause::Keyboard(_)) && has_terminal();
        let timeout = self.plan.stop.timeout;
        let grace = if short { timeout.min(SHORT_GRACE) } else { timeout };
        if let Some(tree) = &self.tree {
            tree.stop(sys::signal_number(StopSignal::Term), grace, typed);
        }
        self.ending = Instant::now();
        self.cause = Some(cause);
    }

    /// Starts the command under a guard. It writes where we write: nothing of it goes into the server's log.
    fn spawn(&self) -> Result<Tree, Error> {
        let command = self.plan.then_command(self.command, &self.url, &self.extra_ports, sys::SHELL);
        let path = search_path(&self.plan.cwd);
        let program = spawn::find_program(&command.program, path.as_deref(), &self.plan.cwd)?;
        let path = path.map(|path| (OsString::from("PATH"), path));
        let environment = spawn::environment(&command, &self.run_id(), path.as_slice());
        Tree::spawn(sys::Spawn {
            program: program.clone(),
            argv: std::iter::once(command.program).chain(command.args).collect::<Vec<OsString>>(),
            environment,
            cwd: self.plan.cwd.clone(),
            own_group: !has_terminal(),
            outputs: [None, None],
            hold: Vec::new(),
            // A browser that a test run has started is its own.
            spare: spare::named(&self.plan.spare),
            orphaned: (sys::signal_number(StopSignal::Term), self.plan.stop.timeout.min(SHORT_GRACE)),
            terminal: SavedTerminal::of_this_process(),
            pty: None,
        })
        .map_err(|error| spawn::explain(error, &program, &self.plan.cwd))
    }

    /// The server's run: by its id, what a crash of devrun leaves of this command is found too.
    fn run_id(&self) -> String {
        let ours = self
            .live_record()
            .filter(|record| record.front.is_some_and(|front| front.pid == std::process::id()));
        ours.map_or_else(new_run_id, |record| record.run)
    }

    /// What the server's devrun has written down.
    fn live_record(&self) -> Option<Record> {
        Registry::open().ok()?.live_record(&self.plan.id)
    }

    /// How the run ended: as this command did, if it could run to its end.
    fn outcome(self, server: Outcome) -> Result<Outcome, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let killed = self.guard_lost.then_some(Exit::Signal(sys::KILLED));
        let Some(exit) = self.exit.or(killed) else { return Ok(server) };
        match self.cause {
            Some(StopCause::LeaderExited) => {
                let text = format!("{} ended while the chained command ran", self.plan.name);
                let error = server.error.or_else(|| Some(Error::new(Kind::Internal, text)));
                Ok(Outcome { error, ..server })
            }
            cause => Ok(Outcome { exit, cause: cause.or(Some(StopCause::ThenEnded)), ..server }),
        }
    }
}

/// PATH, and after it every `node_modules/.bin` of the folder and of those above it.
fn search_path(cwd: &Path) -> Option<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let bins = spawn::local_bins(cwd).filter(|bin| bin.is_dir());
    std::env::join_paths(std::env::split_paths(&path).chain(bins)).ok()
}
