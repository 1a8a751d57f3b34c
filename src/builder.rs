//! The library's front door: says what is to run and how, then starts it.
//!
//! # Theory of operation
//!
//! [`Builder::start`] starts a thread of its own with a single-threaded runtime, on which the server is
//! supervised; so it works in a test, in a Tauri setup hook and inside any async runtime. The server's processes
//! hang on a *guard* process, which ends them when this program is gone, however it went.

use std::ffi::{OsStr, OsString};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::attempt::Context;
use crate::error::{Error, Kind};
use crate::event::{Event, StopCause};
use crate::events::Events;
use crate::plan::values::PortVariable;
use crate::plan::{
    self, Facts, IfRunning, Owner, Port, PortRange, ReadyCheck, Request, RestartPolicy, Sources, StopSignal,
};
use crate::server::{Server, Shared, off_thread};
use crate::spawn::OwnerWatch;
use crate::supervise::{self, Outcome};

/// A dev server that is to be started. Made by [`Server::command`].
///
/// ```no_run
/// use std::time::Duration;
///
/// use devrun::{Event, Port, PortRange, RestartPolicy, Server, StopSignal};
///
/// let port = |number| Port::new(number).expect("not 0");
/// let server = Server::command("npm")
///     .args(["run", "dev"])
///     .arg("--verbose")
///     .current_dir("web")
///     .env("NODE_ENV", "development")
///     .name("shop")
///     // Where: this port if it is free, else another one of the range.
///     .port(port(4200))
///     .port_range(PortRange::new(port(4200), port(4299)).expect("upwards"))
///     .extra_port("API_PORT", "api")
///     // When it counts as ready, and how long that may take.
///     .ready_path("/health")
///     .ready_timeout(Duration::from_secs(60))
///     // What happens then.
///     .health_interval(Duration::from_secs(10))
///     .health_retries(2)
///     .restart(RestartPolicy::OnFailure(3))
///     .on_event(|event| {
///         if let Event::Unhealthy { seen } = event {
///             eprintln!("it hangs: {seen:?}");
///         }
///     })
///     // How it ends.
///     .stop_signal(StopSignal::Int)
///     .stop_timeout(Duration::from_secs(2))
///     .start()?;
/// println!("{} and the API on {:?}", server.url(), server.extra_port("api"));
/// # Ok::<(), devrun::Error>(())
/// ```
pub struct Builder {
    request: Request,
    environment: Vec<(OsString, OsString)>,
    listener: Option<Box<dyn FnMut(&Event) + Send>>,
    events: Vec<UnboundedSender<Event>>,
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
        Self { request, environment: Vec::new(), listener: None, events: Vec::new() }
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

    /// Counts the server as ready when a GET of this path, which begins with `/`, is answered with a status below 500.
    /// Default: `/`.
    #[must_use]
    pub fn ready_path(mut self, path: impl Into<String>) -> Self {
        self.request.ready = Some(ReadyCheck::Path(path.into()));
        self
    }

    /// Gives this variable a second, separate port, which [`Server::extra_port`] and `{port:NAME}` name.
    #[must_use]
    pub fn extra_port(mut self, variable: impl Into<String>, name: impl Into<String>) -> Self {
        self.request.port_env.push(PortVariable { variable: variable.into(), name: Some(name.into()) });
        self
    }

    /// Sets this variable to the server's port, besides `PORT`.
    #[must_use]
    pub fn port_variable(mut self, variable: impl Into<String>) -> Self {
        self.request.port_env.push(PortVariable { variable: variable.into(), name: None });
        self
    }

    /// Only sets the environment: no argument is added to the command to tell it its port.
    #[must_use]
    pub fn no_inject(mut self) -> Self {
        self.request.no_inject = Some(true);
        self
    }

    /// Counts the server as ready when a GET of this URL is answered with a status below 500, wherever it leads.
    #[must_use]
    pub fn ready_url(mut self, url: impl Into<String>) -> Self {
        self.request.ready = Some(ReadyCheck::Url(url.into()));
        self
    }

    /// Counts the server as ready as soon as the command runs.
    #[must_use]
    pub fn ready_at_once(mut self) -> Self {
        self.request.ready = Some(ReadyCheck::None);
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

    /// Starts the server again when it ends by itself or hangs. Default: [`RestartPolicy::Never`].
    #[must_use]
    pub fn restart(mut self, policy: RestartPolicy) -> Self {
        self.request.restart = Some(policy);
        self
    }

    /// Goes on asking a ready server whether it answers, so often; at least every 100 ms. Default: not at all, and
    /// every 5 seconds with a restart policy. [`Event::Unhealthy`] and [`Event::Healthy`] tell.
    #[must_use]
    pub fn health_interval(mut self, interval: Duration) -> Self {
        self.request.health_interval = Some(interval.max(Duration::from_millis(100)));
        self
    }

    /// So many questions without an answer in a row make it unhealthy. Default: 3.
    #[must_use]
    pub fn health_retries(mut self, retries: u32) -> Self {
        self.request.health_retries = Some(retries.max(1));
        self
    }

    /// Asks a ready server for this path, which begins with `/`. Default: as for readiness.
    #[must_use]
    pub fn health_path(mut self, path: impl Into<String>) -> Self {
        self.request.health = Some(ReadyCheck::Path(path.into()));
        self
    }

    /// Stops the same server first, if it runs already. Default: that is an error.
    #[must_use]
    pub fn replace_running(mut self) -> Self {
        self.request.if_running = Some(IfRunning::Replace);
        self
    }

    /// The signal that asks the server's processes to end. Default: SIGTERM.
    #[must_use]
    pub fn stop_signal(mut self, signal: StopSignal) -> Self {
        self.request.stop_signal = Some(signal);
        self
    }

    /// Leaves this program running when the server ends, in whatever session it is.
    #[must_use]
    pub fn spare(mut self, program: impl Into<String>) -> Self {
        self.request.spare.push(program.into());
        self
    }

    /// Leaves nothing running: no browser, no editor, no shared daemon.
    #[must_use]
    pub fn kill_all(mut self) -> Self {
        self.request.kill_all = Some(true);
        self
    }

    /// The grace period between the stop signal and SIGKILL. Default: 5 seconds.
    #[must_use]
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.request.stop_timeout = Some(timeout);
        self
    }

