//! Promise 5: big trees and trees that grow die fast. Each figure is measured from the order to the end of devrun
//! (which ends when nobody is left), and printed.

use std::time::{Duration, Instant};

use crate::support::{LIMIT, Proc, Pty, Running, SOON, Scratch, Signal, eventually, kill, takes_at_most};

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

/// In the background, or on a terminal between: the same with what stands beside the tree there.
fn hard_stop_elsewhere_takes(options: &str, shape: &str) -> Duration {
    let scratch = Scratch::new();
    let fixture = scratch.fixture(&format!("shape={shape} serve=no"));
    let options = format!("{options} --ready none --stop-signal SIGKILL");
    let line = format!("{} {options} -- {}", env!("CARGO_BIN_EXE_devrun"), fixture.line());
    let mut shell = scratch.command("sh");
    shell.args(["-c", &line]);
    let _caller = match options.starts_with("--log") {
        true => (Some(Pty::spawn(&scratch, &["sh", "-c", &format!("{line}; exec sleep 600")])), None),
        false => (None, Some(Running::spawn(shell))),
    };
    fixture.stands();
    // Not by name: who called it into the background may still be there.
    let parent = |pid| Proc::of(pid).expect("it runs").ppid;
    let front = parent(parent(fixture.leader()));
    let start = Instant::now();
    kill(front, Signal::TERM);
    eventually(SOON, || fixture.gone());
    let took = start.elapsed();
    println!("{options} {shape}: dead {took:?} after the hard stop");
    took
}

#[test]
fn big_trees_are_dead_as_fast_in_the_background_and_on_a_terminal_between() {
    for options in ["-d", "--log"] {
        for (shape, limit) in [("wide:1000", 500), ("storm", 1000)] {
            let limit = Duration::from_millis(limit) * LOAD;
            takes_at_most(limit, || hard_stop_elsewhere_takes(options, shape));
        }
    }
}

#[test]
fn a_thousand_members_are_dead_within_half_a_second_of_the_hard_stop() {
    takes_at_most(Duration::from_millis(500) * LOAD, || hard_stop_takes("wide:1000"));
}

#[test]
fn a_storm_of_forks_is_dead_within_a_second() {
    takes_at_most(Duration::from_secs(1) * LOAD, || hard_stop_takes("storm"));
}

#[test]
fn a_chain_of_three_hundred_is_dead_within_half_a_second() {
    takes_at_most(Duration::from_millis(500) * LOAD, || hard_stop_takes("deep:300"));
}
