//! The log of a server: all of it in order, the last part of any size, what comes, and nothing that steers a terminal.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Duration;

use crate::support::{Ended, Pty, Running, SOON, Scratch, eventually, takes_at_most};

/// A server that is a shell script: what it echoes is its output.
fn script(scratch: &Scratch, script: &str) -> Running {
    let mut run = Running::spawn(scratch.devrun(["-n", "web", "--ready", "none", "--", "sh", "-c", script]));
    run.ready();
    run
}

fn logs(scratch: &Scratch, args: &str) -> String {
    let args = ["logs"].into_iter().chain(args.split_whitespace());
    let outcome = Running::spawn(scratch.devrun(args)).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(0), "{outcome}");
    outcome.stdout
}

fn shows(run: &Running, text: &str) {
    eventually(SOON, || match run.stdout().contains(text) {
        true => Ok(()),
        false => Err(format!("no {text:?}: {} {}", run.stdout().len(), run.stderr())),
    });
}

/// The folder of the only server there is.
fn folder(scratch: &Scratch) -> PathBuf {
    fs::read_dir(scratch.state().join("servers")).unwrap().flatten().next().unwrap().path()
}

#[test]
fn the_last_lines_are_shown_and_all_when_asked() {
    let scratch = Scratch::new();
    let run = script(&scratch, "seq 1 500; echo error >&2; exec sleep 600");
    eventually(SOON, || {
        let all = logs(&scratch, "-n 9999 web");
        let both = all.contains("error\n") && all.contains("500\n");
        if both { Ok(()) } else { Err(format!("{} bytes", all.len())) }
    });
    assert_eq!(logs(&scratch, "").lines().count(), 200);
    assert_eq!(logs(&scratch, "-n 501").lines().count(), 501);
    assert!(
        logs(&scratch, "-n 501").starts_with("1\n2\n") || logs(&scratch, "-n 501").starts_with("error\n1\n")
    );
    assert_eq!(logs(&scratch, "-n 0"), "");
    run.stop();
    assert_eq!(logs(&scratch, "-n 3").lines().count(), 3, "of what has ended, too");
}

#[test]
fn following_shows_every_line_once_over_rotations() {
    let scratch = Scratch::new();
    // 14 MB: the log is rotated twice, while somebody reads. Not at once, or the log of a busy machine would skip some.
    let part = "seq -f 'line %010.0f of the output' $((part * 10000 + 1)) $((part * 10000 + 10000))";
    let parts = format!("read go; for part in $(seq 0 39); do {part}; sleep 0.05; done; read stop");
    let run = script(&scratch, &parts);
    let follow = Running::spawn(scratch.devrun(["logs", "-f", "-n", "0"]));
    eventually(SOON, || waits_in_poll(follow.pid()));
    let mut run = run;
    run.input(b"go\n");
    shows(&follow, "line 0000400000 of the output\n");
    let outcome = follow.outcome(SOON);
    let numbers = outcome.stdout.lines().map(|line| line[5..15].parse::<u32>().unwrap());
    assert!(numbers.eq(1..=400_000), "in order, none missing, none twice");
    assert_eq!(outcome.ended, Ended::Status(0));
    assert!(outcome.stderr.contains("web is not running"), "{}", outcome.stderr);
}

/// Whether the process sleeps.
fn waits_in_poll(pid: u32) -> Result<(), String> {
    let at = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
    if at.contains("poll") { Ok(()) } else { Err(at) }
}

