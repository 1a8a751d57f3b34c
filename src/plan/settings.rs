//! The small types in which a plan speaks. Data only: no function here decides anything.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::{Port, PortRange};

/// A hash of the project's folder and the server's name: sixteen hex digits, stable from day to day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct ServerId(pub(crate) String);

/// Everything decided before anything is touched.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) id: ServerId,
    /// Without control characters, at most 100 characters.
    pub(crate) name: String,
    /// Canonical, exists.
    pub(crate) cwd: PathBuf,
    /// The git branch of the folder.
    pub(crate) branch: Option<String>,
    /// In the background, with nobody to talk to.
    pub(crate) detached: bool,
    /// What the user typed: program and arguments, before placeholders and injection.
    pub(crate) argv: Vec<OsString>,
    pub(crate) ports: PortWish,
    pub(crate) ready: ReadyCheck,
    /// `None`: wait for ever.
    pub(crate) ready_timeout: Option<Duration>,
    pub(crate) stop: StopPolicy,
    pub(crate) spare: Spare,
    pub(crate) owner: Owner,
    pub(crate) if_running: IfRunning,
    pub(crate) restart: RestartPolicy,
    /// `None`: no probing after readiness.
    pub(crate) health: Option<HealthCheck>,
    /// What to run once the server is ready; its end is the server's.
    pub(crate) then: Option<Then>,
    /// Keep the output in the log in a terminal too.
    pub(crate) log: bool,
    /// Open the browser once ready.
    pub(crate) open: bool,
    /// devrun's own arguments, as far as a later start needs them: without the command and the folder.
    pub(crate) options: Vec<OsString>,
    /// How the command gets its port; `Plan::command` reads it.
    pub(crate) injection: super::inject::Injection,
    /// What the user should hear before the start, e.g. that a port in the script was taken as the wish.
    pub(crate) notes: Vec<String>,
}

/// What is known of the port before the first look at the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PortWish {
    pub(crate) wanted: Option<Wanted>,
    /// From the project's path: where the search starts when nothing is wanted and there was no last port.
    pub(crate) derived: Port,
    pub(crate) strict: bool,
    pub(crate) range: PortRange,
    /// Names of further ports, each with the variables that get it.
    pub(crate) extra: Vec<ExtraPort>,
}

impl PortWish {
    /// The wanted port.
    pub(crate) fn port(&self) -> Option<Port> {
        self.wanted.map(|wanted| wanted.port)
    }
}

/// A port somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) port: Port,
    pub(crate) by: WantedBy,
}

/// Who asked for the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WantedBy {
    /// `--port`, `DEVRUN_PORT` as a setting, or a configuration file.
    User,
    /// `PORT` was in the environment already.
    Environment,
    /// It is written in the script or in the command.
    Script,
    /// The Tauri command line that started this run waits there: another port would do nobody good.
    Tauri,
    /// A devrun around this one gave it: it holds the lease, so this one takes neither lease nor reservation.
    OuterDevrun,
}

/// A second, separate port (`--port-env API_PORT=api`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExtraPort {
    pub(crate) name: String,
    pub(crate) variables: Vec<String>,
}

/// The ports a run has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PortSet {
    pub(crate) main: Port,
    /// By name, in the order of `PortWish::extra`.
    pub(crate) extra: Vec<(String, Port)>,
}

/// A second command, run once the server is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Then {
    /// A line for the platform's shell.
    Line(String),
    /// A program and its arguments.
    Program(Vec<OsString>),
}

/// What to execute: everything filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandLine {
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
    /// Changes to the inherited environment; `None` removes.
    pub(crate) env: Vec<(OsString, Option<OsString>)>,
}

/// When the server counts as ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReadyCheck {
    /// GET this path on the server's port: any status below 500, except 426.
    Path(String),
    /// GET this URL; `{port}` stands for the server's port.
    Url(String),
    /// A process of the tree accepts a connection on the port.
    Tcp,
    /// A line of the output matches.
    Log(String),
    /// At once.
    None,
}

impl ReadyCheck {
    /// The same check with `{port}` filled in.
    pub(crate) fn at(&self, port: Port) -> ReadyCheck {
        let fill = |text: &str| text.replace("{port}", &port.to_string());
        match self {
            ReadyCheck::Path(path) => ReadyCheck::Path(fill(path)),
            ReadyCheck::Url(url) => ReadyCheck::Url(fill(url)),
            ReadyCheck::Tcp => ReadyCheck::Tcp,
            ReadyCheck::Log(pattern) => ReadyCheck::Log(pattern.clone()),
            ReadyCheck::None => ReadyCheck::None,
        }
    }
}

/// What to do when the same server runs already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum IfRunning {
    /// Wait until it is ready and say where it is.
    #[default]
    Url,
    /// Stop it and start.
    Replace,
    /// Fail.
    Error,
    /// Start another one beside it, under a name with a number.
    New,
}

/// Whether a server that ended, or that does not answer any more, is started again. The waits between get longer,
/// from a quarter of a second to half a minute; ten seconds of readiness start the count anew.
///
/// ```no_run
/// use devrun::{RestartPolicy, Server};
///
/// let server = Server::command("vite").restart(RestartPolicy::OnFailure(5)).start()?;
/// # Ok::<(), devrun::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RestartPolicy {
    /// It is not: the default.
    #[default]
    Never,
    /// After an end that was no success, until this many quick ones in a row.
    OnFailure(u32),
    /// After any end that nobody asked for, until five quick ones in a row.
    Always,
}

/// Probing a server that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HealthCheck {
    pub(crate) check: ReadyCheck,
    pub(crate) interval: Duration,
    /// So many failures in a row make it unhealthy.
    pub(crate) retries: u32,
}

/// How the tree is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StopPolicy {
    pub(crate) signal: StopSignal,
    /// The grace period.
    pub(crate) timeout: Duration,
}

/// The signal that asks a tree to end. Windows has none of them: there the tree is ended at once.
///
/// ```no_run
/// use devrun::{Server, StopSignal};
///
/// let server = Server::command("nginx").stop_signal(StopSignal::Quit).start()?;
/// # Ok::<(), devrun::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StopSignal {
    /// SIGTERM: the default.
    #[default]
    Term,
    /// SIGINT, as Ctrl-C.
    Int,
    /// SIGHUP.
    Hup,
    /// SIGQUIT.
    Quit,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
    /// SIGKILL: without asking.
    Kill,
}

/// What is left running when the tree is killed.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Spare {
    /// `--spare NAME`.
    pub(crate) names: Vec<String>,
    /// Spare nothing, not even the built-in list.
    pub(crate) kill_all: bool,
}

/// With whom the server dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// With every ancestor that is not a shell (see `sys::ancestors`).
    Auto,
    /// With nobody.
    None,
    /// With this process.
    Pid(u32),
}

impl Plan {
    /// The same server once more, beside the first: under a name with a number, and so with an id, a record and a
    /// port of its own.
    pub(crate) fn numbered(&self, number: u32) -> Plan {
        let end = format!("-{number}");
        // The number of the try before goes.
        let base = self.name.strip_suffix(&format!("-{}", number - 1)).filter(|_| number > 2);
        let base: String =
            base.unwrap_or(&self.name).chars().take(super::values::NAME_MAX - end.len()).collect();
        let name = base + &end;
        let id = super::names::id(&self.cwd, Some(&name), &self.argv);
        let mut options = self.options.clone();
        options.extend(["--name".into(), OsString::from(&name)]);
        Plan { id, name, options, ..self.clone() }
    }
}
