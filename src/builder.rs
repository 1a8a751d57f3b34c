//! The library's front door: says what is to run and how, then starts it.
//!
//! # Theory of operation
//!
//! [`Builder::start`] starts a thread of its own with a single-threaded runtime, on which the server is
//! supervised; so it works in a test, in a Tauri setup hook and inside any async runtime. The server's processes
//! hang on a *guard* process, which ends them when this program is gone, however it went.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;

use crate::attempt::Context;
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::plan::{self, Facts, Port, PortRange, ReadyCheck, Request, Sources};
use crate::server::{Server, Shared};
use crate::supervise::{self, Outcome};

/// How long [`Builder::start`] waits for readiness unless told otherwise.
const READY_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// A dev server that is to be started. Made by [`Server::command`].
pub struct Builder {
    request: Request,
    environment: Vec<(OsString, OsString)>,
    listener: Option<Box<dyn FnMut(&Event) + Send>>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the environment: its values are nobody's business.
        f.debug_struct("Builder").field("request", &self.request).finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new(program: &OsStr) -> Self {
        let request = Request { command: vec![program.into()], ..Request::default() };
        Self { request, environment: Vec::new(), listener: None }
    }

    /// Adds an argument of the command. `{port}`, `{url}`, `{host}` and `{name}` stand for their values.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.request.command.push(arg.as_ref().into());
        self
    }

    /// Adds arguments of the command, as [`arg`](Self::arg) does.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.request.command.extend(args.into_iter().map(|arg| arg.as_ref().into()));
        self
    }

    /// Sets a variable of the command's environment, over what devrun would set.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().into(), value.as_ref().into()));
        self
    }

    /// Runs the command in this folder. Default: the current one.
    #[must_use]
    pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.request.cwd = Some(folder.into());
        self
    }

    /// Names the server. Default: the project's name. Two servers of one folder need two names.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.request.name = Some(name.into());
        self
    }

    /// Prefers this port. Default: the last port of this project, else one derived from its path. If it is busy,
    /// the next free one is taken.
    #[must_use]
    pub fn port(mut self, port: Port) -> Self {
        self.request.port = Some(port);
        self
    }

    /// Takes ports from this range. Default: 3000-4999.
    #[must_use]
    pub fn port_range(mut self, range: PortRange) -> Self {
        self.request.port_range = Some(range);
        self
    }

    /// Makes a busy port an error of [`Kind::PortTaken`] instead of a reason to take the next one.
    #[must_use]
    pub fn strict_port(mut self) -> Self {
        self.request.strict_port = Some(true);
        self
    }

    /// Counts the server as ready when a GET of this path is answered with a status below 500. Default: `/`.
    #[must_use]
    pub fn ready_path(mut self, path: impl Into<String>) -> Self {
        self.request.ready = Some(ReadyCheck::Path(path.into()));
        self
    }

    /// Counts the server as ready when it accepts a connection on its port.
    #[must_use]
    pub fn ready_when_listening(mut self) -> Self {
        self.request.ready = Some(ReadyCheck::Tcp);
        self
    }

    /// How long [`start`](Self::start) waits for readiness. Default: 5 minutes.
    #[must_use]
    pub fn ready_timeout(mut self, timeout: Duration) -> Self {
        self.request.ready_timeout = Some(timeout);
        self
    }

    /// The grace period between the stop signal and SIGKILL. Default: 5 seconds.
    #[must_use]
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.request.stop_timeout = Some(timeout);
        self
    }

    /// Calls `listener` with every [`Event`], on the thread that supervises the server: it should return soon.
    #[must_use]
    pub fn on_event(mut self, listener: impl FnMut(&Event) + Send + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// Starts the server and returns when it is ready.
    ///
    /// Blocks the calling thread; in async code, call it through your runtime's way of blocking. Errs when the
    /// command can't be found or executed, when no port is free, when the server exits before it is ready or is
    /// not ready in time, and when the same server runs already. After an error nothing is left running.
    pub fn start(self) -> Result<Server, Error> {
        let Builder { mut request, environment, listener } = self;
        request.ready_timeout.get_or_insert(READY_TIMEOUT);
        let facts = Facts::gather(&request, Sources::None)?;
        let plan = plan::make(request, &facts)?;
        let (stop, stops) = unbounded_channel();
        let context = Context { stops, stop: stop.clone(), environment, owns_process: false };
        let server =
            Server::on_a_thread(stop, move |shared| supervise_here(&plan, context, listener, shared))?;
        server.wait_until_ready()?;
        Ok(server)
    }
}

fn supervise_here(
    plan: &plan::Plan,
    context: Context,
    mut listener: Option<Box<dyn FnMut(&Event) + Send>>,
    shared: &Shared,
) -> Result<Outcome, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Error::new(Kind::Internal, "no runtime could be made to supervise the server").source(error)
    })?;
    let mut say = |event: Event| {
        shared.heard(&event);
        if let Some(listener) = &mut listener {
            listener(&event);
        }
    };
    runtime.block_on(supervise::run(plan, context, &mut say))
}
