//! What went wrong, to which thing, why, and one thing to do. Never printed here: `cli::render` does that.

use std::fmt;

/// A failure of devrun, told in three parts: what happened, why, and what to do.
///
/// ```
/// use devrun::{Kind, Server};
///
/// let error = Server::command("no-such-program-here").start().unwrap_err();
/// assert_eq!(error.kind(), Kind::NotFound);
/// assert_eq!(error.kind().exit_code(), 127);
/// println!("{}", error.what());
/// if let Some(hint) = error.what_to_do() {
///     println!("try: {hint}");
/// }
/// // The error underneath, if there is one.
/// use std::error::Error as _;
/// assert!(error.source().is_none());
/// ```
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    what: String,
    cause: Option<String>,
    hint: Option<String>,
    output: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The classes of failure that a caller can tell apart; each has an exit status of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The server that was asked for does not run, or ended before it was ready (1).
    NotRunning,
    /// The command line, the environment or a configuration file asks for something that can't be (2).
    Usage,
    /// The port is taken and `--strict-port` forbids another (75, `EX_TEMPFAIL`).
    PortTaken,
    /// Not ready in time (124, as `timeout` does).
    NotReady,
    /// devrun itself failed (125, as `env` and `nohup` do).
    Internal,
    /// The command was found and cannot be executed (126, as shells do).
    CannotExecute,
    /// The command was not found (127, as shells do).
    NotFound,
}

impl Kind {
    /// The exit status of the `devrun` program for this class of failure.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::NotRunning => 1,
            Kind::Usage => 2,
            Kind::PortTaken => 75,
            Kind::NotReady => 124,
            Kind::Internal => 125,
            Kind::CannotExecute => 126,
            Kind::NotFound => 127,
        }
    }
}

/// All of them, as `--json` names them.
pub(crate) const KINDS: [(Kind, &str); 7] = [
    (Kind::NotRunning, "not-running"),
    (Kind::Usage, "usage"),
    (Kind::PortTaken, "port-taken"),
    (Kind::NotReady, "not-ready"),
    (Kind::Internal, "internal"),
    (Kind::CannotExecute, "cannot-execute"),
    (Kind::NotFound, "not-found"),
];

impl Error {
    /// A failure of this class; `what` says what happened to which thing, lowercase, without a full stop.
    pub(crate) fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), cause: None, hint: None, output: None, source: None }
    }

    /// Adds why it happened.
    #[must_use]
    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds the one thing to do, preferably a command to run.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the last lines of what the command wrote, for who did not see them.
    #[must_use]
    pub(crate) fn output(mut self, lines: impl Into<String>) -> Self {
        self.output = Some(lines.into());
        self
    }

    /// Keeps the error underneath; without a cause of its own, this one's text is the cause.
    #[must_use]
    pub(crate) fn source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The class of the failure.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What happened, without cause and hint.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Why it happened, if that is known.
    pub fn why(&self) -> Option<String> {
        self.cause.clone().or_else(|| self.source.as_ref().map(ToString::to_string))
    }

    /// The one thing to do, if there is one.
    pub fn what_to_do(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The last lines of what the command wrote, if they were not seen.
    pub fn last_output(&self) -> Option<&str> {
        self.output.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(why) = self.why() {
            write!(f, ": {why}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|e| &**e as _)
    }
}
