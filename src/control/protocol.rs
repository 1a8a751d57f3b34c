//! What is said on the control socket: one JSON object a line, in a version that both sides know.
//!
//! The front greets with [`Greeting`], the other side asks once, the front answers once; after `subscribe` every
//! event follows, as `--json` prints it. Pure: nothing here reads or writes.

use serde::{Deserialize, Serialize};

/// The version spoken here.
pub(super) const VERSION: u32 = 1;

/// No line is longer, but for events.
pub(super) const LONGEST: usize = 64 * 1024;

/// The front's first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Greeting {
    /// The version it speaks.
    pub(super) devrun: u32,
    /// The run that it looks after.
    pub(super) run: String,
    pub(super) pid: u32,
}

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ask {
    /// Whether it is there and listens to reason.
    Status,
    /// To end the server. The answer comes before the end.
    Stop,
    /// To end the tree and start it again. The answer comes before that.
    Restart,
    /// All events from now on.
    Subscribe,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    pub(super) ask: Ask,
}

/// The front's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

impl Answer {
    /// What the front says to a line.
    pub(super) fn to(line: &[u8]) -> (Self, Option<Ask>) {
        match serde_json::from_slice::<Request>(line) {
            Ok(request) => (Self { ok: true, error: None }, Some(request.ask)),
            Err(error) => (
                Self::no(format!("{error}; expected {{\"ask\":\"status\"}}, stop, restart or subscribe")),
                None,
            ),
        }
    }

    pub(super) fn no(error: String) -> Self {
        Self { ok: false, error: Some(error) }
    }
}

/// As a line.
pub(super) fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("these types have string keys only");
    line.push(b'\n');
    line
}
