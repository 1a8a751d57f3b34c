//! What the log has still to be given: the newest output, as much as the log itself is sure to hold. No thread, lock
//! or file is in here, and nobody who adds to it waits.

use std::collections::VecDeque;

/// Memory is taken in pieces of this size: large enough for malloc to give each back to the system when it is freed
/// (M_MMAP_THRESHOLD of mallopt(3): 128 KiB).
pub(super) const PIECE_BYTES: usize = 256 * 1024;

/// Output in the order in which it came.
#[derive(Debug)]
pub(super) struct Queue {
    pieces: VecDeque<Vec<u8>>,
    length: usize,
    limit: usize,
    /// What made room for newer output since it was last taken.
    skipped: u64,
    /// Emptied pieces.
    spare: Vec<Vec<u8>>,
}

/// What was taken from the queue.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// So many bytes would have come before.
    pub(super) skipped: u64,
    pub(super) pieces: VecDeque<Vec<u8>>,
}

impl Batch {
    pub(super) fn length(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum()
    }
}

impl Queue {
    /// One that holds as much as this, and up to a piece less once it has skipped something.
    pub(super) fn new(limit: usize) -> Self {
        Self { pieces: VecDeque::new(), length: 0, limit, skipped: 0, spare: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All of them are full but the last.
    pub(super) fn pieces(&self) -> &VecDeque<Vec<u8>> {
        &self.pieces
    }

    /// Appends; the oldest makes room.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.pieces.back().is_none_or(|piece| piece.len() == PIECE_BYTES) {
                self.make_room();
                let piece = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(PIECE_BYTES));
                self.pieces.push_back(piece);
            }
            let piece = self.pieces.back_mut().expect("there is one with room");
            let (now, later) = bytes.split_at(bytes.len().min(PIECE_BYTES - piece.len()));
            piece.extend_from_slice(now);
            self.length += now.len();
            bytes = later;
        }
    }

    /// Room for a piece.
    fn make_room(&mut self) {
        while self.length + PIECE_BYTES > self.limit
            && let Some(oldest) = self.pieces.pop_front()
        {
            self.length -= oldest.len();
            self.skipped += oldest.len() as u64;
            self.reuse(oldest);
        }
    }

    /// All that there is.
    pub(super) fn take(&mut self) -> Batch {
        self.length = 0;
        Batch { skipped: std::mem::take(&mut self.skipped), pieces: std::mem::take(&mut self.pieces) }
    }

    /// Gives back the memory of a batch. As much of it is kept as is in use: after a flood it goes.
    pub(super) fn give_back(&mut self, batch: Batch) {
        let useful = self.pieces.len().max(1);
        self.spare.truncate(useful);
        for piece in batch.pieces.into_iter().take(useful - self.spare.len()) {
            self.reuse(piece);
        }
    }

    fn reuse(&mut self, mut piece: Vec<u8>) {
        piece.clear();
        self.spare.push(piece);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(crate::testing::properties())]

        #[test]
        fn what_is_taken_is_the_end_of_what_came_and_what_is_missing_is_counted(
            sizes in proptest::collection::vec(0..2 * PIECE_BYTES, 0..8),
            taken in proptest::collection::vec(any::<bool>(), 8),
        ) {
            const LIMIT: usize = 3 * PIECE_BYTES;
            let mut queue = Queue::new(LIMIT);
            let mut came = Vec::new();
            for (number, (size, take)) in sizes.into_iter().zip(taken).enumerate() {
                let text = vec![number as u8; size];
                queue.push(&text);
                came.extend(text);
                prop_assert_eq!(queue.is_empty(), queue.length == 0);
                if take {
                    let mut batch = queue.take();
                    let got: Vec<u8> = batch.pieces.make_contiguous().concat();
                    prop_assert!(got.len() <= LIMIT);
                    prop_assert!(batch.skipped == 0 || got.len() > LIMIT - PIECE_BYTES, "no more than it has to");
                    prop_assert_eq!(batch.skipped as usize + got.len(), came.len());
                    prop_assert!(came.ends_with(&got));
                    came.clear();
                    queue.give_back(batch);
                    prop_assert!(queue.spare.len() <= 1, "nothing is kept for nothing");
                }
            }
        }
    }
}
