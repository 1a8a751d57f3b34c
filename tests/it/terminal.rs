//! Promises 9 and 10: in a terminal the command behaves as if devrun were not there. A real bash in a real
//! pseudo-terminal.

use std::time::{Duration, Instant};

use crate::ghosts::kill_both;
use crate::support::{
    Fixture, LIMIT, Pty, Running, SOON, Scratch, Signal, eventually, heard, kill, stopped, takes_at_most,
};

const DEVRUN: &str = env!("CARGO_BIN_EXE_devrun");

fn line(options: &str, fixture: &Fixture) -> String {
    format!("{DEVRUN} --ready none {options} -- {}", fixture.line())
}

#[test]
fn ctrl_z_stops_and_fg_and_bg_go_on() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    let bash = Pty::bash(&scratch);
    bash.type_in(&format!("{}\n", line("", &fixture)));
    fixture.stands();
    for times in 1..=2 {
        bash.is_foreground(fixture.leader());
        bash.type_in("\x1a");
        bash.shows_times("Stopped", times);
        stopped(fixture.leader(), true);
        if times == 1 {
            bash.type_in("bg\n");
            stopped(fixture.leader(), false);
        }
        bash.type_in("fg\n");
        stopped(fixture.leader(), false);
    }
    bash.is_foreground(fixture.leader());
    bash.type_in("\x03");
    eventually(LIMIT, || fixture.gone());
    bash.is_back();
    bash.type_in("echo over-$?\n");
    bash.shows("over-130");
}

#[test]
fn a_job_started_in_the_background_runs_and_can_be_fetched() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    let bash = Pty::bash(&scratch);
    bash.type_in(&format!("{} &\n", line("", &fixture)));
    fixture.stands();
    stopped(fixture.leader(), false);
    bash.type_in("jobs\n");
    bash.shows("Running");
    bash.type_in("fg\n");
    bash.is_foreground(fixture.leader());
    bash.type_in("\x03");
    eventually(LIMIT, || fixture.gone());
}

#[test]
fn a_background_job_that_writes_under_tostop_waits_for_fg_as_it_does_without_devrun() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone print=out");
    let bash = Pty::bash(&scratch);
    // bash tells of a stop as soon as it knows: to `fg` a job that it still takes for a running one does nothing.
    bash.type_in("stty tostop; set -b\n");
    bash.type_in(&format!("{} &\n", line("--quiet", &fixture)));
    eventually(SOON, || fixture.member("leader").ok_or("not started".to_string()));
    stopped(fixture.leader(), true);
    bash.shows("Stopped");
    bash.type_in("fg\n");
    fixture.stands();
    bash.is_foreground(fixture.leader());
    bash.type_in("\x03");
    eventually(LIMIT, || fixture.gone());
}

#[test]
fn the_terminal_is_sane_after_a_raw_program_or_devrun_itself_was_killed() {
    for victim in ["leader", "front"] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=alone raw=yes");
        // Not an interactive shell: that would repair the terminal itself.
        let script = format!("{}; echo over; exec sleep 600", line("--stop-timeout 500ms", &fixture));
        let pty = Pty::spawn(&scratch, &["sh", "-c", &script]);
        fixture.stands();
        assert!(!pty.is_sane(), "raw mode shows");
        let front = scratch.alive().into_iter().find(|found| found.comm == "devrun").expect("the front");
        kill(if victim == "leader" { fixture.leader() } else { front.pid }, Signal::KILL);
        pty.shows("over");
        eventually(LIMIT, || {
            fixture.gone()?;
            if pty.is_sane() { Ok(()) } else { Err(format!("not sane after the {victim} was killed")) }
        });
    }
}

#[test]
fn the_command_has_the_terminal_and_hears_of_its_size() {
    let scratch = Scratch::new();
    let seen = scratch.dir().join("signals");
    let fixture = scratch.fixture(&format!("shape=alone signals={}", seen.display()));
    let script = format!("[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo tty-all && exec {}", fixture.line());
    let pty = Pty::spawn(&scratch, &[DEVRUN, "--ready", "none", "--", "sh", "-c", &script]);
    pty.shows("tty-all");
    fixture.stands();
    pty.resize(132);
    heard(&seen, "WINCH");
}

#[test]
fn what_is_typed_reaches_the_command() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone ask=yes");
    let pty = Pty::spawn(&scratch, &["sh", "-c", &line("", &fixture)]);
    pty.shows("(Y/n)");
    pty.type_in("yes\n");
    pty.shows("answer 4: yes");
}

/// bash > npm > sh > devrun > fixture, whose clean-up takes this long; the signals it gets are in the file.
fn under_npm(options: &str, cleanup: &str) -> (Scratch, Fixture, Pty, std::path::PathBuf) {
    let scratch = Scratch::new();
    let seen = scratch.dir().join("signals");
    let fixture = scratch.fixture(&format!("shape=alone cleanup={cleanup} signals={}", seen.display()));
    scratch.package_json(&[("dev", line(options, &fixture))]);
    let bash = Pty::bash(&scratch);
    bash.type_in("npm run dev\n");
    fixture.noted("complete").unwrap_or_else(|missing| panic!("{missing}; {}", bash.screen()));
    bash.type_in("\x03");
    heard(&seen, "INT\n");
    (scratch, fixture, bash, seen)
}

#[test]
fn ctrl_c_under_npm_is_one_interrupt_and_the_commands_own_cleanup_completes() {
    let (scratch, fixture, bash, seen) = under_npm("", "3000");
    fixture.noted("cleaned").unwrap();
    eventually(LIMIT, || fixture.gone());
    assert_eq!(std::fs::read_to_string(seen).unwrap(), "INT\n", "exactly one");
    bash.is_back();
    bash.type_in("echo back-$((40+2))\n");
    bash.shows("back-42");
    drop(bash);
    scratch.assert_dead(LIMIT);
}

#[test]
fn the_second_ctrl_c_ends_it_at_once() {
    // 200 ms alone.
    takes_at_most(Duration::from_millis(600), || {
        let (scratch, fixture, bash, _) = under_npm("--stop-timeout 60s", "60000");
        // A second wish is one that comes later than the duplicates that npm makes of the first.
        std::thread::sleep(Duration::from_millis(1100));
        let start = Instant::now();
        bash.type_in("\x03");
        eventually(LIMIT, || fixture.gone());
        let took = start.elapsed();
        drop(bash);
        scratch.assert_dead(LIMIT);
        took
    });
}

#[test]
fn after_ctrl_c_before_there_is_a_command_none_is_started() {
    let scratch = Scratch::new();
    let script = "exec 2>/dev/null; trap 'echo TERM >>seen' TERM; echo >up; while :; do sleep 0.1; done";
    let command = ["--ready", "none", "--", "sh", "-c", "setsid sh -c \"$1\" & wait", "sh", script];
    let mut run = Running::spawn(scratch.devrun(command));
    let file = |name| scratch.project().join(name);
    eventually(SOON, || if file("up").exists() { Ok(()) } else { Err("no ghost".to_string()) });
    kill_both(&scratch, &mut run);
    let bash = Pty::bash(&scratch);
    bash.type_in(&format!("{DEVRUN} --ready none --name other -- sh -c 'echo > started'\n"));
    // What the crash has left is given two seconds.
    heard(&file("seen"), "TERM\n");
    bash.type_in("\x03");
    bash.shows("ended what a crash of");
    bash.is_back();
    bash.type_in("echo over-$?\n");
    bash.shows("over-130");
    assert!(!file("started").exists());
    drop(bash);
    scratch.assert_dead(LIMIT);
}
