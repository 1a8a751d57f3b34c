//! What is known of all servers, and who is told when it changes. It is fed by `watch`; nothing here looks at a file,
//! and nobody is waited for: a listener that does not keep up is cut off.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::body::Bytes;
use serde_json::json;
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::output::printable;
use crate::plan::ServerId;
use crate::registry::new_run_id;

/// How many changes a listener may be behind, and how many can be made up for after a lost connection.
const BACKLOG: usize = 256;

/// All servers.
#[derive(Debug)]
pub(super) struct Board {
    inner: Mutex<Inner>,
    /// Rung when somebody wants to know what the servers cost.
    watched: Notify,
}

#[derive(Debug)]
struct Inner {
    /// Changes of another dashboard can't be made up for.
    epoch: String,
    number: u64,
    /// Each as JSON.
    servers: BTreeMap<ServerId, String>,
    problems: BTreeMap<ServerId, String>,
    /// The last changes as they were sent, with their numbers.
    history: VecDeque<(u64, Bytes)>,
    listeners: Vec<Listener>,
}

#[derive(Debug)]
struct Listener {
    sender: Sender<Bytes>,
    usage: bool,
    cut: Arc<Notify>,
}

/// What is known of one server now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    Server(String),
    /// There is a record and it can't be used.
    Problem(String),
    Nothing,
}

impl Board {
    pub(super) fn new() -> Self {
        let inner = Inner {
            epoch: new_run_id(),
            number: 0,
            servers: BTreeMap::new(),
            problems: BTreeMap::new(),
            history: VecDeque::new(),
            listeners: Vec::new(),
        };
        Self { inner: Mutex::new(inner), watched: Notify::new() }
    }

    /// Takes note, and tells the listeners if it is news.
    pub(super) fn put(&self, id: &ServerId, known: Known) {
        let mut inner = self.lock();
        let (server, problem) = match known {
            Known::Server(json) => (Some(json), None),
            Known::Problem(text) => (None, Some(text)),
            Known::Nothing => (None, None),
        };
        if inner.problems.get(id) != problem.as_ref() {
            replace(&mut inner.problems, id, problem);
            let text = json!(inner.problems.values().collect::<Vec<_>>()).to_string();
            inner.tell_change("problems", &text);
        }
        if inner.servers.get(id) != server.as_ref() {
            let (event, data) = match &server {
                Some(json) => ("server", json.clone()),
                None => ("gone", json!({ "id": id }).to_string()),
            };
            replace(&mut inner.servers, id, server);
            inner.tell_change(event, &data);
        }
    }

    /// The servers that are known, with records or without.
    pub(super) fn ids(&self) -> Vec<ServerId> {
        let inner = self.lock();
        inner.servers.keys().chain(inner.problems.keys()).cloned().collect()
    }

    pub(super) fn server(&self, id: &ServerId) -> Option<String> {
        self.lock().servers.get(id).cloned()
    }

    /// All of it as JSON.
    pub(super) fn all(&self) -> String {
        self.lock().all()
    }

    /// A stream of everything that changes from now on, after what the listener has missed since the change of this
    /// number, or after all of it. `cut` is rung when the listener is too slow.
    pub(super) fn listen(&self, last: Option<&str>, usage: bool, cut: Arc<Notify>) -> Receiver<Bytes> {
        let mut inner = self.lock();
        let (sender, receiver) = channel(BACKLOG);
        let first = inner.missed_since(last).unwrap_or_else(|| {
            let (id, all) = (inner.event_id(inner.number), inner.all());
            vec![event("snapshot", Some(&id), &all)]
        });
        // The channel is new and longer than the history.
        for bytes in first {
            let _ = sender.try_send(bytes);
        }
        inner.listeners.push(Listener { sender, usage, cut });
        drop(inner);
        if usage {
            self.watched.notify_one();
        }
        receiver
    }

