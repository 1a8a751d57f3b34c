//! What happens to a server, as one closed enum. The console, `--json`, the record and the library's user are
//! sinks of the same stream; nothing else in devrun talks while a server runs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::plan::Port;

/// One thing that happened. `--json` prints each as one JSON object a line, tagged by `event`.
///
/// ```
/// use devrun::Event;
///
/// fn short(event: &Event) -> String {
///     match event {
///         Event::Ready { url, ms, .. } => format!("{url} after {ms} ms"),
///         Event::Restarting { reason, in_ms, .. } => format!("{reason}; again in {in_ms} ms"),
///         Event::Ended { exit, .. } => format!("over: {exit}"),
///         other => format!("{other:?}"),
///     }
/// }
/// assert_eq!(short(&Event::Healthy), "Healthy");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// Something that the user should know and need not act on.
    Note {
        /// One sentence.
        text: String,
    },
    /// Something is wrong and devrun goes on.
    Warning {
        /// What is wrong.
        text: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// What a crash of an earlier run had left was ended.
    GhostsEnded {
        /// The server's name.
        name: String,
        /// The processes ended.
        pids: Vec<u32>,
    },
    /// The port that was asked for is taken; another was chosen.
    PortBusy {
        /// The port asked for.
        wanted: Port,
        /// The port chosen.
        got: Port,
        /// Who holds it, in words, if that can be told.
        holder: Option<String>,
    },
    /// The same server runs already; its URL follows once it is ready.
    AlreadyRunning {
        /// The server's name.
        name: String,
        /// Its URL.
        url: String,
        /// The pid of the devrun that runs it.
        pid: u32,
    },
    /// The command was started.
    Started {
        /// The server's name.
        name: String,
        /// Where it will answer.
        url: String,
        /// Its port.
        port: Port,
        /// The pid of the command.
        pid: u32,
        /// The folder it runs in.
        cwd: PathBuf,
        /// Its further ports, by name.
        extra_ports: BTreeMap<String, Port>,
    },
    /// Not ready yet; what is seen so far.
    Waiting {
        /// Since the start, in milliseconds.
        ms: u64,
        /// What is seen.
        seen: Seen,
    },
    /// The server listens on another port than it was given; devrun follows.
    Moved {
        /// The port it was given.
        wanted: Port,
        /// The port it took.
        port: Port,
        /// What would have made it take the given one.
        hint: Option<String>,
    },
    /// The command could not bind its port; it is started once more.
    Retrying {
        /// Why, in words.
        reason: String,
        /// The port of the next try.
        port: Port,
    },
    /// It ended, and is started again after a while.
    Restarting {
        /// Why, in words.
        reason: String,
        /// The time until then, in milliseconds.
        in_ms: u64,
        /// The how-manieth restart of this run.
        restarts: u32,
    },
    /// It ended too often too soon and is not started again.
    GaveUp {
        /// Why, in words.
        reason: String,
        /// The end of what it said, where devrun reads that; a server in a terminal talks to it directly.
        output: String,
    },
    /// It was ready and does not answer any more.
    Unhealthy {
        /// What is seen.
        seen: Seen,
    },
    /// It answers again.
    Healthy,
    /// A process of the tree listens and answers.
    Ready {
        /// Where it answers.
        url: String,
        /// The port it answers on.
        port: Port,
        /// The pid of the command.
        pid: u32,
        /// Since the start, in milliseconds.
        ms: u64,
    },
    /// The command exited and a member of its tree still listens on the port: the server goes on.
    LeaderLeft {
        /// The pid of the member that listens.
        pid: u32,
    },
    /// The server is ready, and the command chained to it (`--then`) was started.
    ThenStarted {
        /// Its pid.
        pid: u32,
    },
    /// The chained command is over, and no process of its tree is left.
    ThenEnded {
        /// How it ended.
        exit: Exit,
    },
    /// The tree is being stopped.
    Stopping {
        /// Why.
        cause: StopCause,
    },
    /// No process of the tree is left, but for those left on purpose.
    Ended {
        /// How the command ended.
        exit: Exit,
        /// Processes that outlived the grace period and were killed.
        killed: u32,
        /// Processes left on purpose, or that could not be ended.
        left: Vec<Left>,
    },
}

/// What is seen of a server that is not ready yet.
///
/// ```
/// use devrun::{Event, Seen};
///
/// let told = |event: &Event| matches!(event, Event::Waiting { seen: Seen::NothingListens, .. });
/// assert!(told(&Event::Waiting { ms: 30_000, seen: Seen::NothingListens }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// No process of the tree listens.
    NothingListens,
    /// A process of the tree listens and does not answer.
    NoAnswer,
    /// It answers with this HTTP status.
    Status(u16),
    /// It answers, but not in HTTP.
    NotHttp,
    /// What `--ready` asks for instead, a line of the output or an answer from elsewhere, has not come.
    NoSign,
}

impl Seen {
    /// As a part of a sentence.
    pub(crate) fn in_words(self) -> String {
        match self {
            Seen::NothingListens => "nothing listens".into(),
            Seen::NoAnswer => "it listens and does not answer".into(),
            Seen::Status(status) => format!("it answers with status {status}"),
            Seen::NotHttp => "it answers, but not in HTTP".into(),
            Seen::NoSign => "the sign that was asked for has not come".into(),
        }
    }
}

/// Why a tree is stopped.
///
/// ```
/// use devrun::{Event, StopCause};
///
/// let by_itself = |event: &Event| matches!(event, Event::Stopping { cause: StopCause::LeaderExited });
/// assert!(!by_itself(&Event::Stopping { cause: StopCause::Asked }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StopCause {
    /// Ctrl-C or Ctrl-\ was typed: the whole foreground group has the signal already.
    Keyboard(i32),
    /// devrun got this signal from a process.
    Signal(i32),
    /// The terminal is gone.
    HangUp,
    /// A process that the server dies with has ended.
    OwnerGone(u32),
    /// The command ended.
    LeaderExited,
    /// Not ready in time.
    ReadyTimeout,
    /// Somebody called `stop`, or the library's user dropped the server.
    Asked,
    /// A stranger answers on the port.
    Stranger,
    /// Somebody asked for a restart.
    Restart,
    /// It does not answer any more, and is to be started again then.
    Unhealthy,
    /// What was to be run once it was ready has ended.
    ThenEnded,
}

/// How a process ended.
///
/// ```
/// use devrun::Exit;
///
/// assert_eq!(Exit::Code(3).to_string(), "status 3");
/// assert_eq!(Exit::Signal(15).to_string(), "signal 15");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// With this status (32 bits on Windows).
    Code(i32),
    /// Of this signal.
    Signal(i32),
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "status {code}"),
            Exit::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// A process that was not ended.
///
/// ```
/// use devrun::{Left, LeftWhy};
///
/// fn spared(left: &[Left]) -> Vec<&str> {
///     left.iter().filter(|left| left.why == LeftWhy::Spared).map(|left| left.name.as_str()).collect()
/// }
/// let browser = Left { pid: 812, name: "chromium".into(), why: LeftWhy::Spared };
/// assert_eq!(spared(&[browser]), ["chromium"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Its pid.
    pub pid: u32,
    /// The name of its executable.
    pub name: String,
    /// Why it was left.
    pub why: LeftWhy,
}

/// Why a process was not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftWhy {
    /// It is on the spare list.
    Spared,
    /// The system did not allow it (another user's) or it does not react (state D).
    Unkillable,
}
