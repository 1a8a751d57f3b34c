//! Feeds the board: changes of records as the system tells of them, the end of processes whose devrun can't tell any
//! more, and what the trees cost while somebody looks. Records are not polled where changes can be heard.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

use super::board::{Board, Known};
use super::usage::Meter;
use super::view;
use crate::plan::ServerId;
use crate::registry::{Entry, Registry, server_id};
use crate::sys::process::{Identity, Process};
use crate::sys::{Change, Changes, first_to_end};

/// Between two looks at what the trees cost.
const USAGE_EVERY: Duration = Duration::from_secs(2);
/// Between two looks at the records where changes can't be heard.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A start writes its record several times.
const SETTLE: Duration = Duration::from_millis(10);

/// The trees that live, by the process above each.
type Trees = Arc<Mutex<BTreeMap<ServerId, u32>>>;

/// What is watched.
pub(super) struct Watch {
    registry: Registry,
    board: Arc<Board>,
    changes: Option<Changes>,
    trees: Trees,
    /// Who waits for the end of which run.
    ends: BTreeMap<ServerId, (Vec<Identity>, AbortHandle)>,
    ended: UnboundedSender<ServerId>,
    ends_heard: UnboundedReceiver<ServerId>,
}

impl Watch {
    /// Watches, and has put everything on the board. To be called on a tokio runtime.
    pub(super) fn start(registry: &Registry, board: &Arc<Board>) -> Self {
        let (ended, ends_heard) = unbounded_channel();
        let mut watch = Self {
            registry: registry.clone(),
            board: board.clone(),
            changes: None,
            trees: Trees::default(),
            ends: BTreeMap::new(),
            ended,
            ends_heard,
        };
        watch.changes = Changes::new()
            .and_then(|mut changes| {
                changes.watch_names(&registry.servers())?;
                Ok(changes)
            })
            .inspect_err(
                |error| tracing::warn!(target: "devrun::dashboard", %error, "changes can't be heard"),
            )
            .ok();
        watch.look_at_all();
        tokio::spawn(measure(board.clone(), watch.trees.clone()));
        watch
    }

    /// Keeps the board up to date, for ever.
    pub(super) async fn run(mut self) {
        loop {
            let changed = tokio::select! {
                changes = heard(&mut self.changes) => changes,
                Some(id) = self.ends_heard.recv() => vec![Change::In(self.registry.server(&id))],
            };
            tokio::time::sleep(SETTLE).await;
            let mut ids = BTreeSet::new();
            for change in changed {
                match change {
                    Change::Missed => self.look_at_all(),
                    Change::In(folder) if folder == self.registry.servers() => ids.extend(self.unknown()),
                    Change::In(folder) => ids.extend(id_of(&folder)),
                }
            }
            ids.iter().for_each(|id| self.look_at(id));
        }
    }

    fn look_at_all(&mut self) {
        let ids: BTreeSet<_> = self.registry.ids().into_iter().chain(self.board.ids()).collect();
        ids.iter().for_each(|id| self.look_at(id));
    }

    /// The servers whose folders came or went.
    fn unknown(&self) -> Vec<ServerId> {
        let there: BTreeSet<_> = self.registry.ids().into_iter().collect();
        let known: BTreeSet<_> = self.board.ids().into_iter().collect();
        there.symmetric_difference(&known).cloned().collect()
    }

    fn look_at(&mut self, id: &ServerId) {
        // Watched before it is read: what changes in between is heard. Watching twice is watching once.
        if let Some(changes) = &mut self.changes {
            let watched = changes.watch_names(&self.registry.server(id));
            if let Err(error) = watched
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(target: "devrun::dashboard", %error, "changes can't be heard any more");
                self.changes = None;
            }
        }
        let entry = self.registry.entry(id).transpose();
        self.watch_end(id, entry.as_ref().ok().and_then(Option::as_ref).filter(|entry| entry.live));
        let known = match entry {
            Ok(Some(entry)) => Known::Server(view::server(&entry)),
            Ok(None) => Known::Nothing,
            Err(problem) => Known::Problem(problem.text),
        };
        self.board.put(id, known);
    }

    /// A devrun that is killed changes no file: the end of its processes is waited for.
    fn watch_end(&mut self, id: &ServerId, live: Option<&Entry>) {
        let holders: Vec<_> =
            live.iter().flat_map(|entry| entry.record.guard.into_iter().chain(entry.record.front)).collect();
        {
            let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
            match holders.first() {
                Some(root) => drop(trees.insert(id.clone(), root.pid)),
                None => drop(trees.remove(id)),
            }
        }
        if self.ends.get(id).is_some_and(|(watched, _)| *watched == holders) {
            return;
        }
        if let Some((_, task)) = self.ends.remove(id) {
            task.abort();
        }
        if !holders.is_empty() {
            let task = tokio::spawn(tell_ends(id.clone(), holders.clone(), self.ended.clone()));
            self.ends.insert(id.clone(), (holders, task.abort_handle()));
        }
    }
}

/// Whoever has the lock of the server: the guard, and after it the front. One after the other, for one descriptor each.
async fn tell_ends(id: ServerId, holders: Vec<Identity>, ended: UnboundedSender<ServerId>) {
    for holder in holders {
        if let Ok(Some(process)) = Process::open(&holder) {
            first_to_end(&[process]).await;
        }
        let _ = ended.send(id.clone());
    }
}

/// The next changes; where they can't be heard, a look at everything now and then.
async fn heard(changes: &mut Option<Changes>) -> Vec<Change> {
    let Some(listening) = changes else {
        tokio::time::sleep(LOOK_EVERY).await;
        return vec![Change::Missed];
    };
    match listening.next().await {
        Ok(heard) => heard,
        Err(error) => {
            tracing::warn!(target: "devrun::dashboard", %error, "changes can't be heard any more");
            *changes = None;
            vec![Change::Missed]
        }
    }
}

/// Tells what the trees cost, only while somebody wants to know.
async fn measure(board: Arc<Board>, trees: Trees) {
    loop {
        board.wanted().await;
        let mut meter = Meter::default();
        while board.is_wanted() {
            let now: Vec<_> = {
                let trees = trees.lock().unwrap_or_else(PoisonError::into_inner);
                trees.iter().map(|(id, pid)| (id.clone(), *pid)).collect()
            };
            // Many trees are many files to read.
            let reading = tokio::task::spawn_blocking(move || {
                let read = meter.read(&now);
                (meter, read)
            });
            let Ok((back, read)) = reading.await else { return };
            meter = back;
            board.tell_usage(&read);
            tokio::time::sleep(USAGE_EVERY).await;
        }
    }
}

fn id_of(folder: &Path) -> Option<ServerId> {
    server_id(folder.file_name()?.to_str()?)
}
