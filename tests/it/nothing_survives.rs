//! Promise 1: after any end no process of the tree is left. Every shape of tree meets every cause of the end; a cell
//! is dead when neither the mark (command line or environment) nor a recorded pid with its start time is found
//! alive and the port can be bound. Each test prints its cells, its survivors and the slowest cell.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::{
    Ended, Fixture, LIMIT, Pty, Running, Scratch, Signal, is_root, kill, kill_group, retry,
};

const SHAPES: &[&str] = &[
    "plain",
    "npm",
    "deep:60",
    "wide:200",
    "own-group",
    "own-session",
    "daemon",
    "daemon-clearenv",
    "overwrite-env",
    "ignore-signals",
    "stopped",
    "all-stopped",
    "respawn",
    "churn",
    "leader-leaves",
    "grandchild-listens",
    "setuid-away",
    "zombie-maker",
];

const OPTIONS: &str = "--ready none --stop-timeout 500ms";

/// By when a tree has to be dead: that grace period and a second, three times, since other trees are ended beside it.
const DEAD: Duration = Duration::from_millis(3 * (500 + 1000));

/// What ends the run.
#[derive(Debug, Clone, Copy)]
enum Cause {
    LeaderExits(i32),
    LeaderKilled,
    Front(&'static [Signal]),
    FrontGroupKilled,
    NpmAbove(Signal),
    TerminalCloses,
    CtrlC,
}

#[test]
fn nothing_survives_a_leader_that_exits_0() {
    row(Cause::LeaderExits(0));
}

#[test]
fn nothing_survives_a_leader_that_exits_3() {
    row(Cause::LeaderExits(3));
}

#[test]
fn nothing_survives_a_leader_that_dies_of_a_signal() {
    row(Cause::LeaderKilled);
}

#[test]
fn nothing_survives_an_interrupt_to_devrun() {
    row(Cause::Front(&[Signal::INT]));
}

#[test]
fn nothing_survives_a_termination_of_devrun() {
    row(Cause::Front(&[Signal::TERM]));
}

#[test]
fn nothing_survives_a_hang_up_sent_to_devrun() {
    row(Cause::Front(&[Signal::HUP]));
}

#[test]
fn nothing_survives_a_quit_sent_to_devrun() {
    row(Cause::Front(&[Signal::QUIT]));
}

#[test]
fn nothing_survives_devrun_killed() {
    row(Cause::Front(&[Signal::KILL]));
}

#[test]
fn nothing_survives_devrun_stopped_and_then_killed() {
    row(Cause::Front(&[Signal::STOP, Signal::KILL]));
}

#[test]
fn nothing_survives_devrun_aborted() {
    row(Cause::Front(&[Signal::ABORT]));
}

#[test]
fn nothing_survives_the_whole_group_of_devrun_killed() {
    row(Cause::FrontGroupKilled);
}

#[test]
fn nothing_survives_npm_terminated() {
    row(Cause::NpmAbove(Signal::TERM));
}

#[test]
fn nothing_survives_npm_hung_up() {
    row(Cause::NpmAbove(Signal::HUP));
}

#[test]
fn nothing_survives_npm_killed() {
    row(Cause::NpmAbove(Signal::KILL));
}

#[test]
fn nothing_survives_a_closed_terminal() {
    row(Cause::TerminalCloses);
}

#[test]
fn nothing_survives_a_typed_ctrl_c() {
    row(Cause::CtrlC);
}

/// Every shape meets this cause, a few at a time.
#[track_caller]
fn row(cause: Cause) {
    let other_uid = is_root("a tree with another user's process in it");
    let shapes: Vec<_> = SHAPES.iter().filter(|shape| other_uid || **shape != "setuid-away").collect();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(shape) = shapes.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = cell(shape, cause);
                    results.lock().unwrap().push((**shape, result));
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    let failed: Vec<_> = results
        .iter()
        .filter_map(|(shape, result)| Some(format!("{shape} x {cause:?}: {}", result.as_ref().err()?)))
        .collect();
    let slowest = results.iter().filter_map(|(shape, result)| Some((result.as_ref().ok()?, shape))).max();
    println!("{cause:?}: cells {} survivors {} slowest {slowest:?}", results.len(), failed.len());
    assert!(failed.is_empty(), "{} of {} cells failed\n{}", failed.len(), results.len(), failed.join("\n"));
    assert_eq!(results.len(), shapes.len());
}

/// What runs devrun.
enum Caller {
    Test(Running),
    Terminal(Pty),
}

/// One tree, one end: how long until all of it was dead.
fn cell(shape: &str, cause: Cause) -> Result<Duration, String> {
    let scratch = Scratch::new();
    let fixture = scratch.fixture(&fixture_options(shape, cause));
    let mut caller = start(&scratch, shape, cause, &fixture);
    fixture.noted("complete")?;
    let since = Instant::now();
    act(shape, cause, &mut caller, &fixture);
    retry(DEAD, || {
        scratch.dead()?;
        fixture.gone()
    })
    .map_err(|seen| format!("{seen}; {}", told(&caller)))?;
    let elapsed = since.elapsed();
    if elapsed > DEAD {
        return Err(format!("dead only after {elapsed:?}; {}", told(&caller)));
    }
    match (expected_end(shape, cause), &mut caller) {
        (Some(expected), Caller::Test(front)) => {
            let ended = front.ended(LIMIT);
            (ended == expected).then_some(elapsed).ok_or(format!("dead, but devrun ended with {ended:?}"))
        }
        _ => Ok(elapsed),
    }
}

fn told(caller: &Caller) -> String {
    match caller {
        Caller::Test(front) => format!("stderr: {}", front.stderr()),
        Caller::Terminal(pty) => format!("screen: {}", pty.screen()),
    }
}

/// Where the leader's own exit is the cause, no member may listen: with one that does, the server would go on.
fn fixture_options(shape: &str, cause: Cause) -> String {
    let shape = if shape == "npm" { "plain" } else { shape };
    let more = match cause {
        Cause::LeaderExits(status) => format!("serve=no leave={status}"),
        Cause::LeaderKilled => "serve=no leave=signal:9".into(),
        _ => String::new(),
    };
    format!("shape={shape} {more}")
}

fn start(scratch: &Scratch, shape: &str, cause: Cause, fixture: &Fixture) -> Caller {
    let command = if shape == "npm" { "npm run --silent serve".into() } else { fixture.line() };
    let devrun = format!("{} {OPTIONS} -- {command}", env!("CARGO_BIN_EXE_devrun"));
    scratch.package_json(&[("dev", devrun.clone()), ("serve", fixture.line())]);
    match cause {
        Cause::TerminalCloses | Cause::CtrlC => {
            Caller::Terminal(Pty::spawn(scratch, &["sh", "-c", &format!("{devrun}; exit $?")]))
        }
        Cause::NpmAbove(_) => {
            let mut npm = scratch.command("npm");
            npm.args(["run", "dev"]);
            Caller::Test(Running::spawn(npm))
        }
        Cause::LeaderExits(_) | Cause::LeaderKilled | Cause::Front(_) | Cause::FrontGroupKilled => {
            Caller::Test(Running::spawn(scratch.devrun(devrun.split(' ').skip(1))))
        }
    }
}

fn act(shape: &str, cause: Cause, caller: &mut Caller, fixture: &Fixture) {
    let tell_leader = |signal| {
        // The one shape whose leader has left already, as `leave=` says.
        if shape != "leader-leaves" {
            kill(fixture.leader(), signal);
            kill(fixture.leader(), Signal::CONT); // it may be stopped
        }
    };
    match (cause, caller) {
        (Cause::LeaderExits(0), _) => tell_leader(Signal::USR1),
        (Cause::LeaderExits(_), _) => tell_leader(Signal::USR2),
        (Cause::LeaderKilled, _) => tell_leader(Signal::KILL),
        (Cause::Front(signals), Caller::Test(front)) => {
            signals.iter().for_each(|signal| front.signal(*signal))
        }
        (Cause::FrontGroupKilled, Caller::Test(front)) => kill_group(front.pid(), Signal::KILL),
        (Cause::NpmAbove(signal), Caller::Test(npm)) => npm.signal(signal),
        (Cause::TerminalCloses, Caller::Terminal(pty)) => pty.close(),
        (Cause::CtrlC, Caller::Terminal(pty)) => pty.type_in("\x03"),
        (cause, _) => unreachable!("{cause:?} has another caller"),
    }
}

/// What devrun's own end must look like, where that does not hang on the shape.
fn expected_end(shape: &str, cause: Cause) -> Option<Ended> {
    match cause {
        // There the command is npm, and it exits with what its shell says of the signal.
        Cause::LeaderKilled if shape == "npm" => Some(Ended::Status(137)),
        Cause::LeaderExits(status) => Some(Ended::Status(status)),
        Cause::LeaderKilled => Some(Ended::Signal(9)),
        Cause::Front(_)
        | Cause::FrontGroupKilled
        | Cause::NpmAbove(_)
        | Cause::TerminalCloses
        | Cause::CtrlC => None,
    }
}
