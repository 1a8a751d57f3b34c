//! A handle on a running server: the thread that supervises it, and what both know.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::mpsc::UnboundedSender;

use crate::builder::Builder;
use crate::error::{Error, Kind};
use crate::event::{Event, Exit, StopCause};
use crate::plan::Port;
use crate::supervise::Outcome;

/// A running dev server. It lives until it is stopped or dropped, or this program ends, in whatever way.
///
/// Dropping stops it as [`stop`](Self::stop) does, and waits for that: at most the grace period and a few
/// seconds. A program that is killed drops nothing; then the guard ends the server, within two seconds.
///
/// ```no_run
/// use devrun::Server;
///
/// let server = Server::command("npm").args(["run", "dev"]).start()?;
/// println!("{} is ready", server.url());
/// server.stop()?;
/// # Ok::<(), devrun::Error>(())
/// ```
#[derive(Debug)]
pub struct Server {
    handle: Handle,
}

/// What is needed to stop a server and to wait for it.
#[derive(Debug, Clone)]
struct Handle {
    shared: Arc<Shared>,
    stop: UnboundedSender<StopCause>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Server {
    /// A server that runs this program, found in PATH or in a `node_modules/.bin` of the folder.
    ///
    /// ```
    /// use devrun::Server;
    /// use std::io::Read;
    ///
    /// let server = Server::command("python3")
    ///     .args(["-m", "http.server", "{port}", "--bind", "127.0.0.1"])
    ///     .name("doc-example")
    ///     .start()?;
    /// assert!(server.url().ends_with(&server.port().to_string()));
    /// server.stop()?;
    /// # Ok::<(), devrun::Error>(())
    /// ```
    pub fn command(program: impl AsRef<OsStr>) -> Builder {
        Builder::new(program.as_ref())
    }

    /// Where it answers, e.g. `http://localhost:4123`.
    pub fn url(&self) -> String {
        self.handle.shared.lock().url.clone()
    }

    /// The port it answers on.
    pub fn port(&self) -> Port {
        self.handle.shared.lock().port.expect("a server is handed out when it is ready")
    }

    /// Its further port of this name, asked for by [`Builder::extra_port`].
    pub fn extra_port(&self, name: &str) -> Option<Port> {
        self.handle.shared.lock().extra_ports.get(name).copied()
    }

    /// The pid of the command; of the last start, if it was started again.
    pub fn pid(&self) -> u32 {
        self.handle.shared.lock().pid
    }

    /// Whether its processes still run, or will again.
    pub fn is_running(&self) -> bool {
        self.handle.shared.lock().ended.is_none()
    }

    /// Stops it and returns when none of its processes is left. Stopping what has stopped does nothing.
    ///
    /// Errs with what went wrong since it was ready: its guard was killed, it could not be started again, or it was
    /// given up after too many restarts. That is told once, to the first who asks; its processes are gone then, too.
    ///
    /// Called (or dropped) by a listener of [`Builder::on_event`], it asks for the stop and returns at once.
    pub fn stop(&self) -> Result<(), Error> {
        self.handle.stop()
    }

    /// As [`stop`](Self::stop), for async code on any runtime. Dropping the future does not take the stop back.
    pub async fn stop_async(&self) -> Result<(), Error> {
        let handle = self.handle.clone();
        off_thread(move || handle.stop()).await
    }

    /// Waits until none of its processes is left; says how the command ended.
    ///
    /// Errs as [`stop`](Self::stop) does, and at once when called by a listener of [`Builder::on_event`].
    pub fn wait(&self) -> Result<Exit, Error> {
        self.handle.wait()
    }

    /// As [`wait`](Self::wait), for async code on any runtime.
    pub async fn wait_async(&self) -> Result<Exit, Error> {
        let handle = self.handle.clone();
        off_thread(move || handle.wait()).await
    }

    /// Ends its processes and starts them again, on the same port. Returns at once; [`Event::Ready`] tells when it is
    /// done. Restarting what has ended does nothing.
    pub fn restart(&self) {
        let _ = self.handle.stop.send(StopCause::Restart);
    }
}

impl Handle {
    fn stop(&self) -> Result<(), Error> {
        let _ = self.stop.send(StopCause::Asked);
        if self.is_this_thread() {
            return Ok(());
        }
        self.wait().map(|_| ())
    }

    /// Whether this is a listener, on the thread that supervises: what that waited for would never come.
    fn is_this_thread(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_some_and(|thread| thread.thread().id() == std::thread::current().id())
    }

