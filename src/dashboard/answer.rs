//! What goes back: whole answers, streams, problems. Every answer has the same headers, and none of them lets
//! another origin read it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Bytes, Frame, SizeHint};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;

use crate::error::{Error, Kind};
use crate::output::printable;

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Body {
    Whole(Bytes),
    /// Ends when its sender is dropped.
    Stream(Receiver<Bytes>),
}

/// An answer.
pub(super) type Answer = Response<Body>;

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = |bytes| Some(Ok(Frame::data(bytes)));
        match self.get_mut() {
            Body::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Body::Whole(bytes) => Poll::Ready(frame(std::mem::take(bytes))),
            Body::Stream(parts) => parts.poll_recv(context).map(|part| part.and_then(frame)),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Body::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::Stream(_) => SizeHint::default(),
        }
    }
}

/// What the page may do: load its own files, ask its own server, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Anything.
pub(super) fn answer(status: StatusCode, kind: &'static str, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// A page or a file.
pub(super) fn text(status: StatusCode, kind: &'static str, text: &'static str) -> Answer {
    answer(status, kind, Body::Whole(Bytes::from_static(text.as_bytes())))
}

/// Data.
pub(super) fn json(value: &Value) -> Answer {
    raw_json(value.to_string())
}

/// Data that is JSON already.
pub(super) fn raw_json(json: String) -> Answer {
    answer(StatusCode::OK, "application/json", Body::Whole(printable(json).into()))
}

/// Events, as they come.
pub(super) fn stream(parts: Receiver<Bytes>) -> Answer {
    answer(StatusCode::OK, "text/event-stream", Body::Stream(parts))
}

/// Nothing to tell.
pub(super) fn done() -> Answer {
    let mut answer = answer(StatusCode::NO_CONTENT, "text/plain", Body::Whole(Bytes::new()));
    answer.headers_mut().remove(header::CONTENT_TYPE);
    answer
}

/// What is wrong (RFC 9457).
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    hint: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), hint: None }
    }

    /// The request is not as it should be.
    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn answer(self) -> Answer {
        let Self { status, detail, hint } = self;
        let title = status.canonical_reason().unwrap_or("Error");
        let body = json!({
            "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail, "hint": hint,
        });
        let body = Body::Whole(printable(body.to_string()).into());
        answer(status, "application/problem+json", body)
    }
}

/// What went wrong in doing what was asked.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            Kind::Usage | Kind::PortTaken | Kind::NotRunning => StatusCode::CONFLICT,
            Kind::NotReady => StatusCode::GATEWAY_TIMEOUT,
            Kind::Internal | Kind::CannotExecute | Kind::NotFound => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let hint = error.what_to_do().map(str::to_string);
        Self { status, detail: error.to_string(), hint }
    }
}