    /// Calls `listener` with every [`Event`], on the thread that supervises the server: it should return soon. It may
    /// stop the server, but not wait for it: [`Server::stop`] returns at once here. Its panic stops the server, too.
    #[must_use]
    pub fn on_event(mut self, listener: impl FnMut(&Event) + Send + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// All events from the start on, as a stream beside whatever else listens.
    ///
    /// ```no_run
    /// use devrun::Server;
    ///
    /// let (builder, events) = Server::command("npm").args(["run", "dev"]).events();
    /// let server = builder.start()?;
    /// std::thread::spawn(|| events.for_each(|event| println!("{event:?}")));
    /// server.wait()?;
    /// # Ok::<(), devrun::Error>(())
    /// ```
    #[must_use]
    pub fn events(mut self) -> (Self, Events) {
        let (sender, events) = Events::channel();
        self.events.push(sender);
        (self, events)
    }

    /// As [`start`](Self::start), for async code on any runtime. Dropping the future ends what was started, at once.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), devrun::Error> {
    /// let server = devrun::Server::command("npm").args(["run", "dev"]).start_async().await?;
    /// println!("{} answers", server.url());
    /// server.stop_async().await
    /// # }
    /// ```
    pub async fn start_async(self) -> Result<Server, Error> {
        let (stop, stops) = unbounded_channel();
        let mut dropped = Dropped(Some(stop.clone()));
        let server = off_thread(|| self.start_with(stop, stops)).await;
        dropped.0 = None;
        server
    }

    /// Starts the server and returns when it is ready.
    ///
    /// Blocks the calling thread; in async code, call it through your runtime's way of blocking. Errs when the
    /// command can't be found or executed, when no port is free, when the server exits before it is ready or is
    /// not ready in time, and when the same server runs already; with [`Kind::Usage`], when a name, a variable, a path or
    /// a URL can't be one. After an error nothing is left running.
    pub fn start(self) -> Result<Server, Error> {
        let (stop, stops) = unbounded_channel();
        self.start_with(stop, stops)
    }

    fn start_with(
        self,
        stop: UnboundedSender<StopCause>,
        stops: UnboundedReceiver<StopCause>,
    ) -> Result<Server, Error> {
        let Builder { mut request, environment, listener, events } = self;
        request.check().map_err(|why| Error::new(Kind::Usage, why))?;
        request.ready_timeout.get_or_insert(plan::READY_TIMEOUT);
        // It dies with this program, whoever started that.
        request.owner.get_or_insert(Owner::None);
        let facts = Facts::gather(&request, Sources::None)?;
        let plan = plan::make(request, &facts)?;
        let context = Context { stops, stop: stop.clone(), environment, owns_process: false };
        let server = Server::on_a_thread(stop, move |shared| {
            supervise_here(&plan, context, listener, &events, shared)
        })?;
        server.wait_until_ready()?;
        Ok(server)
    }
}

/// Asks for a stop when nobody waits for the server any more.
struct Dropped(Option<UnboundedSender<StopCause>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        if let Some(stop) = &self.0 {
            let _ = stop.send(StopCause::Asked);
        }
    }
}

fn supervise_here(
    plan: &plan::Plan,
    context: Context,
    mut listener: Option<Box<dyn FnMut(&Event) + Send>>,
    events: &[UnboundedSender<Event>],
    shared: &Shared,
) -> Result<Outcome, Error> {
    let stop = context.stop.clone();
    let mut panicked = None;
    let mut say = |event: Event| {
        shared.heard(&event);
        if let Some(tell) = &mut listener
            && let Err(panic) = catch_unwind(AssertUnwindSafe(|| tell(&event)))
        {
            (listener, panicked) = (None, Some(panic));
            let _ = stop.send(StopCause::Asked);
        }
        for sender in events {
            // Nobody has to listen on.
            let _ = sender.send(event.clone());
        }
    };
    let ended = supervise::block_on(async {
        let _watch = OwnerWatch::start(plan.owner, context.stop.clone())?;
        supervise::run(plan, context, &mut say).await
    });
    // Not before the tree is gone, which is what others wait for.
    if let Some(panic) = panicked {
        resume_unwind(panic);
    }
    ended
}