    fn wait(&self) -> Result<Exit, Error> {
        if self.is_this_thread() {
            return Err(Error::new(Kind::Internal, "a listener can't wait for the end of its own server"));
        }
        let mut state = self.shared.lock();
        while state.ended.is_none() {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
        match &mut self.shared.lock().ended {
            Some(Ok(outcome)) => outcome.error.take().map_or(Ok(outcome.exit), Err),
            Some(Err(error)) => Err(std::mem::replace(error, thread_gone())),
            None => Err(thread_gone()),
        }
    }
}

impl Server {
    /// A handle on what `supervise` does on a thread of its own, and reports to `Shared`.
    pub(crate) fn on_a_thread(
        stop: UnboundedSender<StopCause>,
        supervise: impl FnOnce(&Shared) -> Result<Outcome, Error> + Send + 'static,
    ) -> Result<Self, Error> {
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("devrun".into()).spawn(move || {
            // Also when this thread panics, whoever waits is told.
            let _over = SayOver(&for_thread);
            let ended = supervise(&for_thread);
            for_thread.lock().ended.get_or_insert(ended);
        });
        let thread = thread.map_err(|error| {
            Error::new(Kind::Internal, "no thread could be made for the server").source(error)
        })?;
        Ok(Self { handle: Handle { shared, stop, thread: Arc::new(Mutex::new(Some(thread))) } })
    }

    pub(crate) fn wait_until_ready(&self) -> Result<(), Error> {
        let shared = &self.handle.shared;
        let mut state = shared.lock();
        while !state.ready && state.ended.is_none() {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.ready {
            return Ok(());
        }
        // Whoever asks again hears of the end only.
        match state.ended.replace(Err(thread_gone())) {
            Some(Ok(Outcome { already_running: Some(url), .. })) => {
                Err(Error::new(Kind::Internal, format!("the server runs already, at {url}"))
                    .hint("give this one another name(), or stop that one"))
            }
            Some(Ok(Outcome { error: Some(error), .. })) | Some(Err(error)) => Err(error),
            Some(Ok(outcome)) => Err(Error::new(
                Kind::Internal,
                format!("the server ended before it was ready: {:?}", outcome.exit),
            )),
            None => Err(thread_gone()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// Does what blocks on a thread of its own, for whatever runtime waits. What is dropped meanwhile is done and dropped.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("devrun-wait".into()).spawn(move || {
        let _ = tell.send(work());
    });
    thread.map_err(|error| Error::new(Kind::Internal, "no thread could be made to wait on").source(error))?;
    told.await.unwrap_or_else(|_| Err(thread_gone()))
}

fn thread_gone() -> Error {
    Error::new(Kind::Internal, "the thread that supervised the server has ended")
}

/// What the supervising thread and the handle share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    url: String,
    port: Option<Port>,
    extra_ports: BTreeMap<String, Port>,
    pid: u32,
    ready: bool,
    ended: Option<Result<Outcome, Error>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn heard(&self, event: &Event) {
        if let Event::Started { extra_ports, .. } = event {
            self.lock().extra_ports.clone_from(extra_ports);
        }
        if let Event::Ready { url, port, pid, .. } = event {
            let mut state = self.lock();
            state.url.clone_from(url);
            (state.port, state.pid, state.ready) = (Some(*port), *pid, true);
            self.changed.notify_all();
        }
    }
}

/// Marks the end when the supervising thread ends, by return or by panic.
struct SayOver<'a>(&'a Shared);

impl Drop for SayOver<'_> {
    fn drop(&mut self) {
        self.0.lock().ended.get_or_insert_with(|| Err(thread_gone()));
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_hears_once_why_a_ready_server_was_not_started_again() {
        let (stop, _stops) = tokio::sync::mpsc::unbounded_channel();
        let server = Server::on_a_thread(stop, |shared| {
            let port = Port::new(4100).expect("not 0");
            shared.heard(&Event::Ready { url: "http://localhost:4100".into(), port, pid: 1, ms: 1 });
            Err(Error::new(Kind::NotFound, "vite was not found"))
        });
        let server = server.unwrap();
        server.wait_until_ready().unwrap();
        assert_eq!(server.wait().unwrap_err().kind(), Kind::NotFound);
        assert_eq!(server.wait().unwrap_err().kind(), Kind::Internal);
        assert!(!server.is_running());
    }
}