#[test]
fn following_a_quiet_log_costs_nothing() {
    let scratch = Scratch::new();
    let mut run = script(&scratch, "echo up; read line; echo more; exec sleep 600");
    let follow = Running::spawn(scratch.devrun(["logs", "-f"]));
    shows(&follow, "up\n");
    let wake_ups = || {
        let status = fs::read_to_string(format!("/proc/{}/status", follow.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u32>().unwrap()
    };
    // The server's own record may still be written just now.
    let quiet = eventually(SOON, || {
        let before = wake_ups();
        // A span of time to measure in, not a wait for something.
        std::thread::sleep(Duration::from_millis(500));
        if wake_ups() == before { Ok(before) } else { Err("it wakes up".to_string()) }
    });
    run.input(b"\n");
    shows(&follow, "more\n");
    // It is counted when it sleeps again.
    eventually(SOON, || if wake_ups() > quiet { Ok(()) } else { Err("it has not slept since".to_string()) });
}

#[test]
fn following_goes_on_over_a_restart_and_ends_with_the_server() {
    let scratch = Scratch::new();
    let run = script(&scratch, "echo started; exec sleep 600");
    let mut follow = Running::spawn(scratch.devrun(["logs", "-f", "web"]));
    shows(&follow, "started\n");
    let restart = Running::spawn(scratch.devrun(["restart", "web"])).outcome(SOON);
    assert_eq!(restart.ended, Ended::Status(0), "{restart}");
    eventually(SOON, || match follow.stdout().matches("started\n").count() {
        2 => Ok(()),
        _ => Err(follow.stdout()),
    });
    assert!(!follow.has_ended());
    Running::spawn(scratch.devrun(["stop", "web"])).outcome(SOON);
    follow.ended(SOON);
    assert!(follow.stderr().contains("web is not running"), "{}", follow.stderr());
    drop(run);
}

#[test]
fn a_line_without_an_end_is_shown_soon() {
    let scratch = Scratch::new();
    let _run = script(&scratch, "printf 'name? '; exec sleep 600");
    let follow = Running::spawn(scratch.devrun(["logs", "-f"]));
    shows(&follow, "name? ");
}

#[test]
fn a_progress_bar_is_shown_while_it_moves() {
    let scratch = Scratch::new();
    let bar = "while :; do n=$((n + 1)); printf '\\r %s%%' $n; sleep 0.03; done";
    let _run = script(&scratch, bar);
    let follow = Running::spawn(scratch.devrun(["logs", "-f", "-n", "0"]));
    shows(&follow, "%");
}

#[test]
fn a_time_selects_the_younger_output() {
    let scratch = Scratch::new();
    let mut run = script(&scratch, "echo old line; read go; echo young line; exec sleep 600");
    eventually(SOON, || if logs(&scratch, "").contains("old") { Ok(()) } else { Err("no line".into()) });
    // As if it had been written an hour ago.
    let times = folder(&scratch).join("log.times");
    let text = fs::read_to_string(&times).unwrap();
    let (offset, ms) = text.trim().split_once(' ').unwrap();
    fs::write(&times, format!("{offset} {}\n", ms.parse::<u64>().unwrap() - 3_600_000)).unwrap();
    eventually(SOON, || {
        // The next line of times comes a second after the last one.
        let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64 - ms.parse::<u64>().unwrap();
        if since > 1100 { Ok(()) } else { Err(format!("{since} ms")) }
    });
    run.input(b"\n");
    shows(&run, "young line");
    eventually(SOON, || if logs(&scratch, "").contains("young") { Ok(()) } else { Err("no line".into()) });
    assert_eq!(logs(&scratch, "--since 5m"), "young line\n");
    assert_eq!(logs(&scratch, "--since 2h"), "old line\nyoung line\n");
}

#[test]
fn of_a_log_of_two_gigabytes_the_end_is_shown_at_once() {
    let scratch = Scratch::new();
    let run = script(&scratch, "exec sleep 600");
    let mut file = fs::File::create(folder(&scratch).join("log")).unwrap();
    file.set_len(2 << 30).unwrap();
    file.seek(SeekFrom::End(0)).unwrap();
    file.write_all(b"\nthe end\n").unwrap();
    takes_at_most(Duration::from_secs(2), || {
        let start = std::time::Instant::now();
        assert_eq!(logs(&scratch, "-n 1"), "the end\n");
        start.elapsed()
    });
    run.stop();
}

#[test]
fn output_does_not_steer_the_terminal_of_who_reads_it() {
    let scratch = Scratch::new();
    let output =
        r"printf '\033[32mgreen\033[0m \033]52;c;aGk=\007\033[2J\033[?25l\302\2332Jtext\033]0;x\007\n'";
    let run = script(&scratch, &format!("{output}; exec sleep 600"));
    eventually(SOON, || if logs(&scratch, "").contains("text") { Ok(()) } else { Err("no line".into()) });
    assert_eq!(logs(&scratch, ""), "green text\n", "plain where there is no terminal");
    let bash = Pty::bash(&scratch);
    bash.type_in(&format!("{} logs; echo e''nd\n", env!("CARGO_BIN_EXE_devrun")));
    bash.shows("end\r\n");
    let screen = bash.screen();
    assert!(screen.contains("\x1b[32mgreen\x1b[0m text\r\n"), "{screen:?}");
    run.stop();
}

#[test]
fn a_server_whose_output_is_not_kept_is_told_so() {
    let scratch = Scratch::new();
    let run = script(&scratch, "exec sleep 600");
    let _ = fs::remove_file(folder(&scratch).join("log"));
    let outcome = Running::spawn(scratch.devrun(["logs", "web"])).outcome(SOON);
    assert_eq!((outcome.ended, outcome.stdout.as_str()), (Ended::Status(0), ""));
    assert!(outcome.stderr.contains("--log"), "{outcome}");
    run.stop();
}

#[test]
fn who_reads_only_the_beginning_ends_it_quietly() {
    let scratch = Scratch::new();
    let run = script(&scratch, "seq 1 100000; echo e''nd; exec sleep 600");
    shows(&run, "end");
    let line = format!("{} logs -f -n 99999 | head -n 1", env!("CARGO_BIN_EXE_devrun"));
    let mut command = scratch.command("bash");
    command.args(["-c", &format!("set -o pipefail; {line}")]);
    let outcome = Running::spawn(command).outcome(SOON);
    assert_eq!((outcome.ended, outcome.stderr.as_str()), (Ended::Status(0), ""), "{outcome}");
    run.stop();
}
