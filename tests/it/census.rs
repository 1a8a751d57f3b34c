//! The harness itself: a census that misses a process would make every other promise worthless.

use crate::support::{Running, SOON, Scratch, Signal, eventually, kill};

/// Each shape started bare, with how many processes must be seen at least.
const SHAPES: &[(&str, usize)] = &[
    ("plain", 2),
    ("deep:60", 61),
    ("wide:200", 201),
    ("own-group", 2),
    ("own-session", 2),
    ("daemon", 2),
    ("daemon-clearenv", 2),
    ("overwrite-env", 2),
    ("ignore-signals", 2),
    ("stopped", 2),
    ("all-stopped", 2),
    ("respawn", 3),
    ("churn", 2),
    ("leader-leaves", 1),
    ("grandchild-listens", 3),
    ("zombie-maker", 2),
];

#[test]
fn the_census_sees_every_shape_and_the_cleanup_ends_it() {
    for (shape, least) in SHAPES {
        let scratch = Scratch::new();
        let port = crate::support::free_port();
        let fixture = scratch.fixture(&format!("shape={shape} port={port}"));
        let mut bare = scratch.command(&fixture.argv[0]);
        bare.args(&fixture.argv[1..]);
        let running = Running::spawn(bare);
        fixture.stands();
        eventually(SOON, || {
            let alive = scratch.alive().len();
            if alive >= *least { Ok(()) } else { Err(format!("{shape}: {alive} alive of {least}")) }
        });
        kill(running.pid(), Signal::KILL);
        let survivors = scratch.alive().len();
        // The kernel itself hangs up a stopped group that is orphaned: that one may go.
        assert!(
            survivors >= least - 1 || *shape == "all-stopped",
            "{shape}: bare, its leader's death ends nobody else: {survivors}"
        );
        let mark = scratch.mark.clone();
        drop(scratch);
        let left = crate::support::marked(&mark);
        assert!(left.is_empty(), "{shape}: the cleanup left {left:?}");
    }
}
