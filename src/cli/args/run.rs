//! The options of a run. Every one of them has a twin in the environment and in files.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};

use crate::plan::values::{self, PortVariable};
use crate::plan::{IfRunning, Owner, Port, PortRange, ReadyCheck, Request, RestartPolicy, StopSignal};

#[derive(Debug, Args)]
pub(super) struct Run {
    /// The server's name [default: the project's]
    #[arg(short, long, value_parser = values::name)]
    name: Option<String>,
    /// Run as if started there
    #[arg(short = 'C', long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// Open the browser once ready
    #[arg(long)]
    open: bool,
    /// Run it once ready, then stop; exit with its status
    #[arg(long, value_name = "COMMAND", value_parser = values::command)]
    then: Option<String>,
    /// In the background; return when ready
    #[arg(short, long, conflicts_with = "then")]
    detach: bool,
    /// If it runs already: url, replace, error, new [default: url]
    #[arg(long, value_name = "WHAT", value_parser = values::if_running)]
    if_running: Option<IfRunning>,
    /// Same as --if-running replace
    #[arg(long, conflicts_with = "if_running")]
    force: bool,

    /// Preferred port; busy: the next free one
    #[arg(short, long, help_heading = "Port", value_parser = |text: &str| text.parse::<Port>())]
    port: Option<Port>,
    /// A busy port is an error (75)
    #[arg(long, help_heading = "Port")]
    strict_port: bool,
    /// Where ports come from [default: 3000-4999]
    #[arg(long, help_heading = "Port", value_name = "A-B", value_parser = |text: &str| text.parse::<PortRange>())]
    port_range: Option<PortRange>,
    /// Another variable for the port; with =NAME for a second one
    #[arg(long, help_heading = "Port", value_name = "VAR[=NAME]", value_parser = values::port_variable)]
    port_env: Vec<PortVariable>,
    /// Set the environment only, touch no arguments
    #[arg(long, help_heading = "Port")]
    no_inject: bool,

    /// When it is ready: URL, /PATH, tcp, log:REGEX, none [default: /]
    #[arg(long, help_heading = "Readiness", value_name = "CHECK", value_parser = values::ready)]
    ready: Option<ReadyCheck>,
    /// Not ready in time: stop, exit 124 [default: wait]
    #[arg(long, help_heading = "Readiness", value_name = "DURATION", value_parser = values::duration)]
    ready_timeout: Option<Duration>,

    /// Start it again: never, on-failure[:N], always [default: never]
    #[arg(long, help_heading = "Supervision", value_name = "POLICY", value_parser = values::restart)]
    restart: Option<RestartPolicy>,
    /// What is asked once it is ready: URL, /PATH, tcp [default: as --ready]
    #[arg(long, help_heading = "Supervision", value_name = "CHECK", value_parser = values::health)]
    health: Option<ReadyCheck>,
    /// How often [default: 5s, with a health option or --restart]
    #[arg(long, help_heading = "Supervision", value_name = "DURATION", value_parser = values::interval)]
    health_interval: Option<Duration>,
    /// So many failures in a row: unhealthy [default: 3]
    #[arg(long, help_heading = "Supervision", value_name = "N", value_parser = values::count)]
    health_retries: Option<u32>,

    /// The signal that asks the tree to end [default: SIGTERM]
    #[arg(long, help_heading = "Stopping", value_name = "SIGNAL", value_parser = values::stop_signal)]
    stop_signal: Option<StopSignal>,
    /// Grace period before SIGKILL [default: 5s]
    #[arg(long, help_heading = "Stopping", value_name = "DURATION", value_parser = values::duration)]
    stop_timeout: Option<Duration>,
    /// A program to leave running
    #[arg(long, help_heading = "Stopping", value_name = "NAME")]
    spare: Vec<String>,
    /// Leave nothing running, not even browser or editor
    #[arg(long, help_heading = "Stopping", conflicts_with = "spare")]
    kill_all: bool,
    /// Die with this process: auto, none, PID [default: auto]
    #[arg(long, help_heading = "Stopping", value_name = "OWNER", value_parser = values::owner)]
    owner: Option<Owner>,

    /// In a terminal too, keep the output for `devrun logs`
    #[arg(long, help_heading = "Output")]
    log: bool,
    /// Events as JSON lines on stderr
    #[arg(long, help_heading = "Output")]
    json: bool,
    /// Say less
    #[arg(short, long, help_heading = "Output", conflicts_with = "verbose")]
    quiet: bool,
    /// Say what devrun does (DEVRUN_LOG filters)
    #[arg(short, long, help_heading = "Output", action = ArgAction::SetTrue)]
    verbose: bool,

    /// Program and arguments
    #[arg(trailing_var_arg = true, value_name = "COMMAND", hide = true)]
    command: Vec<OsString>,
}

impl Run {
    pub(super) fn request(self) -> Request {
        // A switch that is not given is no wish: the environment or a file may have one.
        let wish = |given: bool| given.then_some(true);
        Request {
            command: self.command,
            name: self.name,
            port: self.port,
            strict_port: wish(self.strict_port),
            port_range: self.port_range,
            port_env: self.port_env,
            cwd: self.cwd,
            no_inject: wish(self.no_inject),
            ready: self.ready,
            ready_timeout: self.ready_timeout,
            open: wish(self.open),
            stop_signal: self.stop_signal,
            stop_timeout: self.stop_timeout,
            spare: self.spare,
            kill_all: wish(self.kill_all),
            owner: self.owner,
            then: self.then,
            detach: wish(self.detach),
            log: wish(self.log),
            if_running: self.if_running.or(self.force.then_some(IfRunning::Replace)),
            restart: self.restart,
            health: self.health,
            health_interval: self.health_interval,
            health_retries: self.health_retries,
            json: wish(self.json),
            quiet: wish(self.quiet),
            verbose: wish(self.verbose),
            written: Vec::new(),
        }
    }
}
