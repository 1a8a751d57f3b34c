//! Other programs of a busy machine: they listen on a port for a moment, and then on another.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::try_hold;

/// Takes random ports of a range, each for about a millisecond, until dropped. Without SO_REUSEADDR: what is reserved
/// is not to be had.
pub struct Churn {
    quit: Arc<AtomicBool>,
    thread: Option<JoinHandle<HashSet<u16>>>,
}

impl Churn {
    /// `but` this port.
    pub fn start(range: RangeInclusive<u16>, but: Option<u16>) -> Self {
        let quit = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&quit);
        let random = RandomState::new();
        let thread = std::thread::spawn(move || {
            let (mut had, mut held) = (HashSet::new(), VecDeque::new());
            for count in 0_u64.. {
                if flag.load(Ordering::Relaxed) {
                    break;
                }
                let port = range.start() + (random.hash_one(count) % range.len() as u64) as u16;
                if Some(port) != but
                    && let Ok(listener) = try_hold("127.0.0.1", port)
                {
                    had.insert(port);
                    held.push_back(listener);
                }
                if held.len() > 8 {
                    held.pop_front();
                }
                std::thread::sleep(Duration::from_micros(100));
            }
            had
        });
        Self { quit, thread: Some(thread) }
    }

    /// Ends it, and tells which ports it has had.
    pub fn end(mut self) -> HashSet<u16> {
        self.quit.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Churn {
    fn drop(&mut self) {
        self.quit.store(true, Ordering::Relaxed);
    }
}
