//! The other end of the control socket: asks a front, and gives up on one that does not answer. What is done about
//! that is for the callers: a front can always be ended by its identity.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::protocol::{Answer, Ask, Greeting, LONGEST, Request, VERSION, line};
use crate::plan::ServerId;
use crate::registry::Registry;
use crate::sys::{self, ControlStream};

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Silent {
    /// Nobody listens.
    Nobody(io::Error),
    /// Somebody listens and does not answer in time: stopped, or hung.
    NoAnswer,
    /// It says no, and why.
    Refused(String),
    /// What came is no answer; what it is, in words.
    Garbage(String),
}

impl std::fmt::Display for Silent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Silent::Nobody(error) => write!(f, "its devrun can't be reached: {error}"),
            Silent::NoAnswer => f.write_str("its devrun does not answer: it is stopped or hangs"),
            Silent::Refused(why) => write!(f, "its devrun refuses: {why}"),
            Silent::Garbage(what) => write!(f, "its devrun answers with what is no answer: {what}"),
        }
    }
}

/// Asks the front of this run; returns once it has agreed, which is before it is done. Not to be called on a runtime.
///
/// `run`: the run that is meant; the front of another one is [`Silent::Garbage`].
pub(crate) fn ask(
    registry: &Registry,
    id: &ServerId,
    run: &str,
    ask: Ask,
    patience: Duration,
) -> Result<(), Silent> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Silent::Nobody)?.block_on(async {
        timeout(patience, converse(registry, id, run, ask)).await.unwrap_or(Err(Silent::NoAnswer)).map(drop)
    })
}

/// The events of a front.
pub(crate) struct Subscription<S = ControlStream>(pub(super) BufReader<S>);

/// Asks for all events from now on.
pub(crate) async fn subscribe(
    registry: &Registry,
    id: &ServerId,
    run: &str,
    patience: Duration,
) -> Result<Subscription, Silent> {
    let asked = timeout(patience, converse(registry, id, run, Ask::Subscribe)).await;
    asked.unwrap_or(Err(Silent::NoAnswer)).map(Subscription)
}

impl<S: AsyncRead + Unpin> Subscription<S> {
    /// The next event, a line as `--json` prints it; `None` once the front has ended. Not cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let read = self.0.read_until(b'\n', &mut line).await;
        read.ok().filter(|length| *length > 0)?;
        let line = line.trim_ascii_end();
        // Nothing but whole JSON goes to a terminal or a program.
        serde_json::from_slice::<serde::de::IgnoredAny>(line).ok()?;
        Some(String::from_utf8(line.to_vec()).ok()?).filter(|line| !line.contains(['\t', '\r']))
    }
}

async fn converse(
    registry: &Registry,
    id: &ServerId,
    run: &str,
    ask: Ask,
) -> Result<BufReader<ControlStream>, Silent> {
    let path = super::socket(registry, id);
    talk(sys::connect_control(&path).await.map_err(Silent::Nobody)?, run, ask).await
}

/// What is left in the reader is what follows the answer.
pub(super) async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    run: &str,
    ask: Ask,
) -> Result<BufReader<S>, Silent> {
    let mut stream = BufReader::new(stream);
    let greeting: Greeting = parsed(&mut stream).await?;
    if greeting.devrun != VERSION {
        return Err(Silent::Garbage(format!("it speaks version {}, and this is {VERSION}", greeting.devrun)));
    }
    if greeting.run != run {
        return Err(Silent::Garbage("it is the devrun of another run".to_string()));
    }
    stream.get_mut().write_all(&line(&Request { ask })).await.map_err(Silent::Nobody)?;
    let answer: Answer = parsed(&mut stream).await?;
    if !answer.ok {
        return Err(Silent::Refused(answer.error.unwrap_or_default()));
    }
    Ok(stream)
}

async fn parsed<T: serde::de::DeserializeOwned>(
    stream: &mut BufReader<impl AsyncRead + Unpin>,
) -> Result<T, Silent> {
    let mut line = Vec::new();
    stream.take(LONGEST as u64).read_until(b'\n', &mut line).await.map_err(Silent::Nobody)?;
    if line.is_empty() {
        return Err(Silent::Nobody(io::ErrorKind::UnexpectedEof.into()));
    }
    serde_json::from_slice(&line).map_err(|error| Silent::Garbage(error.to_string()))
}
