//! Lines on stderr that nobody has to read: whoever says one goes on after a moment. A launcher that waited for the
//! reader of its own words would be deaf to Ctrl-C meanwhile.

use std::io::{self, Write};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use crate::sys;

/// How long a line may take to be written, so that lines stand where they belong among those of the command; longer
/// where there is room for it, and the thread that writes has only not had its turn.
const PATIENCE: Duration = Duration::from_millis(200);
/// At most.
const TURN: Duration = Duration::from_secs(10);
/// The same once a line was not written in that time, until one is.
const UNREAD_PATIENCE: Duration = Duration::from_millis(1);

/// So many lines wait for a reader who pauses; those that come then are lost.
const ROOM: usize = 1000;

static UNREAD: AtomicBool = AtomicBool::new(false);

/// Text and who waits for it.
type Line = (Vec<u8>, Sender<()>);

/// To the thread that writes, which is started with the first line; none where no thread can be.
static LINES: LazyLock<Option<SyncSender<Line>>> = LazyLock::new(|| {
    let (sender, lines) = sync_channel::<Line>(ROOM);
    let write = move || {
        for (text, written) in lines {
            write(&text);
            let _ = written.send(());
        }
    };
    std::thread::Builder::new().name("lines".into()).spawn(write).ok().map(|_| sender)
});

/// Writes it, ends of lines included.
pub(super) fn put(text: Vec<u8>) {
    let Some(lines) = LINES.as_ref() else { return write(&text) };
    let (written, is_written) = channel();
    if lines.try_send((text, written)).is_err() {
        return;
    }
    let patience = if UNREAD.load(Ordering::Relaxed) { UNREAD_PATIENCE } else { PATIENCE };
    let began = Instant::now();
    let mut unread = is_written.recv_timeout(patience).is_err();
    while unread && sys::stderr_has_room() && began.elapsed() < TURN {
        unread = is_written.recv_timeout(patience).is_err();
    }
    UNREAD.store(unread, Ordering::Relaxed);
}

/// A closed stderr is no reason to end or to panic.
fn write(text: &[u8]) {
    // No more at once than a pipe takes that has room (pipe(7), PIPE_BUF).
    let _ = text.chunks(4096).try_for_each(|part| io::stderr().write_all(part));
}

/// The same for who writes by itself, a line at a time.
#[derive(Default)]
pub(super) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        put(text.to_vec());
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
