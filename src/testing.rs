//! What unit tests share. Nothing here is in the program.

use std::time::{Duration, Instant};

use proptest::prelude::ProptestConfig;

/// Waits until the condition holds; fails after ten seconds.
///
/// Tests run beside each other and start processes: from its fork to its exec a child has a copy of every open
/// file, so that what was closed is free a moment later and not at once.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Checks that what is measured takes no longer than this in one of three tries: a busy machine makes a time longer
/// and never shorter.
#[track_caller]
pub(crate) fn takes_at_most(limit: Duration, mut what: impl FnMut()) {
    let mut times = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        what();
        times.push(start.elapsed());
        if times.last().is_some_and(|took| *took <= limit) {
            return;
        }
    }
    panic!("three times longer than {limit:?}: {times:?}");
}

/// How properties are tested: so many cases, or as many as `PROPTEST_CASES` says; no file in the source tree.
pub(crate) fn properties() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, max_shrink_time: 20_000, ..ProptestConfig::default() }
}
