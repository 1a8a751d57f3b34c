//! The front's end of the control socket. It never waits for a peer: one that does not ask, or does not read, is
//! dropped.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::protocol::{Answer, Ask, Greeting, LONGEST, VERSION, line};
use crate::event::{Event, StopCause};
use crate::plan::ServerId;
use crate::registry::Registry;
use crate::sys::ControlListener;

/// How long a peer may take to ask, and to take what it is told.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long they have for the last events.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// So many conversations at once; more wait.
const PEERS: usize = 64;

/// So many subscribers at once; more are refused. They have places of their own, or they would keep out who asks.
const SUBSCRIBERS: usize = 64;

/// A subscriber that is so many events behind is dropped.
const BACKLOG: usize = 256;

/// The socket of a front. Dropping it ends all conversations and removes it.
#[derive(Debug)]
pub(crate) struct Control {
    /// `None`: nothing more will be told.
    events: Option<broadcast::Sender<Arc<[u8]>>>,
    task: JoinHandle<()>,
    /// Closed when the last conversation has ended.
    ended: mpsc::Receiver<()>,
    path: PathBuf,
}

impl Control {
    /// Listens for this run, which holds the server's lock: so a socket that is there already is a dead one's.
    /// Requests go to `stop`. To be called on the runtime that supervises.
    pub(crate) fn serve(
        registry: &Registry,
        id: &ServerId,
        run: &str,
        stop: UnboundedSender<StopCause>,
    ) -> io::Result<Self> {
        let path = super::socket(registry, id);
        let mut listener = ControlListener::bind(&path)?;
        let (events, _) = broadcast::channel(BACKLOG);
        let greeting = line(&Greeting { devrun: VERSION, run: run.to_string(), pid: std::process::id() });
        let (talking, ended) = mpsc::channel(1);
        let subscribers = Arc::new(Semaphore::new(SUBSCRIBERS));
        let peer =
            Arc::new(Peer { greeting, stop, events: events.downgrade(), subscribers, _talking: talking });
        let places = Arc::new(Semaphore::new(PEERS));
        let task = tokio::spawn(async move {
            while let Ok(place) = Arc::clone(&places).acquire_owned().await {
                match listener.accept().await {
                    Ok(stream) => {
                        let peer = Arc::clone(&peer);
                        tokio::spawn(async move {
                            // A peer that leaves or stalls is its own affair.
                            let subscriber = peer.talk(stream).await;
                            drop(place);
                            if let Ok(Some(subscriber)) = subscriber {
                                let _ = subscriber.pass_on().await;
                            }
                        });
                    }
                    Err(error) => {
                        tracing::debug!(target: "devrun::control", %error, "a peer was refused");
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
            }
        });
        Ok(Self { events: Some(events), task, ended, path })
    }

    /// Tells the subscribers.
    pub(crate) fn tell(&self, event: &Event) {
        if let Some(events) = self.events.as_ref().filter(|events| events.receiver_count() > 0) {
            let _ = events.send(line(event).into());
        }
    }
}

impl Control {
    /// Lets the subscribers have what they were told: this process may be about to end.
    pub(crate) async fn finish(mut self) {
        self.task.abort();
        let listened_to = self.events.take().is_some_and(|events| events.receiver_count() > 0);
        if listened_to {
            let _ = timeout(LAST_WORDS, self.ended.recv()).await;
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
        // The lock is still held: no other front can have put its own there.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What every conversation needs.
pub(super) struct Peer {
    pub(super) greeting: Vec<u8>,
    pub(super) stop: UnboundedSender<StopCause>,
    /// Weak: when the front is done, the subscribers hear the end.
    pub(super) events: broadcast::WeakSender<Arc<[u8]>>,
    pub(super) subscribers: Arc<Semaphore>,
    pub(super) _talking: mpsc::Sender<()>,
}

/// Who has asked for the events.
pub(super) struct Subscriber<S> {
    events: broadcast::Receiver<Arc<[u8]>>,
    stream: S,
    _place: OwnedSemaphorePermit,
}

impl Peer {
    /// Answers one question; of who subscribes the events are still to be passed on.
    pub(super) async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: S,
    ) -> io::Result<Option<Subscriber<S>>> {
        // Before the question: what happens between the two is not missed.
        let Some(events) = self.events.upgrade().map(|events| events.subscribe()) else { return Ok(None) };
        timeout(PATIENCE, stream.write_all(&self.greeting)).await??;
        let mut reader = BufReader::new(stream);
        let mut question = Vec::new();
        let most = LONGEST as u64;
        timeout(PATIENCE, (&mut reader).take(most).read_until(b'\n', &mut question)).await??;
        let mut stream = reader.into_inner();
        let (mut answer, mut ask) = Answer::to(&question);
        let place = self.place_for(ask);
        if place.is_none() && ask == Some(Ask::Subscribe) {
            (answer, ask) =
                (Answer::no(format!("it has {SUBSCRIBERS} subscribers, and takes no more")), None);
        }
        timeout(PATIENCE, stream.write_all(&line(&answer))).await??;
        match ask {
            Some(Ask::Stop) => drop(self.stop.send(StopCause::Asked)),
            Some(Ask::Restart) => drop(self.stop.send(StopCause::Restart)),
            Some(Ask::Status | Ask::Subscribe) | None => {}
        }
        Ok(place.map(|place| Subscriber { events, stream, _place: place }))
    }

    fn place_for(&self, ask: Option<Ask>) -> Option<OwnedSemaphorePermit> {
        ask.filter(|ask| *ask == Ask::Subscribe)?;
        Arc::clone(&self.subscribers).try_acquire_owned().ok()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Subscriber<S> {
    /// Until the front ends, or the subscriber leaves or falls behind.
    pub(super) async fn pass_on(mut self) -> io::Result<()> {
        let mut heard = [0; 16];
        loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    Ok(line) => timeout(PATIENCE, self.stream.write_all(&line)).await??,
                    Err(_) => return Ok(()),
                },
                // It says nothing more; so this is its end.
                _ = self.stream.read(&mut heard) => return Ok(()),
            }
        }
    }
}
