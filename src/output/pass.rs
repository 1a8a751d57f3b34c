//! Passing output on: a thread a stream, from the command's pipe to our own stream, the log and the tail. It
//! never waits for the end of a pipe that some survivor still holds once it was told to finish.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use tokio::sync::mpsc::UnboundedSender;

use super::{Log, strip_control};
use crate::sys::{self, Bell, Pipe, Stream, Woken};

/// One read: as much as a pipe holds.
const CHUNK_BYTES: usize = 64 * 1024;
/// How much of the output is kept in memory.
const TAIL_BYTES: usize = 64 * 1024;
/// A line is given out at this length even if it has no end yet.
const LINE_BYTES: usize = 16 * 1024;

/// From where to where.
#[derive(Debug)]
pub(crate) struct Route {
    /// Our end of the command's stream.
    pub(crate) from: Pipe,
    /// Where its bytes go, besides the log.
    pub(crate) to: Option<Pipe>,
}

impl Route {
    /// A pipe whose other end, the command's, is returned too; to one of our own streams, or nowhere.
    pub(crate) fn pipe(to: Option<Stream>) -> io::Result<(Self, Pipe)> {
        let (from, of_command) = io::pipe()?;
        let to = to.map(sys::own_stream).transpose()?;
        Ok((Self { from: from.into(), to }, of_command.into()))
    }
}

/// Output under way. Dropping it stops the threads without waiting for them.
#[derive(Debug)]
pub(crate) struct PassOn {
    kept: Arc<Mutex<Kept>>,
    bell: Bell,
    running: usize,
    ended: Receiver<()>,
}

impl PassOn {
    /// Starts to pass on. `lines` gets every line without its control sequences, until its receiver is dropped;
    /// `warn` is called at most once, when the log can't be kept any longer.
    pub(crate) fn start(
        routes: impl IntoIterator<Item = Route>,
        log: Option<Log>,
        lines: Option<UnboundedSender<String>>,
        warn: impl FnOnce(io::Error) + Send + 'static,
    ) -> io::Result<Self> {
        let bell = Bell::new()?;
        let log = log.map(|log| (log, Box::new(warn) as Warn));
        let kept = Arc::new(Mutex::new(Kept { log, tail: Vec::new() }));
        let (end, ended) = channel();
        let mut passing = Self { kept, bell, running: 0, ended };
        for route in routes {
            passing.spawn(route, lines.clone(), end.clone())?;
        }
        Ok(passing)
    }

    fn spawn(
        &mut self,
        route: Route,
        lines: Option<UnboundedSender<String>>,
        end: Sender<()>,
    ) -> io::Result<()> {
        let (kept, bell) = (self.kept.clone(), self.bell.clone());
        let lines = lines.map(Lines::new);
        thread::Builder::new().name("output".into()).stack_size(128 * 1024).spawn(move || {
            pass(&route, &bell, &kept, lines);
            drop(route); // before it is told: whoever still writes gets EPIPE from here on
            let _ = end.send(());
        })?;
        self.running += 1;
        Ok(())
    }

    /// The last bytes of both streams, as they came.
    pub(crate) fn tail(&self) -> Vec<u8> {
        let tail = &lock(&self.kept).tail;
        tail[tail.len().saturating_sub(TAIL_BYTES)..].to_vec()
    }

    /// Passes on what is in the pipes now and stops; false if that was not done by the deadline, because the
    /// reader of our own stream does not read.
    pub(crate) fn finish(&mut self, deadline: Instant) -> bool {
        self.bell.ring();
        while self.running > 0 {
            match self.ended.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(()) => self.running -= 1,
                Err(_) => return false,
            }
        }
        true
    }
}

impl Drop for PassOn {
    fn drop(&mut self) {
        self.bell.ring();
    }
}

type Warn = Box<dyn FnOnce(io::Error) + Send>;

/// What both threads keep.
struct Kept {
    log: Option<(Log, Warn)>,
    tail: Vec<u8>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

impl Kept {
    fn keep(&mut self, bytes: &[u8]) {
        if let Some((log, _)) = &mut self.log
            && let Err(error) = log.write(bytes)
            && let Some((_, warn)) = self.log.take()
        {
            warn(error);
        }
        // Cut only when twice as long, so that a chatty server does not move it at every line.
        if self.tail.len() + bytes.len() > 2 * TAIL_BYTES {
            let keep = TAIL_BYTES.saturating_sub(bytes.len());
            self.tail.drain(..self.tail.len().saturating_sub(keep));
        }
        self.tail.extend_from_slice(bytes);
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pass(route: &Route, bell: &Bell, kept: &Mutex<Kept>, mut lines: Option<Lines>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    // Once told to finish: what was in the pipe then, and nothing that a survivor adds.
    let mut allowance = None;
    while allowance != Some(0) {
        if allowance.is_none() {
            match sys::wait(&route.from, bell) {
                Ok(Woken::Readable) => {}
                Ok(Woken::Bell) => {
                    allowance = Some(sys::unread(&route.from));
                    continue;
                }
                Err(_) => return,
            }
        }
        let most = allowance.map_or(CHUNK_BYTES, |left| CHUNK_BYTES.min(left as usize));
        let bytes = match sys::read(&route.from, &mut buffer[..most]) {
            // A terminal, in which it can't be told how much there is.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && allowance.is_none() => continue,
            Ok(0) | Err(_) => return,
            Ok(got) => &buffer[..got],
        };
        allowance = allowance.map(|left| left.saturating_sub(bytes.len() as u64));
        // First the reader, then the books. A full disk costs the reader this piece, as it would the command;
        // a reader that left ends it, and the command learns so by its own next write.
        let written = route.to.as_ref().map_or(Ok(()), |to| sys::write_all(to, bytes));
        lock(kept).keep(bytes);
        if lines.as_mut().is_some_and(|lines| !lines.feed(bytes)) {
            lines = None;
        }
        if written.is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return;
        }
    }
}

/// Cuts a stream into lines.
struct Lines {
    to: UnboundedSender<String>,
    partial: Vec<u8>,
}

impl Lines {
    fn new(to: UnboundedSender<String>) -> Self {
        Self { to, partial: Vec::new() }
    }

    /// False once nobody listens.
    fn feed(&mut self, bytes: &[u8]) -> bool {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.partial.len() >= LINE_BYTES {
                let line = strip_control(&std::mem::take(&mut self.partial));
                if self.to.send(line.trim_end_matches('\n').to_string()).is_err() {
                    return false;
                }
            }
        }
        true
    }
}