    /// Waits until somebody wants to know what the servers cost.
    pub(super) async fn wanted(&self) {
        while !self.is_wanted() {
            self.watched.notified().await;
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        let mut inner = self.lock();
        inner.listeners.retain(|listener| !listener.sender.is_closed());
        inner.listeners.iter().any(|listener| listener.usage)
    }

    /// Tells what the servers cost; not kept.
    pub(super) fn tell_usage(&self, json: &str) {
        self.lock().tell(event("usage", None, json), |listener| listener.usage);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn all(&self) -> String {
        let servers: Vec<&str> = self.servers.values().map(String::as_str).collect();
        let problems = printable(json!(self.problems.values().collect::<Vec<_>>()).to_string());
        format!(r#"{{"servers":[{}],"problems":{problems}}}"#, servers.join(","))
    }

    fn event_id(&self, number: u64) -> String {
        format!("{}-{number}", self.epoch)
    }

    /// `None` where it can't be told any more.
    fn missed_since(&self, last: Option<&str>) -> Option<Vec<Bytes>> {
        let (epoch, number) = last?.rsplit_once('-')?;
        let number: u64 = number.parse().ok()?;
        let oldest = self.number - self.history.len() as u64;
        if epoch != self.epoch || number > self.number || number < oldest {
            return None;
        }
        let missed = self.history.iter().filter(|(at, _)| *at > number);
        Some(missed.map(|(_, bytes)| bytes.clone()).collect())
    }

    fn tell_change(&mut self, name: &str, data: &str) {
        self.number += 1;
        let bytes = event(name, Some(&self.event_id(self.number)), &printable(data.to_string()));
        if self.history.len() == BACKLOG - 1 {
            self.history.pop_front();
        }
        self.history.push_back((self.number, bytes.clone()));
        self.tell(bytes, |_| true);
    }

    fn tell(&mut self, bytes: Bytes, who: impl Fn(&Listener) -> bool) {
        self.listeners.retain(|listener| {
            let keeps_up = !who(listener) || listener.sender.try_send(bytes.clone()).is_ok();
            if !keeps_up {
                listener.cut.notify_one();
            }
            keeps_up
        });
    }
}

fn replace(map: &mut BTreeMap<ServerId, String>, id: &ServerId, value: Option<String>) {
    match value {
        Some(value) => drop(map.insert(id.clone(), value)),
        None => drop(map.remove(id)),
    }
}

/// One event of a stream. The data is JSON and so has no line end.
pub(super) fn event(name: &str, id: Option<&str>, data: &str) -> Bytes {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: {name}\n{id}data: {data}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> ServerId {
        ServerId(format!("{number:016x}"))
    }

    fn put(board: &Board, number: u64, json: &str) {
        board.put(&id(number), Known::Server(json.into()));
    }

    fn heard(receiver: &mut Receiver<Bytes>) -> Vec<String> {
        std::iter::from_fn(|| receiver.try_recv().ok())
            .map(|bytes| {
                let text = String::from_utf8(bytes.to_vec()).unwrap();
                let field =
                    |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_string();
                format!("{} {}", field("event: "), field("data: "))
            })
            .collect()
    }

    fn last_id(receiver: &mut Receiver<Bytes>) -> String {
        let text = String::from_utf8(receiver.try_recv().unwrap().to_vec()).unwrap();
        text.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_string()
    }

    #[test]
    fn a_listener_gets_all_then_what_changes_and_nothing_twice() {
        let board = Board::new();
        put(&board, 1, "{}");
        let mut listener = board.listen(None, false, Arc::default());
        put(&board, 1, "{}");
        put(&board, 1, r#"{"a":1}"#);
        board.put(&id(2), Known::Problem("damaged".into()));
        board.put(&id(1), Known::Nothing);
        board.tell_usage("{}");
        assert_eq!(
            heard(&mut listener),
            [
                r#"snapshot {"servers":[{}],"problems":[]}"#,
                r#"server {"a":1}"#,
                r#"problems ["damaged"]"#,
                r#"gone {"id":"0000000000000001"}"#,
            ]
        );
        assert_eq!(board.ids(), [id(2)]);
    }

    #[test]
    fn who_comes_back_gets_what_was_missed_or_all_if_that_is_too_much() {
        let board = Board::new();
        put(&board, 1, "1");
        let last = last_id(&mut board.listen(None, false, Arc::default()));
        assert_eq!(heard(&mut board.listen(Some(&last), false, Arc::default())), Vec::<String>::new());
        put(&board, 1, "2");
        put(&board, 1, "3");
        assert_eq!(heard(&mut board.listen(Some(&last), false, Arc::default())), ["server 2", "server 3"]);
        for wrong in ["", "x", "other-1", "-", &format!("{last}9"), &last.replace('-', "-x")] {
            let all = heard(&mut board.listen(Some(wrong), false, Arc::default()));
            assert_eq!(all, [r#"snapshot {"servers":[3],"problems":[]}"#], "{wrong}");
        }
        (0..BACKLOG).for_each(|number| put(&board, 1, &number.to_string()));
        assert_eq!(heard(&mut board.listen(Some(&last), false, Arc::default())).len(), 1);
    }

    #[test]
    fn a_slow_listener_is_cut_off_and_the_others_are_not() {
        let board = Board::new();
        let cut = Arc::new(Notify::new());
        let _slow = board.listen(None, true, cut.clone());
        let mut quick = board.listen(None, false, Arc::default());
        for number in 0..=BACKLOG {
            put(&board, 1, &number.to_string());
            while quick.try_recv().is_ok() {}
        }
        assert!(!board.is_wanted(), "the slow one is gone");
        put(&board, 1, "last");
        assert_eq!(heard(&mut quick), ["server last"]);
        let rung = tokio::runtime::Builder::new_current_thread().build().unwrap();
        rung.block_on(cut.notified());
    }
}
