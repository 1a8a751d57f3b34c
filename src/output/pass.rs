//! Passing output on: a thread a stream, from the command's pipe to our own stream, the log and the tail. It
//! never waits for the end of a pipe that some survivor still holds once it was told to finish.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use tokio::sync::broadcast;

use super::keep::{Keep, Writer};
use super::patience::{self, Writes};
use super::{Log, strip_control};
use crate::sys::{self, Bell, Pipe, Stream, Woken};

/// One read, at most.
const CHUNK_BYTES: usize = 64 * 1024;
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
        let (from, of_command) = (Pipe::from(from), Pipe::from(of_command));
        sys::widen(&from);
        let to = to.map(sys::own_stream).transpose()?;
        Ok((Self { from, to }, of_command))
    }
}

/// Output under way. Dropping it stops the threads without waiting for them.
#[derive(Debug)]
pub(crate) struct PassOn {
    keep: Keep,
    log: Option<Writer>,
    bell: Bell,
    writes: Vec<Writes>,
    running: usize,
    ended: Receiver<()>,
}

impl PassOn {
    /// Starts to pass on. `lines` gets every line without its control sequences, until its receiver is dropped;
    /// `warn` is called at most once, when something can't be written to the log.
    pub(crate) fn start(
        routes: impl IntoIterator<Item = Route>,
        log: Option<Log>,
        lines: Option<broadcast::Sender<String>>,
        warn: impl FnOnce(io::Error) + Send + 'static,
    ) -> io::Result<Self> {
        let bell = Bell::new()?;
        let (keep, log) = Keep::start(log, Box::new(warn))?;
        let (end, ended) = channel();
        let mut passing = Self { keep, log, bell, writes: Vec::new(), running: 0, ended };
        for route in routes {
            passing.spawn(route, lines.clone(), end.clone())?;
        }
        Ok(passing)
    }

    fn spawn(
        &mut self,
        route: Route,
        lines: Option<broadcast::Sender<String>>,
        end: Sender<()>,
    ) -> io::Result<()> {
        let (keep, bell) = (self.keep.clone(), self.bell.clone());
        let (lines, writes) = (lines.map(Lines::new), Writes::default());
        self.writes.push(writes.clone());
        thread::Builder::new().name("output".into()).stack_size(128 * 1024).spawn(move || {
            pass(&route, &bell, &keep, &writes, lines);
            drop(route); // before it is told: whoever still writes gets EPIPE from here on
            let _ = end.send(());
        })?;
        self.running += 1;
        Ok(())
    }

    /// The last bytes of both streams, as they came.
    pub(crate) fn tail(&self) -> Vec<u8> {
        self.keep.tail()
    }

    /// Passes on what is in the pipes now. False if a single write takes longer than this, because the reader of our
    /// own stream does not read: then it goes on, and can be asked for again.
    pub(crate) fn pass_rest(&mut self, patience: Duration) -> bool {
        self.bell.ring();
        self.wait(patience)
    }

    /// The same, has it in the log, and stops.
    pub(crate) fn finish(&mut self, patience: Duration) -> bool {
        let passed = self.pass_rest(patience);
        if let Some(log) = self.log.take() {
            log.finish(patience);
        }
        passed
    }

    fn wait(&mut self, patience: Duration) -> bool {
        while self.running > 0 {
            if !patience::end_of(&self.writes, &self.ended, patience) {
                return false;
            }
            self.running -= 1;
        }
        true
    }
}

impl Drop for PassOn {
    fn drop(&mut self) {
        self.bell.ring();
    }
}

fn pass(route: &Route, bell: &Bell, keep: &Keep, writes: &Writes, mut lines: Option<Lines>) {
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
        let written = route.to.as_ref().map_or(Ok(()), |to| writes.during(|| sys::write_all(to, bytes)));
        keep.add(bytes);
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
    to: broadcast::Sender<String>,
    partial: Vec<u8>,
}

impl Lines {
    fn new(to: broadcast::Sender<String>) -> Self {
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn who_had_no_turn_yet_is_waited_for() {
        let (from, mut command) = io::pipe().unwrap();
        let (mut out, to) = io::pipe().unwrap();
        let route = Route { from: from.into(), to: Some(to.into()) };
        let mut passing = PassOn::start([route], None, None, |error| panic!("{error}")).unwrap();
        let keep = passing.keep.clone();
        let held = keep.lock();
        command.write_all(b"first ").unwrap();
        let mut first = [0; 6];
        out.read_exact(&mut first).unwrap(); // and now the thread waits for what is held here
        command.write_all(b"last").unwrap();
        let (done, finished) = channel();
        std::thread::spawn(move || done.send(passing.finish(Duration::from_millis(5))));
        assert!(finished.recv_timeout(Duration::from_millis(100)).is_err(), "given up");
        drop(held);
        assert!(finished.recv().unwrap());
        let mut last = String::new();
        out.read_to_string(&mut last).unwrap();
        assert_eq!(last, "last");
    }
}
