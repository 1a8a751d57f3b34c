//! Waiting for a condition. No test sleeps for a guessed time.

use std::time::{Duration, Instant};

/// By when something that happens at once must have been seen, on a machine that runs many tests on few cores.
pub const SOON: Duration = Duration::from_secs(20);

/// By when a tree must be dead: the longest grace period there is without options (2 s after the caller's death)
/// and one second, with room for a machine that runs many trees on few cores.
pub const LIMIT: Duration = Duration::from_secs(6);

/// Checks that what is measured takes no longer than this in one of three tries: a busy machine makes a time longer
/// and never shorter.
#[track_caller]
pub fn takes_at_most(limit: Duration, measured: impl FnMut() -> Duration) {
    let mut times: Vec<Duration> = Vec::new();
    for took in std::iter::repeat_with(measured).take(3) {
        if took <= limit {
            return;
        }
        times.push(took);
    }
    panic!("three times longer than {limit:?}: {times:?}");
}

/// Polls until `look` gives a value; panics with what it last saw.
#[track_caller]
pub fn eventually<T>(limit: Duration, look: impl FnMut() -> Result<T, String>) -> T {
    retry(limit, look).unwrap_or_else(|seen| panic!("not within {limit:?}: {seen}"))
}

/// Polls until `look` gives a value, or gives what it last saw.
pub fn retry<T>(limit: Duration, mut look: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let start = Instant::now();
    loop {
        match look() {
            Ok(value) => return Ok(value),
            Err(seen) if start.elapsed() > limit => return Err(seen),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}
