//! Promise 9 with `--log`: Ctrl-Z, fg, bg and a start in the background under a real bash are as without the terminal
//! between.

use crate::log_pty::{front, is_raw, line};
use crate::support::{LIMIT, Pty, SOON, Scratch, eventually, stopped};

#[test]
fn ctrl_z_stops_and_fg_and_bg_go_on() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    let bash = Pty::bash(&scratch);
    bash.type_in(&format!("{}\n", line("", &fixture)));
    fixture.stands();
    for times in 1..=2 {
        bash.is_foreground(front(&scratch).pid);
        is_raw(&bash);
        bash.type_in("\x1a");
        bash.shows_times("Stopped", times);
        stopped(fixture.leader(), true);
        stopped(front(&scratch).pid, true);
        bash.type_in("echo shell-$((40+2))\n");
        bash.shows_times("shell-42", times);
        if times == 1 {
            bash.type_in("bg\n");
            stopped(fixture.leader(), false);
            is_not_raw(&bash);
        }
        bash.type_in("fg\n");
        stopped(fixture.leader(), false);
    }
    bash.is_foreground(front(&scratch).pid);
    is_raw(&bash);
    bash.type_in("\x03");
    eventually(LIMIT, || fixture.gone());
    bash.is_back();
    bash.type_in("echo over-$?\n");
    bash.shows("over-130");
}

/// While the shell has the terminal, nobody else may change it.
fn is_not_raw(bash: &Pty) {
    bash.type_in("stty -a | grep -c -e '-opost'\n");
    bash.shows("\r\n0\r\n");
}

#[test]
fn under_npm_ctrl_z_stops_npm_too() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    scratch.package_json(&[("dev", line("", &fixture))]);
    let bash = Pty::bash(&scratch);
    bash.type_in("npm run dev\n");
    fixture.noted("complete").unwrap_or_else(|missing| panic!("{missing}; {}", bash.screen()));
    is_raw(&bash);
    bash.type_in("\x1a");
    bash.shows("Stopped");
    stopped(fixture.leader(), true);
    bash.type_in("fg\n");
    stopped(fixture.leader(), false);
    is_raw(&bash);
    bash.type_in("\x03");
    eventually(LIMIT, || fixture.gone());
    bash.is_back();
    bash.type_in("echo back-$((40+2))\n");
    bash.shows("back-42");
}

#[test]
fn a_job_started_in_the_background_leaves_the_terminal_alone_until_it_is_fetched() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone print=from-the-background");
    let bash = Pty::bash(&scratch);
    bash.type_in(&format!("{} &\n", line("", &fixture)));
    fixture.stands();
    bash.shows("from-the-background");
    bash.type_in("echo shell-$((40+2)); stty -a | grep -c -e '-opost'; jobs\n");
    bash.shows("shell-42\r\n");
    bash.shows("\r\n0\r\n");
    bash.shows("Running");
    bash.type_in("fg\n");
    bash.is_foreground(front(&scratch).pid);
    is_raw(&bash);
    bash.type_in("\x03");
    eventually(LIMIT, || fixture.gone());
    bash.is_back();
    bash.type_in("echo over-$?\n");
    bash.shows("over-130");
}

#[test]
fn an_interrupt_before_the_keyboard_is_ours_reaches_the_command_as_one() {
    let scratch = Scratch::new();
    let seen = scratch.dir().join("signals");
    let fixture = scratch.fixture(&format!("shape=alone cleanup=50 signals={}", seen.display()));
    let bash = Pty::bash(&scratch);
    bash.type_in(&format!("{} &\n", line("", &fixture)));
    fixture.stands();
    // At once, so that it may come before anybody has looked whether the job was fetched.
    bash.type_in("fg\n");
    bash.is_foreground(front(&scratch).pid);
    bash.type_in("\x03");
    eventually(SOON, || match std::fs::read_to_string(&seen) {
        Ok(signals) if signals.starts_with("INT\n") => Ok(()),
        other => Err(format!("{other:?}; {}", bash.screen())),
    });
    eventually(LIMIT, || fixture.gone());
}

#[test]
fn a_background_job_that_writes_under_tostop_waits_for_fg() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone print=out");
    let bash = Pty::bash(&scratch);
    bash.type_in("stty tostop; set -b\n");
    bash.type_in(&format!("{} &\n", line("--quiet", &fixture)));
    bash.shows("Stopped");
    stopped(front(&scratch).pid, true);
    bash.type_in("fg\n");
    fixture.stands();
    bash.is_foreground(front(&scratch).pid);
    is_raw(&bash);
    bash.type_in("\x03");
    eventually(LIMIT, || fixture.gone());
}
