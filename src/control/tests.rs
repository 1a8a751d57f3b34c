//! Both ends against each other, and each against a peer that does not behave.

use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::event::{Event, StopCause};
use crate::plan::ServerId;
use crate::sys::{ControlListener, connect_control};

const SOON: Duration = Duration::from_secs(10);

struct Front {
    _folder: tempfile::TempDir,
    registry: Registry,
    id: ServerId,
    control: Control,
    stops: UnboundedReceiver<StopCause>,
}

impl Front {
    /// Below a folder with a name of so many letters.
    fn new(letters: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("x".repeat(letters));
        std::fs::create_dir(&deep).unwrap();
        let registry = Registry::at(&deep.join("state")).unwrap();
        let id = ServerId("0123456789abcdef".into());
        std::fs::create_dir(registry.server(&id)).unwrap();
        let (stop, stops) = unbounded_channel();
        let control = Control::serve(&registry, &id, "run", stop).unwrap();
        Self { _folder: folder, registry, id, control, stops }
    }

    /// Asks from another thread, as another program would.
    async fn asked(&self, question: Ask, run: &'static str) -> Result<(), Silent> {
        let (registry, id) = (self.registry.clone(), self.id.clone());
        tokio::task::spawn_blocking(move || ask(&registry, &id, run, question, SOON)).await.unwrap()
    }
}

fn on_a_runtime<F: Future<Output = ()>>(test: F) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn a_front_is_asked_and_what_is_asked_becomes_a_cause() {
    on_a_runtime(async {
        for letters in [1, 150] {
            let mut front = Front::new(letters);
            front.asked(Ask::Status, "run").await.unwrap();
            assert!(front.stops.try_recv().is_err());
            front.asked(Ask::Restart, "run").await.unwrap();
            front.asked(Ask::Stop, "run").await.unwrap();
            assert_eq!(front.stops.recv().await, Some(StopCause::Restart));
            assert_eq!(front.stops.recv().await, Some(StopCause::Asked));
            let other = front.asked(Ask::Stop, "another run").await;
            assert!(matches!(other, Err(Silent::Garbage(_))), "{other:?}");
            assert!(front.stops.try_recv().is_err());
            let socket = super::socket(&front.registry, &front.id);
            assert!(crate::sys::testing::mode(&socket).is_none_or(|mode| mode == 0o600));
            drop(front.control);
            assert!(!socket.exists());
        }
    });
}

