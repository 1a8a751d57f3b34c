//! From a plan and its ports to a running tree: everything that has to be in place before the command starts.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use crate::error::{Error, Kind};
use crate::output::Streams;
use crate::plan::{Plan, ReadyCheck};
use crate::session::Session;
use crate::sys::process::Process;
use crate::sys::{self, SavedTerminal, Tree};
use crate::{spare, spawn};

/// The grace period when nobody is there to wait.
pub(crate) const SHORT_GRACE: Duration = Duration::from_secs(2);

/// A command that runs under its guard.
pub(crate) struct Launched {
    pub(crate) tree: Tree,
    /// `None`: it writes to our streams itself.
    pub(crate) output: Option<Streams>,
    /// The terminal that it shares with us, with the modes from before.
    pub(crate) terminal: Option<SavedTerminal>,
    /// Those with whom it dies.
    pub(crate) owners: Vec<Process>,
    pub(crate) started: Instant,
}

/// Finds the program and starts it. `environment` goes over everything else.
pub(crate) fn launch(
    plan: &Plan,
    session: &Session,
    environment: &[(OsString, OsString)],
) -> Result<Launched, Error> {
    // Watched before the command starts: nothing is begun for a caller that is gone already.
    let owners = spawn::owners(plan.owner)?;
    let command = plan.command(&session.port_set());
    let environment = spawn::environment(&command, session.run_id(), environment);
    let path = environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
    let program = spawn::find_program(&command.program, path.as_deref(), &plan.cwd)?;

    let shares_terminal = sys::has_terminal();
    let wants_lines = matches!(plan.ready, ReadyCheck::Log(_));
    let (output, outputs) = if shares_terminal && !wants_lines {
        (None, [None, None])
    } else {
        let (output, outputs) =
            Streams::start(session.log_file(), wants_lines, !plan.detached).map_err(|error| {
                Error::new(Kind::Internal, "no pipe could be made for the output").source(error)
            })?;
        (Some(output), outputs.map(Some))
    };
    let grace = plan.stop.timeout.min(SHORT_GRACE);
    // Before the command can change them.
    let (terminal, for_guard) = (SavedTerminal::of_this_process(), SavedTerminal::of_this_process());
    let started = Instant::now();
    let tree = Tree::spawn(sys::Spawn {
        program: program.clone(),
        argv: [command.program].into_iter().chain(command.args).collect(),
        environment,
        cwd: plan.cwd.clone(),
        own_group: !shares_terminal,
        outputs,
        hold: session.held().map_err(|error| {
            Error::new(Kind::Internal, "the lock can't be handed to the guard").source(error)
        })?,
        spare: spare::list(&plan.spare),
        orphaned: (sys::signal_number(plan.stop.signal), grace),
        terminal: for_guard,
    })
    .map_err(|error| spawn::explain(error, &program, &plan.cwd))?;
    Ok(Launched { tree, output, terminal, owners, started })
}
