//! What happens to a server as a stream, for blocking and for async code. It only hands on.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::event::Event;

/// The events of one server, made by [`Builder::events`](crate::Builder::events). It ends when the server has ended.
///
/// As an iterator it blocks, and panics in async code; there, use [`recv`](Self::recv). Events that nobody reads are
/// kept until this is dropped.
#[derive(Debug)]
pub struct Events(UnboundedReceiver<Event>);

impl Events {
    pub(crate) fn channel() -> (UnboundedSender<Event>, Self) {
        let (sender, receiver) = unbounded_channel();
        (sender, Self(receiver))
    }

    /// The next event; `None` once the server has ended. Works on any runtime; cancel-safe.
    pub async fn recv(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.0.blocking_recv()
    }
}