#[test]
fn a_subscriber_hears_every_event_and_the_end() {
    on_a_runtime(async {
        let front = Front::new(1);
        let mut events = subscribe(&front.registry, &front.id, "run", SOON).await.unwrap();
        front.control.tell(&Event::Healthy);
        front.control.tell(&Event::Note { text: "a\nb".into() });
        assert_eq!(events.next().await.unwrap(), r#"{"event":"healthy"}"#);
        let hearing = tokio::spawn(async move { (events.next().await, events) });
        front.control.finish().await;
        let (last, mut events) = hearing.await.unwrap();
        assert_eq!(last.unwrap(), r#"{"event":"note","text":"a\nb"}"#);
        assert_eq!(events.next().await, None);
    });
}

#[test]
fn however_many_subscribe_one_that_asks_is_answered() {
    on_a_runtime(async {
        let mut front = Front::new(1);
        let mut subscribers = Vec::new();
        let refused = loop {
            match subscribe(&front.registry, &front.id, "run", SOON).await {
                Ok(subscriber) => subscribers.push(subscriber),
                Err(refused) => break refused,
            }
        };
        assert!(matches!(refused, Silent::Refused(_)) && subscribers.len() == 64, "{refused:?}");
        front.asked(Ask::Stop, "run").await.unwrap();
        assert_eq!(front.stops.recv().await, Some(StopCause::Asked));
        front.control.tell(&Event::Healthy);
        for subscriber in &mut subscribers {
            assert!(subscriber.next().await.is_some());
        }
    });
}

#[test]
fn who_says_what_is_no_question_gets_an_answer_and_changes_nothing() {
    on_a_runtime(async {
        let mut front = Front::new(1);
        let socket = super::socket(&front.registry, &front.id);
        let questions: [&[u8]; 6] = [
            b"\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"{\"ask\":\"explode\"}\n",
            b"{\"ask\":\"stop\",\"more\":1}\n",
            b"\xff\xfe\0\n",
            &[b'x'; 100_000],
        ];
        for question in questions {
            let mut stream = connect_control(&socket).await.unwrap();
            let _ = stream.write_all(question).await;
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer).await;
            // What is too long may be hung up on; all else is answered.
            let refused = answer.lines().nth(1).is_some_and(|line| line.contains("\"ok\":false"));
            assert!(refused || question.len() > 1000, "{answer}");
        }
        // Nor does one that says nothing keep the others out.
        let silent = connect_control(&socket).await.unwrap();
        front.asked(Ask::Stop, "run").await.unwrap();
        assert_eq!(front.stops.recv().await, Some(StopCause::Asked));
        assert!(front.stops.try_recv().is_err());
        drop(silent);
    });
}

#[test]
fn a_socket_that_nobody_or_nonsense_answers_is_told_apart() {
    on_a_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::at(&folder.path().join("state")).unwrap();
        let id = ServerId("0123456789abcdef".into());
        std::fs::create_dir(registry.server(&id)).unwrap();
        let socket = super::socket(&registry, &id);
        let asked = |patience| {
            let (registry, id) = (registry.clone(), id.clone());
            tokio::task::spawn_blocking(move || ask(&registry, &id, "run", Ask::Status, patience))
        };
        assert!(matches!(asked(SOON).await.unwrap(), Err(Silent::Nobody(_))));
        let silent = ControlListener::bind(&socket).unwrap();
        let answer = asked(Duration::from_millis(100)).await.unwrap();
        assert!(matches!(answer, Err(Silent::NoAnswer)), "nobody accepts: {answer:?}");
        drop(silent);
        for (said, newer) in [("SSH-2.0-x\r\n", false), ("{\"devrun\":9,\"run\":\"run\",\"pid\":1}\n", true)]
        {
            let mut listener = ControlListener::bind(&socket).unwrap();
            let answer = asked(SOON);
            let mut stream = listener.accept().await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            // Until the other side has read it and left.
            let _ = stream.read(&mut [0; 1]).await;
            match answer.await.unwrap() {
                Err(Silent::Garbage(what)) => assert_eq!(what.contains("version 9"), newer, "{what}"),
                other => panic!("{other:?}"),
            }
        }
    });
}

/// What is said on the socket, right and wrong; strung together, conversations of every kind.
fn said() -> impl Strategy<Value = Vec<u8>> {
    let greeting = r#"{"devrun":1,"run":"run","pid":1}"#;
    let lines = [
        greeting,
        r#"{"ok":true}"#,
        r#"{"ok":false,"error":"x"}"#,
        r#"{"event":"healthy"}"#,
        "{\"a\":\"\u{9b}\"}",
    ];
    let questions =
        ["status", "stop", "restart", "subscribe", "more"].map(|ask| format!(r#"{{"ask":"{ask}"}}"#));
    let known: Vec<String> = lines.map(str::to_string).into_iter().chain(questions).collect();
    let piece = prop_oneof![
        6 => proptest::sample::select(known).prop_map(|line| format!("{line}\n").into_bytes()),
        1 => proptest::sample::select(&["\n", "\r\n", "{", "\"", " \t", "}\n"][..]).prop_map(|text| text.as_bytes().to_vec()),
        1 => any::<Vec<u8>>(),
        1 => (65_000_usize..66_000).prop_map(|length| vec![b'x'; length]),
    ];
    let agreed = format!("{greeting}\n{{\"ok\":true}}\n").into_bytes();
    let pieces = proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    (any::<bool>(), pieces)
        .prop_map(move |(begins, rest)| if begins { [&agreed[..], &rest].concat() } else { rest })
}

proptest! {
    #![proptest_config(crate::testing::properties())]

    #[test]
    fn whatever_is_said_only_the_two_questions_change_anything(bytes in said()) {
        fuzzing::front(&bytes);
    }

    #[test]
    fn whatever_answers_only_a_yes_of_the_right_run_is_one_and_only_json_is_an_event(bytes in said()) {
        fuzzing::client(&bytes);
    }
}
