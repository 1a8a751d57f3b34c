//! The sub-commands: what can be done with servers that are known.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::plan::Port;
use crate::plan::values;

/// What to do. A name left out is this folder's server.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(crate) enum Verb {
    /// List the servers, those that run first
    Ls {
        /// One JSON array of all that are known
        #[arg(long)]
        json: bool,
        /// All that ran before, not only the last few
        #[arg(short, long)]
        all: bool,
    },
    /// All that is known of a server
    Status {
        /// Its name or id [default: this folder's]
        name: Option<String>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Start a server again as it was started, in the background
    Start {
        /// Their names or ids [default: this folder's]
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        #[command(flatten)]
        talk: Talk,
    },
    /// Stop a server
    Stop {
        /// Their names or ids [default: this folder's]
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// All that run
        #[arg(long, conflicts_with = "names")]
        all: bool,
        #[command(flatten)]
        talk: Talk,
    },
    /// Stop and start a server: same port, name and log
    Restart {
        /// Their names or ids [default: this folder's]
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        #[command(flatten)]
        talk: Talk,
    },
    /// Open a server in the browser; start it if need be
    Open {
        /// Its name or id [default: this folder's]
        name: Option<String>,
        /// Print the URL instead
        #[arg(long)]
        print: bool,
        #[command(flatten)]
        talk: Talk,
    },
    /// Print a server's output
    Logs {
        /// Its name or id [default: this folder's]
        name: Option<String>,
        /// Go on printing until it ends
        #[arg(short, long)]
        follow: bool,
        /// So many last lines [default: 200, all with --since]
        #[arg(short = 'n', long, value_name = "N")]
        lines: Option<usize>,
        /// Only what is not older: 30s, 5m, 2h
        #[arg(long, value_name = "DURATION", value_parser = values::duration)]
        since: Option<Duration>,
    },
    /// Wait until a server is ready (124: not in time, 1: it ended or does not run)
    Wait {
        /// Its name or id [default: this folder's]
        name: Option<String>,
        /// How long [default: for ever; for one that does not run, 5s]
        #[arg(long, value_name = "DURATION", value_parser = values::duration)]
        timeout: Option<Duration>,
        #[command(flatten)]
        talk: Talk,
    },
    /// Print a server's URL (1: it does not run)
    Url {
        /// Its name or id [default: this folder's]
        name: Option<String>,
    },
    /// Print what happens to a server as JSON lines, until it ends
    Events {
        /// Its name or id [default: this folder's]
        name: Option<String>,
    },
    /// Say who listens on a port (1: nobody)
    Who {
        /// The port
        #[arg(value_parser = |text: &str| text.parse::<Port>())]
        port: Port,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// End what crashed runs left, forget servers whose folder is gone
    Clean {
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        /// Forget this server, which must not run: its port is free for others
        #[arg(long, value_name = "NAME")]
        forget: Option<String>,
    },
    /// Run `tauri dev`, its dev server on a free port: devrun tauri dev [ARGS]...
    #[command(disable_help_flag = true)]
    Tauri {
        /// Tauri's own: dev [ARGS]
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        args: Vec<OsString>,
    },
    /// Look at this machine and this project, try the promises
    Doctor {
        /// One JSON object
        #[arg(long)]
        json: bool,
        #[arg(long, hide = true)]
        serve: bool,
    },
    /// All servers on one page, live
    #[cfg(feature = "dashboard")]
    Dashboard(Dashboard),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the man page
    #[command(hide = true)]
    Man,
}

/// How to talk about what is done.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Talk {
    /// Events as JSON lines on stderr
    #[arg(long)]
    pub(crate) json: bool,
    /// Only errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Which dashboard, and how it is shown.
#[cfg(feature = "dashboard")]
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Dashboard {
    /// Its port [default: 8069, else the next free one]
    #[arg(short, long, value_parser = |text: &str| text.parse::<Port>())]
    pub(crate) port: Option<Port>,
    /// Open the browser
    #[arg(long)]
    pub(crate) open: bool,
    /// In the background
    #[arg(short, long)]
    pub(crate) detach: bool,
}
