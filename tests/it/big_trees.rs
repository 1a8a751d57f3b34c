//! Promise 5: big trees and trees that grow die fast. Each figure is measured from the order to the end of devrun
//! (which ends when nobody is left), and printed.

use std::time::{Duration, Instant};

use crate::support::{LIMIT, Scratch, Signal};

/// The tests run several at a time on few cores; a figure that holds alone is given this much more.
const LOAD: u32 = 3;

fn hard_stop_takes(shape: &str) -> Duration {
    let scratch = Scratch::new();
    let fixture = scratch.fixture(&format!("shape={shape} serve=no"));
    // SIGKILL as the stop signal: the hard stop comes at once.
    let mut run = scratch.run("--ready none --stop-signal SIGKILL", &fixture);
    fixture.stands();
    let start = Instant::now();
    run.signal(Signal::TERM);
    run.ended(LIMIT);
    let took = start.elapsed();
    scratch.dead().unwrap();
    fixture.gone().unwrap();
    println!("{shape}: dead {took:?} after the hard stop");
    took
}

#[test]
fn a_thousand_members_are_dead_within_half_a_second_of_the_hard_stop() {
    let took = hard_stop_takes("wide:1000");
    assert!(took < Duration::from_millis(500) * LOAD, "{took:?}");
}

#[test]
fn a_storm_of_forks_is_dead_within_a_second() {
    let took = hard_stop_takes("storm");
    assert!(took < Duration::from_secs(1) * LOAD, "{took:?}");
}

#[test]
fn a_chain_of_three_hundred_is_dead_within_half_a_second() {
    let took = hard_stop_takes("deep:300");
    assert!(took < Duration::from_millis(500) * LOAD, "{took:?}");
}
