//! From request to answer. Nothing is done before the guard has let the request in.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Notify;

use super::answer::{self, Answer, Problem};
use super::assets::{DOOR, PAGE, SCHEMA};
use super::board::Board;
use super::door::Door;
use super::guard::{self, Caller, Refusal, cookie_name};
use super::routes::{self, Action, NoRoute, Route};
use super::{actions, events, logs, query};
use crate::error::{Error, Kind};
use crate::plan::ServerId;
use crate::registry::Registry;

const INVITE: &str = "open the page with `devrun dashboard --open`";
const SCHEMA_HINT: &str = "GET /api/openapi.json";
const HTML: &str = "text/html; charset=utf-8";
/// No request needs more.
const LARGEST_BODY: usize = 16 * 1024;
/// What a caller may take to send it.
const PATIENCE: Duration = Duration::from_secs(10);
/// The cookie's, in seconds: half a year.
const COOKIE_AGE: u32 = 15_552_000;

/// What every request has to do with.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) registry: Registry,
    pub(super) board: Arc<Board>,
    pub(super) door: Door,
    pub(super) port: u16,
}

/// What is asked to do something, checked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
}

/// Answers a request. `cut` ends its connection.
pub(super) async fn respond(shared: &Arc<Shared>, request: Request<Incoming>, cut: Arc<Notify>) -> Answer {
    let route = routes::find(request.method().as_str(), request.uri().path());
    // What has no route is protected like what has one.
    let protection = route.as_ref().map_or(Route::Servers.protection(), Route::protection);
    match (admit(shared, request.headers(), protection), route) {
        (Ok(()), Ok(route)) => answer_to(shared, route, request, cut).await.unwrap_or_else(Problem::answer),
        (Ok(()), Err(no_route)) => nowhere(&no_route),
        (Err(Refusal::Token), Ok(Route::Page)) => answer::text(StatusCode::FORBIDDEN, HTML, DOOR),
        (Err(refusal), _) => Problem::new(StatusCode::FORBIDDEN, refusal.text()).hint(INVITE).answer(),
    }
}

fn nowhere(no_route: &NoRoute) -> Answer {
    match no_route {
        NoRoute::Path => {
            Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path").hint(SCHEMA_HINT).answer()
        }
        NoRoute::Method(methods) => {
            let detail = format!("this path is asked with {methods}");
            let mut answer = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).answer();
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
            answer
        }
    }
}

fn admit(shared: &Shared, headers: &HeaderMap, protection: guard::Protection) -> Result<(), Refusal> {
    let one = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let hosts: Vec<&str> =
        headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or_default()).collect();
    let caller = Caller {
        hosts: &hosts,
        origin: one(header::ORIGIN),
        fetch_site: one(HeaderName::from_static("sec-fetch-site")),
        cookies: one(header::COOKIE),
        authorization: one(header::AUTHORIZATION),
    };
    guard::check(&caller, protection, shared.port, shared.door.token())
}

/// The answer, or else the problem, which is an answer, too.
async fn answer_to(
    shared: &Arc<Shared>,
    route: Route,
    request: Request<Incoming>,
    cut: Arc<Notify>,
) -> Result<Answer, Problem> {
    let (head, body) = request.into_parts();
    let query = head.uri.query();
    let board = &shared.board;
    Ok(match route {
        Route::Page => answer::text(StatusCode::OK, HTML, PAGE),
        Route::Asset(asset) => {
            let (kind, text) = asset.content();
            answer::text(StatusCode::OK, kind, text)
        }
        Route::Schema => answer::text(StatusCode::OK, "application/json", SCHEMA),
        Route::Health => answer::json(&json!({ "status": "ok" })),
        Route::Session => answer::done(),
        Route::Enter => {
            let Code { code } = read(body).await?;
            enter(shared, &code)?
        }
        Route::Invite => {
            let Nothing {} = read(body).await?;
            let code = shared.door.code()?;
            answer::json(&json!({ "code": code }))
        }
        Route::Servers => answer::raw_json(board.all()),
        Route::Server(id) => server(board, &id)?,
        Route::Logs(id) => {
            server(board, &id)?;
            log(shared, &id, query).await?
        }
        Route::Events => {
            let last = head.headers.get("last-event-id").and_then(|id| id.to_str().ok());
            events::open(board, query, last, cut).map_err(Problem::bad)?
        }
        Route::Act(action, id) => {
            let Nothing {} = read(body).await?;
            server(board, &id)?;
            act(shared, action, id).await?
        }
        Route::StopAll => {
            let Nothing {} = read(body).await?;
            let registry = shared.registry.clone();
            answer::json(&in_background(move || Ok(actions::stop_all(&registry))).await?)
        }
        Route::Clean => {
            let Nothing {} = read(body).await?;
            let registry = shared.registry.clone();
            answer::json(&in_background(move || Ok(actions::clean(&registry))).await?)
        }
    })
}

