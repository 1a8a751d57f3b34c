//! From a plan and its ports to a running tree: everything that has to be in place before the command starts.

use std::ffi::OsString;
use std::io;
use std::time::{Duration, Instant};

use crate::error::{Error, Kind};
use crate::output::{Route, Streams};
use crate::plan::{Plan, ReadyCheck};
use crate::session::Session;
use crate::sys::{self, Pipe, Pty, SavedTerminal, Stream, Tree};
use crate::terminal::{self, Terminal};
use crate::{spare, spawn};

/// The grace period when nobody is there to wait.
pub(crate) const SHORT_GRACE: Duration = Duration::from_secs(2);

/// A command that runs under its guard.
pub(crate) struct Launched {
    pub(crate) tree: Tree,
    /// `None`: it writes to our streams itself.
    pub(crate) output: Option<Streams>,
    pub(crate) terminal: Terminal,
    pub(crate) started: Instant,
}

/// Finds the program and starts it. `environment` goes over everything else; `owns_process`: this process does
/// nothing but run the server, so that its terminal is the server's.
pub(crate) fn launch(
    plan: &Plan,
    session: &Session,
    environment: &[(OsString, OsString)],
    owns_process: bool,
) -> Result<Launched, Error> {
    let command = plan.command(&session.port_set());
    let environment = spawn::environment(&command, session.run_id(), environment);
    let path = environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
    let program = spawn::find_program(&command.program, path.as_deref(), &plan.cwd)?;

    let terminals = terminal::standard_streams();
    let wants_lines = matches!(plan.ready, ReadyCheck::Log(_));
    // A chained command has the terminal as well, and could not do with one in raw mode.
    let alone = owns_process && plan.then.is_none();
    let way = way(terminals, plan.log || wants_lines, alone);
    let no_pipe = |error| Error::new(Kind::Internal, "no pipe could be made for the output").source(error);
    let wired = Wired::new(way, plan, terminals[2]).map_err(no_pipe)?;
    let grace = plan.stop.timeout.min(SHORT_GRACE);
    // Before the command can change them. Those of a program that does more than this are its own to change.
    let ours = || SavedTerminal::of_this_process().filter(|_| owns_process);
    let shared = ours();
    let for_guard = wired.pty.as_ref().map_or_else(ours, Pty::ours);
    let started = Instant::now();
    let tree = Tree::spawn(sys::Spawn {
        program: program.clone(),
        argv: [command.program].into_iter().chain(command.args).collect(),
        environment,
        cwd: plan.cwd.clone(),
        own_group: way == Way::Piped,
        outputs: wired.outputs,
        hold: session.held().map_err(|error| {
            Error::new(Kind::Internal, "the lock can't be handed to the guard").source(error)
        })?,
        spare: spare::list(&plan.spare),
        orphaned: (sys::signal_number(plan.stop.signal), grace),
        terminal: for_guard,
        pty: wired.input,
    })
    .map_err(|error| spawn::explain(error, &program, &plan.cwd))?;
    let terminal = match wired.pty {
        Some(pty) => Terminal::between(pty, tree.leader())
            .map_err(|error| Error::new(Kind::Internal, "the terminal can't be passed on").source(error))?,
        None => shared.map_or(Terminal::None, Terminal::Shared),
    };
    // Our terminal is in the mode for it now.
    let output = (way != Way::Shared)
        .then(|| Streams::start(session.log_file(), wants_lines, wired.routes))
        .transpose()
        .map_err(no_pipe)?;
    Ok(Launched { tree, output, terminal, started })
}

/// How the command is connected to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It has our terminal, and our streams.
    Shared,
    /// It has our terminal; its output goes through us.
    SharedButOutput,
    /// It has a terminal of its own, and we are between that and ours.
    Between,
    /// There is no terminal; its output goes through us.
    Piped,
}

/// Which of the standard streams are terminals, whether the output is to be read, and whether the terminal is ours to
/// put into another mode.
fn way([input, output, error]: [bool; 3], reads: bool, owns_process: bool) -> Way {
    if !(input || output || error) {
        Way::Piped
    } else if !reads {
        Way::Shared
    } else if input && output && owns_process {
        Way::Between
    } else {
        Way::SharedButOutput
    }
}

/// The command's ends of its streams, and ours.
#[derive(Default)]
struct Wired {
    routes: Vec<Route>,
    input: Option<Pipe>,
    outputs: [Option<Pipe>; 2],
    pty: Option<Pty>,
}

impl Wired {
    fn new(way: Way, plan: &Plan, stderr_is_terminal: bool) -> io::Result<Self> {
        // In the background nobody is there to pass it on to.
        let to = |stream| (!plan.detached).then_some(stream);
        let pty = match way {
            Way::Shared => return Ok(Self::default()),
            Way::SharedButOutput | Way::Piped => None,
            Way::Between => Pty::open()
                .inspect_err(|error| tracing::warn!(target: "devrun::launch", %error, "no pseudo-terminal"))
                .ok(),
        };
        let (out, of_out) = match &pty {
            Some(pty) => {
                let to = Some(sys::own_stream(Stream::Stdout)?);
                (Route { from: pty.output()?, to }, pty.of_command()?)
            }
            None => Route::pipe(to(Stream::Stdout))?,
        };
        let mut routes = vec![out];
        let of_err = match pty.as_ref().filter(|_| stderr_is_terminal) {
            Some(pty) => pty.of_command()?,
            None => {
                let (err, of_err) = Route::pipe(to(Stream::Stderr))?;
                routes.push(err);
                of_err
            }
        };
        let input = pty.as_ref().map(Pty::of_command).transpose()?;
        Ok(Self { routes, input, outputs: [Some(of_out), Some(of_err)], pty })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_shared_unless_the_output_is_to_be_read() {
        let (yes, no) = (true, false);
        let table = [
            ([no, no, no], yes, yes, Way::Piped),
            ([no, no, no], no, yes, Way::Piped),
            ([yes, yes, yes], no, yes, Way::Shared),
            ([no, no, yes], no, yes, Way::Shared),
            ([yes, yes, yes], yes, yes, Way::Between),
            ([yes, yes, no], yes, yes, Way::Between),
            ([yes, yes, yes], yes, no, Way::SharedButOutput),
            ([yes, no, yes], yes, yes, Way::SharedButOutput),
            ([no, yes, yes], yes, yes, Way::SharedButOutput),
        ];
        for (terminals, reads, owns_process, expected) in table {
            assert_eq!(way(terminals, reads, owns_process), expected, "{terminals:?} {reads} {owns_process}");
        }
    }
}
