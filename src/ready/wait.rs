//! The question "is it ready", for each kind of check. Ends when it is, when it can't be, or by being dropped:
//! there is no time limit in here, and no exit of the command is noticed.

use std::fmt;
use std::time::Duration;

use regex_lite::Regex;
use reqwest::Url;
use tokio::sync::broadcast::{self, error::RecvError};

use super::probe::{self, Question, Reply};
use super::watch::Watch;
use crate::event::Seen;
use crate::plan::{Port, ReadyCheck};

/// The pids of the tree, looked up when called.
pub(crate) type Members = Box<dyn Fn() -> Vec<u32> + Send>;

/// What else of the tree may listen.
#[derive(Default)]
pub(crate) struct Others {
    /// Given to other servers: none of these ports is the one that is waited for.
    pub(crate) ports: Vec<Port>,
    /// How much longer than usual a page must be on another port before it is taken for the server's.
    pub(crate) patience: Duration,
}

impl Others {
    pub(super) fn have(&self, port: u16) -> bool {
        self.ports.iter().any(|other| other.get() == port)
    }
}

/// What to wait for.
pub(crate) struct Target {
    /// The port that the command was given.
    pub(crate) port: Port,
    /// The port that was wished for: a URL that names it means the server, wherever that is now.
    pub(crate) wished: Option<Port>,
    pub(crate) others: Others,
    pub(crate) check: ReadyCheck,
    pub(crate) members: Members,
    /// The lines of the output, for `ReadyCheck::Log`.
    pub(crate) lines: Option<broadcast::Receiver<String>>,
}

/// It is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Where a browser finds it; ends without a slash.
    pub(crate) url: String,
    pub(crate) port: Port,
    /// The process that listens, where that was looked at.
    pub(crate) pid: Option<u32>,
    /// It took another port than the one it was given.
    pub(crate) moved: bool,
}

impl Answer {
    /// As given, and not looked at.
    fn assumed(port: Port) -> Self {
        Self { url: format!("http://localhost:{port}"), port, pid: None, moved: false }
    }
}

/// It will not become ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotReady {
    /// A process outside the tree listens on the port, and none of the tree does.
    Stranger {
        port: Port,
        /// `None` if it can't be seen, being another user's.
        pid: Option<u32>,
        /// The stranger in words, safe to print.
        who: String,
    },
    /// The check itself can't be done; why, in words.
    Impossible(String),
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotReady::Stranger { port, who, .. } => {
                write!(f, "another program answers on port {port}: {who}")
            }
            NotReady::Impossible(why) => f.write_str(why),
        }
    }
}

/// Waits until the check holds. `tell` hears what is seen meanwhile, whenever that changes.
pub(crate) async fn wait(target: Target, mut tell: impl FnMut(Seen)) -> Result<Answer, NotReady> {
    let Target { port, wished, others, check, members, lines } = target;
    let question = match check {
        ReadyCheck::None => return Ok(Answer::assumed(port)),
        ReadyCheck::Log(pattern) => {
            tell(Seen::NoSign);
            await_line(&pattern, lines).await?;
            return Ok(Watch::new(port, others, Question::Connect, members)
                .found()
                .unwrap_or(Answer::assumed(port)));
        }
        ReadyCheck::Tcp => Question::Connect,
        ReadyCheck::Path(path) => Question::Get { host: "localhost".to_string(), path },
        ReadyCheck::Url(text) => {
            let url = Url::parse(&text).map_err(|error| impossible(format!("{text} is no URL: {error}")))?;
            match own_question(&url, &[Some(port), wished]) {
                Some(question) => question,
                None => return await_url(&url, port, tell).await,
            }
        }
    };
    Watch::new(port, others, question, members).run(&mut tell).await
}

/// What to ask our own port, if the URL is on one of these, which mean it.
fn own_question(url: &Url, ours: &[Option<Port>]) -> Option<Question> {
    let host = url.host_str()?;
    let loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]" | "0.0.0.0" | "[::]")
        || host.ends_with(".localhost");
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    // An address can't be led elsewhere by name, and the socket that we find may be on the other family.
    let host = if host.ends_with("localhost") { host } else { "localhost" };
    let named = url.port_or_known_default();
    let is_ours = ours.iter().flatten().any(|port| named == Some(port.get()));
    (loopback && is_ours)
        .then(|| Question::Get { host: host.to_string(), path: format!("{}{query}", url.path()) })
}

async fn await_url(url: &Url, port: Port, mut tell: impl FnMut(Seen)) -> Result<Answer, NotReady> {
    tell(Seen::NoSign);
    let told = probe::ask_url(url.as_str(), |reply| match reply {
        Reply::Answer { .. } => {}
        Reply::Failing(status) => tell(Seen::Status(status)),
        Reply::NotHttp => tell(Seen::NotHttp),
        Reply::Silence => tell(Seen::NoSign),
    });
    told.await.map_err(|error| impossible(format!("{url} can't be asked: {error}")))?;
    Ok(Answer::assumed(port))
}

async fn await_line(pattern: &str, lines: Option<broadcast::Receiver<String>>) -> Result<(), NotReady> {
    let regex = Regex::new(pattern)
        .map_err(|error| impossible(format!("the pattern {pattern:?} is wrong: {error}")))?;
    let mut lines = lines.ok_or_else(|| impossible("the output is not read".to_string()))?;
    loop {
        match lines.recv().await {
            Ok(line) if regex.is_match(&line) => return Ok(()),
            Ok(_) => {}
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(target: "devrun::ready", missed, "lines came faster than they could be looked at");
            }
            Err(RecvError::Closed) => break,
        }
    }
    // The output ended. What that means is for those to say who see the command's end.
    std::future::pending().await
}

fn impossible(why: String) -> NotReady {
    NotReady::Impossible(why)
}