fn server(board: &Board, id: &ServerId) -> Result<Answer, Problem> {
    let known = board.server(id).map(answer::raw_json);
    known.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "there is no such server"))
}

async fn act(shared: &Arc<Shared>, action: Action, id: ServerId) -> Result<Answer, Problem> {
    let registry = shared.registry.clone();
    let known = in_background(move || {
        actions::act(&registry, action, &id)?;
        // As it is now: the board may hear of it a moment later.
        let entry = registry.entry(&id).and_then(Result::ok);
        Ok(entry.map(|entry| super::view::server(&entry)))
    });
    Ok(known.await?.map_or_else(answer::done, answer::raw_json))
}

/// On a thread of its own: what is begun is done, whether somebody still waits for the answer or not.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    let done =
        done.unwrap_or_else(|e| Err(Error::new(Kind::Internal, "it was given up").cause(e.to_string())));
    Ok(done?)
}

async fn log(shared: &Arc<Shared>, id: &ServerId, query: Option<&str>) -> Result<Answer, Problem> {
    let wishes = query::parse(query, &["tail", "search", "follow"]).map_err(Problem::bad)?;
    let count = match wishes.get("tail").map(|tail| tail.parse::<usize>()) {
        None => logs::USUAL_LINES,
        Some(Ok(count @ 0..=logs::MOST_LINES)) => count,
        Some(_) => return Err(Problem::bad(format!("tail is a number up to {}", logs::MOST_LINES))),
    };
    let folder = shared.registry.server(id);
    let unreadable = |e: std::io::Error| Error::new(Kind::Internal, "the log can't be read").source(e);
    let search = wishes.get("search").filter(|search| !search.is_empty()).cloned();
    match (wishes.get("follow").map(String::as_str), search) {
        (Some("1"), None) => Ok(logs::follow(folder, count).map(answer::stream).map_err(unreadable)?),
        (Some("1"), Some(_)) => Err(Problem::bad("what is followed is not searched")),
        (None | Some("0"), search) => {
            let reading =
                in_background(move || logs::tail(&folder, count, search.as_deref()).map_err(unreadable));
            Ok(answer::raw_json(serde_json::to_string(&reading.await?).expect("only strings")))
        }
        (Some(_), _) => Err(Problem::bad("follow is 0 or 1")),
    }
}

fn enter(shared: &Shared, code: &str) -> Result<Answer, Problem> {
    if !shared.door.admits(code) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "this link has been used").hint(INVITE));
    }
    let mut answer = answer::done();
    let cookie = format!(
        "{}={}; Path=/; Max-Age={COOKIE_AGE}; HttpOnly; SameSite=Strict",
        cookie_name(shared.port),
        shared.door.token()
    );
    let mut cookie = HeaderValue::from_str(&cookie).expect("hex digits and plain words");
    cookie.set_sensitive(true);
    answer.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(answer)
}

/// The body, which is a JSON object; none is an empty one.
async fn read<T: for<'a> Deserialize<'a>>(body: Incoming) -> Result<T, Problem> {
    let bytes = match tokio::time::timeout(PATIENCE, bounded(body)).await {
        Ok(Ok(Some(bytes))) => bytes,
        Ok(Ok(None)) => return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")),
        Ok(Err(e)) => return Err(Problem::bad(e.to_string())),
        Err(_) => return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body does not come")),
    };
    let text = if bytes.is_empty() { b"{}".as_slice() } else { &bytes };
    // The text of serde's error may hold what was sent, and that may be a secret.
    serde_json::from_slice(text).map_err(|e| {
        let place = format!("line {}, column {}", e.line(), e.column());
        Problem::bad(format!("the body is not the JSON object that is wanted ({place})")).hint(SCHEMA_HINT)
    })
}

/// `None`: too large.
async fn bounded(mut body: Incoming) -> Result<Option<Vec<u8>>, hyper::Error> {
    let mut all = Vec::new();
    while let Some(frame) =
        std::future::poll_fn(|context| std::pin::Pin::new(&mut body).poll_frame(context)).await
    {
        let data: Bytes = frame?.into_data().unwrap_or_default();
        if all.len() + data.len() > LARGEST_BODY {
            return Ok(None);
        }
        all.extend_from_slice(&data);
    }
    Ok(Some(all))
}
