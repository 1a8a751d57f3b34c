//! The library's front door: a builder, and a handle on a running server.
//!
//! # Theory of operation
//!
//! [`Builder::start`] starts a thread of its own with a single-threaded runtime, on which the server is
//! supervised; so it works in a test, in a Tauri setup hook and inside any async runtime. The server's processes
//! hang on a *guard* process, which ends them when this program is gone, however it went.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::error::{Error, Kind};
use crate::event::{Event, Exit, StopCause};
use crate::plan::{self, Facts, Port, PortRange, ReadyCheck, Request, Sources};
use crate::supervise::{self, Context, Outcome};

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
        let shared = Arc::new(Shared::default());
        let (stop, stops) = unbounded_channel();
        let context = Context { stops, environment, owns_process: false };
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("devrun".into())
                .spawn(move || {
                    // Also when this thread panics, whoever waits is told.
                    let _over = SayOver(&shared);
                    let ended = supervise_here(&plan, context, listener, &shared);
                    shared.lock().ended.get_or_insert(ended);
                })
                .map_err(|error| {
                    Error::new(Kind::Internal, "no thread could be made for the server").source(error)
                })?
        };
        let server = Server { shared, stop, thread: Mutex::new(Some(thread)) };
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

/// A running dev server. It lives until it is stopped or dropped, or this program ends, in whatever way.
///
/// Dropping stops it as [`stop`](Self::stop) does, and waits for that: at most the grace period and a few
/// seconds. A program that is killed drops nothing; then the guard ends the server, within two seconds.
///
/// ```no_run
/// use devrun::Server;
///
/// let server = Server::command("npm").args(["run", "dev"]).start()?;
/// println!("{} is ready", server.url());
/// server.stop()?;
/// # Ok::<(), devrun::Error>(())
/// ```
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    stop: UnboundedSender<StopCause>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Server {
    /// A server that runs this program, found in PATH or in a `node_modules/.bin` of the folder.
    ///
    /// ```
    /// use devrun::Server;
    /// use std::io::Read;
    ///
    /// let server = Server::command("python3")
    ///     .args(["-m", "http.server", "{port}", "--bind", "127.0.0.1"])
    ///     .name("doc-example")
    ///     .start()?;
    /// assert!(server.url().ends_with(&server.port().to_string()));
    /// server.stop()?;
    /// # Ok::<(), devrun::Error>(())
    /// ```
    pub fn command(program: impl AsRef<OsStr>) -> Builder {
        let request = Request { command: vec![program.as_ref().into()], ..Request::default() };
        Builder { request, environment: Vec::new(), listener: None }
    }

    /// Where it answers, e.g. `http://localhost:4123`.
    pub fn url(&self) -> String {
        self.shared.lock().url.clone()
    }

    /// The port it answers on.
    pub fn port(&self) -> u16 {
        self.shared.lock().port.map_or(0, Port::get)
    }

    /// The pid of the command.
    pub fn pid(&self) -> u32 {
        self.shared.lock().pid
    }

    /// Whether its processes still run.
    pub fn is_running(&self) -> bool {
        self.shared.lock().ended.is_none()
    }

    /// Stops it and returns when none of its processes is left. Stopping what has stopped does nothing.
    ///
    /// Errs when the guard was lost or a server of the same name could not be told apart; its processes are gone
    /// then, too.
    pub fn stop(&self) -> Result<(), Error> {
        let _ = self.stop.send(StopCause::Asked);
        self.wait().map(|_| ())
    }

    /// Waits until none of its processes is left; says how the command ended.
    pub fn wait(&self) -> Result<Exit, Error> {
        let mut state = self.shared.lock();
        while state.ended.is_none() {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
        match &mut self.shared.lock().ended {
            Some(Ok(outcome)) => outcome.error.take().map_or(Ok(outcome.exit), Err),
            Some(Err(_)) | None => Err(thread_gone()),
        }
    }

    fn wait_until_ready(&self) -> Result<(), Error> {
        let mut state = self.shared.lock();
        while !state.ready && state.ended.is_none() {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.ready {
            return Ok(());
        }
        // Whoever asks again hears of the end only.
        match state.ended.replace(Err(thread_gone())) {
            Some(Ok(Outcome { already_running: Some(url), .. })) => {
                Err(Error::new(Kind::Internal, format!("the server runs already, at {url}"))
                    .hint("give this one another name(), or stop that one"))
            }
            Some(Ok(Outcome { error: Some(error), .. })) | Some(Err(error)) => Err(error),
            Some(Ok(outcome)) => Err(Error::new(
                Kind::Internal,
                format!("the server ended before it was ready: {:?}", outcome.exit),
            )),
            None => Err(thread_gone()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

fn thread_gone() -> Error {
    Error::new(Kind::Internal, "the thread that supervised the server has ended")
}

/// What the supervising thread and the handle share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    url: String,
    port: Option<Port>,
    pid: u32,
    ready: bool,
    ended: Option<Result<Outcome, Error>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard(&self, event: &Event) {
        if let Event::Ready { url, port, pid, .. } = event {
            let mut state = self.lock();
            state.url.clone_from(url);
            (state.port, state.pid, state.ready) = (Some(*port), *pid, true);
            self.changed.notify_all();
        }
    }
}

/// Marks the end when the supervising thread ends, by return or by panic.
struct SayOver<'a>(&'a Shared);

impl Drop for SayOver<'_> {
    fn drop(&mut self) {
        self.0.lock().ended.get_or_insert_with(|| Err(thread_gone()));
        self.0.changed.notify_all();
    }
}
