//! When the members of a tree are written down.

use std::time::{Duration, Instant};

/// So many seconds after the start, and again after readiness. Of what a crash of front and guard together leaves,
/// those that have lost both their parents and their environment are known by that alone. Few and far between, so
/// that an idle server costs nothing.
const AFTER: [u64; 6] = [1, 5, 30, 120, 600, 3600];

/// Where it is in that.
pub(super) struct Snapshots {
    since: Instant,
    taken: usize,
}

impl Snapshots {
    pub(super) fn since(time: Instant) -> Self {
        Self { since: time, taken: 0 }
    }

    /// When the next one is to be taken, if one is.
    pub(super) fn due(&self) -> Option<Instant> {
        AFTER.get(self.taken).map(|seconds| self.since + Duration::from_secs(*seconds))
    }

    pub(super) fn taken(&mut self) {
        self.taken += 1;
    }
}
