//! Waiting for threads that write, for as long as they get on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// What a thread has begun to write and has written: odd while it writes.
#[derive(Debug, Clone, Default)]
pub(super) struct Writes(Arc<AtomicUsize>);

impl Writes {
    pub(super) fn during<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.fetch_add(1, Ordering::Relaxed);
        let written = write();
        self.0.fetch_add(1, Ordering::Relaxed);
        written
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Waits until one of them says its end; false once one of them has been in the same write for so long: nobody reads
/// there, or the disk hangs.
///
/// One that is in no write has not had its turn yet, on a machine that is busy or was asleep; and what it has to write
/// may be why the command ended.
pub(super) fn end_of(threads: &[Writes], ended: &Receiver<()>, patience: Duration) -> bool {
    loop {
        let before: Vec<usize> = threads.iter().map(Writes::count).collect();
        match ended.recv_timeout(patience) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let mut both = threads.iter().map(Writes::count).zip(before);
        if both.any(|(now, before)| now % 2 == 1 && now == before) {
            return false;
        }
    }
}
