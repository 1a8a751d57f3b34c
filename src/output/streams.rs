//! What a command says, from where it comes to the end of it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::broadcast;

use super::{Log, PassOn, Route};

/// How long a reader of our own streams is waited for when the tree is empty, before anything else is done, and how
/// long the disk.
const DRAIN: Duration = Duration::from_millis(200);

/// So many lines wait for whoever looks at them. Of more the oldest are dropped: what a burst of output ends with is
/// likelier the sign that is waited for than what it began with.
const LINES: usize = 4096;

/// The command's output on its way through us, where it does not go straight to the terminal.
#[derive(Debug)]
pub(crate) struct Streams {
    passing: PassOn,
    /// The lines said, if they were asked for.
    pub(crate) lines: Option<broadcast::Receiver<String>>,
}

impl Streams {
    /// Starts threads that pass on what comes. Without a log file none is kept; a log that fails is said in the
    /// trace.
    pub(crate) fn start(log: Option<PathBuf>, wants_lines: bool, routes: Vec<Route>) -> io::Result<Self> {
        let lines = wants_lines.then(|| broadcast::channel(LINES));
        let (sender, lines) = lines.unzip();
        let log = log.and_then(|path| {
            Log::open(&path)
                .inspect_err(|error| tracing::warn!(target: "devrun::output", %error, "no log is kept"))
                .ok()
        });
        let passing = PassOn::start(routes, log, sender, |error| {
            tracing::warn!(target: "devrun::output", %error, "output is missing in the log");
        })?;
        Ok(Self { passing, lines })
    }

    /// Passes on what is in the pipes; false as long as the reader of one of our own streams does not read.
    pub(crate) fn drained(&mut self) -> bool {
        self.passing.pass_rest(DRAIN)
    }

    /// What is in the pipes is passed on to whoever reads; then nobody is waited for. Returns the end of what was said.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.passing.finish(DRAIN);
        self.passing.tail()
    }
}
