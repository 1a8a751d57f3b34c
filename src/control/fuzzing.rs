//! What both ends of the control socket make of any bytes, in any pieces. No socket is opened.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{Semaphore, broadcast, mpsc};

use super::client::{self, Subscription};
use super::protocol::{Ask, Greeting, LONGEST, Request, VERSION, line};
use super::server::Peer;
use crate::event::{Event, StopCause};

/// To the front: only the two lines that ask for it end or restart a tree, and every answer is JSON.
pub(crate) fn front(bytes: &[u8]) {
    on_a_runtime(async {
        let (stop, mut stops) = mpsc::unbounded_channel();
        let (events, _) = broadcast::channel(16);
        let greeting = line(&Greeting { devrun: VERSION, run: "run".into(), pid: 1 });
        let (talking, _ended) = mpsc::channel(1);
        let subscribers = Arc::new(Semaphore::new(1));
        let peer = Peer { greeting, stop, events: events.downgrade(), subscribers, _talking: talking };
        let (front, mut other) = duplex(4 * LONGEST);
        let asking = async {
            in_pieces(&mut other, bytes).await;
            let _ = events.send(line(&Event::Healthy).into());
            drop(events);
            let _ = other.shutdown().await;
            let mut said = Vec::new();
            let _ = other.read_to_end(&mut said).await;
            said
        };
        let answering = async {
            if let Ok(Some(subscriber)) = peer.talk(front).await {
                let _ = subscriber.pass_on().await;
            }
        };
        let ((), said) = tokio::join!(answering, asking);
        let said: Vec<_> = said.split_inclusive(|byte| *byte == b'\n').collect();
        assert!(said.iter().all(|line| serde_json::from_slice::<serde_json::Value>(line).is_ok()));
        let question = bytes.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        let question = &question[..question.len().min(LONGEST)];
        let asked = serde_json::from_slice::<Request>(question).ok().map(|request| request.ask);
        let cause = match asked {
            Some(Ask::Stop) => Some(StopCause::Asked),
            Some(Ask::Restart) => Some(StopCause::Restart),
            Some(Ask::Status | Ask::Subscribe) | None => None,
        };
        assert_eq!(stops.try_recv().ok(), cause);
        assert!(stops.try_recv().is_err());
    });
}

/// From the front: only the right greeting and a yes are an agreement, and every event is a line of JSON.
pub(crate) fn client(bytes: &[u8]) {
    on_a_runtime(async {
        let (mut front, other) = duplex(4 * LONGEST);
        let speaking = async {
            in_pieces(&mut front, bytes).await;
            let _ = front.shutdown().await;
            front
        };
        let (agreed, _front) = tokio::join!(client::talk(other, "run", Ask::Subscribe), speaking);
        let Ok(reader) = agreed else { return };
        let value = |nth| {
            let line = bytes.split(|byte| *byte == b'\n').nth(nth).unwrap_or_default();
            serde_json::from_slice::<serde_json::Value>(line).expect("an agreement is JSON")
        };
        assert_eq!((&value(0)["devrun"], &value(0)["run"]), (&VERSION.into(), &"run".into()));
        assert_eq!(value(1)["ok"], true);
        every_event_is_json(Subscription(reader)).await;
    });
}

async fn every_event_is_json(mut events: Subscription<DuplexStream>) {
    while let Some(event) = events.next().await {
        let shown = crate::output::printable(event.clone());
        let shown: serde_json::Value =
            serde_json::from_str(&shown).expect("it is JSON when it is shown, too");
        assert_eq!(shown, serde_json::from_str::<serde_json::Value>(&event).expect("JSON"));
    }
}

/// In pieces of a size that goes with the length.
async fn in_pieces(stream: &mut DuplexStream, bytes: &[u8]) {
    for piece in bytes.chunks(1 + bytes.len() % 61) {
        if stream.write_all(piece).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

fn on_a_runtime<F: Future<Output = ()>>(conversation: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(conversation);
}
