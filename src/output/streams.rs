//! Both output streams of a command, from the pipes that it is given to the end of what it said.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Log, PassOn, Route};
use crate::sys::{self, Pipe, Stream};

/// How long what is in the pipes already is waited for when the tree is empty.
const DRAIN: Duration = Duration::from_millis(200);

/// The command's output on its way through us, where it does not go straight to the terminal.
#[derive(Debug)]
pub(crate) struct Streams {
    passing: PassOn,
    /// The lines said, if they were asked for.
    pub(crate) lines: Option<UnboundedReceiver<String>>,
}

impl Streams {
    /// Pipes for standard output and error, and threads that pass on what comes. Without a log file none is kept;
    /// a log that fails is said in the trace and given up. Without `pass_on` the log is all they go to.
    pub(crate) fn start(
        log: Option<PathBuf>,
        wants_lines: bool,
        pass_on: bool,
    ) -> io::Result<(Self, [Pipe; 2])> {
        let (sender, receiver) = unbounded_channel();
        let ((out, out_of_command), (err, err_of_command)) = (io::pipe()?, io::pipe()?);
        let to = |stream| pass_on.then(|| sys::own_stream(stream)).transpose();
        let routes = [
            Route { from: out.into(), to: to(Stream::Stdout)? },
            Route { from: err.into(), to: to(Stream::Stderr)? },
        ];
        let log = log.and_then(|path| {
            Log::open(&path)
                .inspect_err(|error| tracing::warn!(target: "devrun::output", %error, "no log is kept"))
                .ok()
        });
        let passing = PassOn::start(routes, log, wants_lines.then_some(sender), |error| {
            tracing::warn!(target: "devrun::output", %error, "the log is not kept any longer");
        })?;
        let lines = wants_lines.then_some(receiver);
        Ok((Self { passing, lines }, [out_of_command.into(), err_of_command.into()]))
    }

    /// What is in the pipes is passed on; then nobody is waited for. Returns the end of what was said.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.passing.finish(Instant::now() + DRAIN);
        self.passing.tail()
    }
}
