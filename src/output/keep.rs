//! Keeping output: its end in memory, and all of it in the log, which a thread of its own writes. Whoever brings output
//! never waits for the disk; what a disk is too slow for, the log says.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Log;
use super::log::FILE_BYTES;
use super::patience::{self, Writes};
use super::queue::{Batch, PIECE_BYTES, Queue};

/// How much of the output is kept in memory.
const TAIL_BYTES: usize = 64 * 1024;
/// Who writes more than this in a second takes the processor from others for output that the log is about to forget.
const FLOOD_BYTES: u64 = 50_000_000;
/// No pause for less: a line is in the log at once.
const BURST_BYTES: usize = 64 * 1024;

/// Called at most once, when the log can't be written.
pub(super) type Warn = Box<dyn FnOnce(io::Error) + Send>;

/// Where output is kept. Clones keep it in the same place.
#[derive(Debug, Clone)]
pub(super) struct Keep(Arc<(Mutex<Kept>, Condvar)>);

#[derive(Debug)]
pub(super) struct Kept {
    /// What is not in the log yet; where there is none, the newest output.
    queue: Queue,
    /// The end of what was taken from the queue.
    tail: Vec<u8>,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// More may come.
    Open,
    /// What is queued is written, and no more.
    Closing,
    /// Nobody waits for it any longer, and somebody else may write to the log.
    Abandoned,
}

/// The thread that writes the log.
#[derive(Debug)]
pub(super) struct Writer {
    keep: Keep,
    writes: Writes,
    ended: Receiver<()>,
}

impl Keep {
    pub(super) fn start(log: Option<Log>, warn: Warn) -> io::Result<(Self, Option<Writer>)> {
        // A queue that skips holds up to a piece less than its limit.
        let limit = if log.is_some() { FILE_BYTES as usize } else { PIECE_BYTES } + PIECE_BYTES;
        let kept = Kept { queue: Queue::new(limit), tail: Vec::new(), phase: Phase::Open };
        let keep = Self(Arc::new((Mutex::new(kept), Condvar::new())));
        let Some(log) = log else { return Ok((keep, None)) };
        let (end, ended) = channel();
        let (of_thread, writes) = (keep.clone(), Writes::default());
        let its_writes = writes.clone();
        thread::Builder::new().name("log".into()).stack_size(128 * 1024).spawn(move || {
            of_thread.write(log, &its_writes, warn);
            let _ = end.send(());
        })?;
        Ok((keep.clone(), Some(Writer { keep, writes, ended })))
    }

    /// Adds a piece of output.
    pub(super) fn add(&self, bytes: &[u8]) {
        let mut kept = self.lock();
        let first = kept.queue.is_empty();
        kept.queue.push(bytes);
        drop(kept);
        if first {
            self.0.1.notify_all();
        }
    }

    /// The last bytes, as they came.
    pub(super) fn tail(&self) -> Vec<u8> {
        let kept = self.lock();
        let mut tail = kept.tail.clone();
        add_end(&mut tail, kept.queue.pieces());
        tail.split_off(tail.len().saturating_sub(TAIL_BYTES))
    }

    /// Writes the log until it is closed and all is written.
    fn write(&self, mut log: Log, writes: &Writes, warn: Warn) {
        let mut warn = Some(warn);
        while let Some(batch) = self.next() {
            let begin = Instant::now();
            log.skip(batch.skipped);
            for piece in &batch.pieces {
                if self.lock().phase == Phase::Abandoned {
                    return;
                }
                if let Err(error) = writes.during(|| log.write(piece))
                    && let Some(warn) = warn.take()
                {
                    warn(error);
                }
            }
            self.rest(batch, begin);
        }
        let _ = log.say_skipped();
    }

    /// What is to be written, as soon as there is something; `None` at the end.
    fn next(&self) -> Option<Batch> {
        let waits = |kept: &mut Kept| kept.phase == Phase::Open && kept.queue.is_empty();
        let kept = self.0.1.wait_while(self.lock(), waits);
        let mut kept = kept.unwrap_or_else(PoisonError::into_inner);
        if kept.queue.is_empty() {
            return None;
        }
        let batch = kept.queue.take();
        add_end(&mut kept.tail, &batch.pieces);
        Some(batch)
    }

    /// After a batch: the more, the longer. What comes meanwhile makes the next one.
    fn rest(&self, batch: Batch, begin: Instant) {
        let pause = pause(batch.length()).saturating_sub(begin.elapsed());
        let mut kept = self.lock();
        if !pause.is_zero() {
            let waited = self.0.1.wait_timeout_while(kept, pause, |kept| kept.phase == Phase::Open);
            kept = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        kept.queue.give_back(batch);
    }

    fn enter(&self, phase: Phase) {
        self.lock().phase = phase;
        self.0.1.notify_all();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Waits until all that was added is in the log, or one write takes longer than this: a disk may hang.
    pub(super) fn finish(&self, patience: Duration) {
        self.keep.enter(Phase::Closing);
        patience::end_of(std::slice::from_ref(&self.writes), &self.ended, patience);
        self.keep.enter(Phase::Abandoned);
    }
}

impl Drop for Writer {
    /// Without waiting.
    fn drop(&mut self) {
        let mut kept = self.keep.lock();
        if kept.phase == Phase::Open {
            kept.phase = Phase::Closing;
        }
        drop(kept);
        self.keep.0.1.notify_all();
    }
}

/// Adds the end of a queue: its last two pieces hold as much as is kept, since the first of them is full.
fn add_end(tail: &mut Vec<u8>, pieces: &VecDeque<Vec<u8>>) {
    for piece in pieces.range(pieces.len().saturating_sub(2)..) {
        let bytes = &piece[piece.len().saturating_sub(TAIL_BYTES)..];
        // Cut only when twice as long, so that a chatty server does not move it at every line.
        if tail.len() + bytes.len() > 2 * TAIL_BYTES {
            let keep = TAIL_BYTES.saturating_sub(bytes.len());
            tail.drain(..tail.len().saturating_sub(keep));
        }
        tail.extend_from_slice(bytes);
    }
}

/// How long so much may take to write, at the least.
fn pause(bytes: usize) -> Duration {
    match bytes {
        0..=BURST_BYTES => Duration::ZERO,
        _ => Duration::from_secs(bytes as u64) / FLOOD_BYTES as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_flood_is_held_up() {
        let table = [(80, 0), (BURST_BYTES, 0), (1_000_000, 20), (5_000_000, 100)];
        for (bytes, ms) in table {
            assert_eq!(pause(bytes), Duration::from_millis(ms), "{bytes}");
        }
    }
}
