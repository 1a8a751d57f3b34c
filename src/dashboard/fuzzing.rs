//! What the dashboard answers to any bytes on a connection. No server is started or stopped: the only one that it knows
//! has no record.

use std::convert::Infallible;
use std::sync::Arc;

use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::Notify;

use super::answer::{Answer, Body};
use super::board::{Board, Known};
use super::door::Door;
use super::respond::{Shared, respond};
use super::routes;
use crate::plan::ServerId;
use crate::registry::Registry;

/// What stands for the token, which is another one in every state folder.
const TOKEN: &[u8] = b"TOKEN";

/// A dashboard that listens nowhere.
#[derive(Debug)]
pub(crate) struct Dashboard {
    _folder: tempfile::TempDir,
    shared: Arc<Shared>,
}

impl Dashboard {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = Registry::at(&folder.path().join("state")).expect("a state folder");
        let door = Door::take(&registry).expect("it can be written").expect("nobody else has it");
        let board = Arc::new(Board::new());
        let id = ServerId("0123456789abcdef".into());
        board.put(&id, Known::Server(r#"{"id":"0123456789abcdef"}"#.into()));
        std::fs::create_dir(registry.server(&id)).expect("it is new");
        std::fs::write(registry.server(&id).join("log"), b"one\n\x1b[31mtwo\xff").expect("it is new");
        Self { _folder: folder, shared: Arc::new(Shared { registry, board, door, port: 8069 }) }
    }

    /// Whoever has no token gets nothing but the door, and nothing that is sent steers a terminal.
    pub(crate) fn is_sent(&self, bytes: &[u8]) {
        let knows_token = bytes.windows(TOKEN.len()).any(|part| part == TOKEN);
        let bytes = replaced(bytes, self.shared.door.token().as_bytes());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (mut caller, server) = duplex(bytes.len().max(1));
            let service = service_fn(|request: Request<Incoming>| async {
                let route = routes::find(request.method().as_str(), request.uri().path());
                let is_open = route.is_ok_and(|route| route.protection().open);
                let answer = respond(&self.shared, request, Arc::new(Notify::new())).await;
                assert!(knows_token || is_open || answer.status().is_client_error(), "{answer:?}");
                Ok::<_, Infallible>(checked(answer))
            });
            let mut http = http1::Builder::new();
            let served = http.max_buf_size(32 * 1024).serve_connection(TokioIo::new(server), service);
            let calling = async {
                let _ = caller.write_all(&bytes).await;
                let _ = caller.shutdown().await;
                let _ = caller.read_to_end(&mut Vec::new()).await;
            };
            let _ = tokio::join!(served, calling);
        });
    }
}

/// The answer with all that every answer has; of a stream its beginning is enough.
fn checked(mut answer: Answer) -> Answer {
    for name in [header::CONTENT_SECURITY_POLICY, header::X_CONTENT_TYPE_OPTIONS, header::CACHE_CONTROL] {
        assert!(answer.headers().contains_key(&name), "no {name} in {answer:?}");
    }
    let kind =
        answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match answer.body() {
        Body::Whole(bytes) if kind.ends_with("json") && !bytes.is_empty() => {
            let text = std::str::from_utf8(bytes).expect("JSON is text");
            serde_json::from_str::<serde_json::Value>(text).expect("JSON");
            assert!(!text.trim_end().contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        }
        Body::Whole(_) => {}
        Body::Stream(_) => *answer.body_mut() = Body::Whole(Bytes::new()),
    }
    answer
}

fn replaced(bytes: &[u8], token: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(TOKEN.len()).position(|part| part == TOKEN) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(token);
        rest = &rest[at + TOKEN.len()..];
    }
    out.extend_from_slice(rest);
    out
}
