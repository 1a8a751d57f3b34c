//! Promise 11: stdin, stdout and stderr pass through, byte for byte, and nobody who holds a pipe delays the end.

use std::io::{PipeWriter, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::support::{Ended, LIMIT, Running, SOON, Scratch, Signal, eventually, kill};

const DEVRUN: &str = env!("CARGO_BIN_EXE_devrun");
const MEGABYTES: usize = 500;

#[test]
fn stdin_passes_data_and_its_end() {
    let scratch = Scratch::new();
    let data: String = (0..200_000).map(|n| format!("line {n} \u{1b}[31m é\r\n")).collect();
    let mut run = Running::spawn(scratch.devrun(["--ready", "none", "-q", "--", "cat"]));
    run.input(data.as_bytes());
    let outcome = run.outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(0));
    assert!(outcome.stdout == data, "{} bytes of {}", outcome.stdout.len(), data.len());
}

#[test]
fn an_open_stdin_is_not_read_away_and_a_closed_one_is_closed() {
    let scratch = Scratch::new();
    let script = "read -r one; echo \"got $one\"; cat >/dev/null; echo end";
    let mut run = Running::spawn(scratch.devrun(["--ready", "none", "-q", "--", "sh", "-c", script]));
    run.input(b"first\nsecond\n");
    run.outcome(SOON).expect(Ended::Status(0), "got first\nend\n", "");
}

#[test]
fn stdout_and_stderr_stay_apart_to_the_byte() {
    let scratch = Scratch::new();
    let script =
        "for n in 1 2 3; do printf 'out%s\\n' $n; printf 'err%s' $n >&2; done; printf '\\377\\000tail'";
    let run = scratch.devrun(["--ready", "none", "-q", "--", "sh", "-c", script]);
    let mut run = run;
    let output = run.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.stdout, b"out1\nout2\nout3\n\xff\0tail");
    assert_eq!(output.stderr, b"err1err2err3");
}

#[test]
fn five_hundred_megabytes_arrive_byte_for_byte_on_each_of_both() {
    let scratch = Scratch::new();
    let bytes = MEGABYTES * 1_000_000;
    let source = format!("yes 'a line of output' | head -c {bytes}");
    let both = format!("{source} & {source} >&2; wait");
    let sum = |producer: &str| {
        let script = format!(
            "{{ {producer} 2>&3 | cksum >out.sum; }} 3>&1 >/dev/null | cksum >err.sum; cat out.sum err.sum"
        );
        let mut shell = scratch.command("bash");
        shell.args(["-c", &script]);
        Running::spawn(shell).outcome(SOON * 6).stdout
    };
    let bare = sum(&format!("sh -c '{}'", both.replace('\'', "\"")));
    let wrapped = sum(&format!("{DEVRUN} -q --ready none -- sh -c '{}'", both.replace('\'', "\"")));
    assert_eq!(bare.matches(&format!(" {bytes}\n")).count(), 2, "both streams are whole: {bare}");
    assert_eq!(wrapped, bare);
}

#[test]
fn of_a_flood_the_log_has_the_end_and_says_what_it_left_out() {
    let scratch = Scratch::new();
    let script = "seq 1 10000000; echo last words >&2; exit 3";
    let run = Running::spawn(scratch.devrun(["--ready", "none", "-q", "--", "sh", "-c", script]));
    let outcome = run.outcome(SOON * 3);
    assert_eq!(outcome.ended, Ended::Status(3));
    let all = (1..=10_000_000).map(|n| format!("{n}\n")).collect::<String>();
    assert!(outcome.stdout == all, "{} bytes of {}", outcome.stdout.len(), all.len());
    let folder = scratch.record_path();
    let read = |name: &str| std::fs::read_to_string(folder.with_file_name(name)).unwrap();
    let log = read("log.1") + &read("log");
    let rest = log.replacen("last words\n", "", 1);
    assert_eq!(rest.len() + 11, log.len());
    let end = rest.rsplit("bytes of output skipped\n").next().unwrap();
    assert!(all.ends_with(end) && end.len() > 5_000_000, "{} of {}", end.len(), log.len());
}

#[test]
fn a_flood_on_which_readiness_waits_fills_no_memory_also_while_it_is_being_stopped() {
    let scratch = Scratch::new();
    let flood = "trap '' TERM; while :; do yes 'a line like others' | head -n 100000; done";
    let args = ["--ready", "log:never", "--stop-timeout", "1m", "--", "sh", "-c", flood];
    let mut command = scratch.devrun(args);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = command.spawn().unwrap();
    let figure = |file: &str, key: &str| -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/{file}", run.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("{text}"));
        line.trim_matches([':', ' ', '\t', 'k', 'B']).parse().unwrap()
    };
    let reads = |bytes: u64| {
        let until = figure("io", "rchar") + bytes;
        eventually(SOON * 3, || match (figure("io", "rchar"), figure("status", "VmRSS")) {
            (_, kb) if kb > 64 * 1024 => panic!("{kb} kB"),
            (read, kb) if read < until => Err(format!("{read} of {until} bytes, {kb} kB")),
            _ => Ok(()),
        });
    };
    reads(10_000_000);
    kill(run.id(), Signal::TERM);
    reads(50_000_000);
    kill(run.id(), Signal::KILL);
    run.wait().unwrap();
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_reader_that_leaves_is_seen_by_the_command_and_nothing_panics() {
    let scratch = Scratch::new();
    let mut shell = scratch.command("bash");
    shell.args(["-c", &format!("{DEVRUN} --ready none -- yes | head -n 1; echo status=${{PIPESTATUS[0]}}")]);
    let outcome = Running::spawn(shell).outcome(SOON);
    assert!(outcome.stdout.contains("y\nstatus="), "{outcome}");
    assert!(!outcome.stderr.contains("panicked"), "{outcome}");
    assert!(!outcome.stdout.contains("status=0"), "yes died of it, as it does without devrun: {outcome}");
}

#[test]
fn a_stderr_that_is_closed_ends_nothing() {
    let scratch = Scratch::new();
    let mut shell = scratch.command("bash");
    shell
        .args(["-c", &format!("{DEVRUN} --ready none -- sh -c 'echo through; exit 3' 2>&-; echo status=$?")]);
    Running::spawn(shell).outcome(SOON).expect(Ended::Status(0), "through\nstatus=3\n", "...");
}

#[test]
fn the_last_words_of_the_command_are_not_lost() {
    let scratch = Scratch::new();
    for _ in 0..20 {
        let script = "seq 1 20000; echo last >&2; kill -KILL $$";
        let run = Running::spawn(scratch.devrun(["--ready", "none", "-q", "--", "sh", "-c", script]));
        let outcome = run.outcome(SOON);
        assert!(outcome.stdout.ends_with("\n20000\n"), "{}", outcome.stdout.len());
        outcome.expect(Ended::Signal(9), "...", "last\n");
    }
}

/// A devrun whose command is over and has said more than its reader has read, which is nothing.
fn unread(scratch: &Scratch, options: &[&str]) -> Child {
    let command = ["--ready", "none", "-q", "--name", "shop", "--", "sh", "-c"];
    let script = "echo >>starts; head -c 250000 /dev/zero";
    let mut devrun = scratch.devrun(options.iter().chain(&command).chain(&[script]));
    let devrun = devrun.stdout(Stdio::piped()).spawn().unwrap();
    eventually(SOON, || match scratch.listed(true).first() {
        Some(record) if record["state"] == "stopping" => Ok(()),
        other => Err(format!("it does not wait: {other:?}")),
    });
    devrun
}

fn starts(scratch: &Scratch) -> usize {
    std::fs::read_to_string(scratch.project().join("starts")).unwrap().lines().count()
}

#[test]
fn a_reader_that_pauses_gets_all_of_it() {
    let scratch = Scratch::new();
    let mut devrun = unread(&scratch, &[]);
    let mut read = Vec::new();
    devrun.stdout.take().unwrap().read_to_end(&mut read).unwrap();
    assert_eq!((read.len(), devrun.wait().unwrap().code()), (250_000, Some(0)));
}

#[test]
fn who_waits_for_a_reader_is_ended_by_a_signal_and_by_the_next_start() {
    for (options, ended) in [(&[][..], Some(0)), (&["--restart", "always"], None)] {
        let scratch = Scratch::new();
        let mut devrun = unread(&scratch, options);
        kill(devrun.id(), Signal::TERM);
        assert_eq!(devrun.wait().unwrap().code(), ended, "the command's own, or the signal's");
        assert_eq!(starts(&scratch), 1, "{options:?}");
    }
    let scratch = Scratch::new();
    let mut first = unread(&scratch, &[]);
    let next = scratch.devrun([
        "--ready",
        "none",
        "--name",
        "shop",
        "--",
        "sh",
        "-c",
        "echo >>starts; head -c 250000 /dev/zero",
    ]);
    let outcome = Running::spawn(next).outcome(SOON);
    assert_eq!((outcome.ended, outcome.stdout.len(), starts(&scratch)), (Ended::Status(0), 250_000, 2));
    first.wait().unwrap();
}

fn can_take_more(pipe: &PipeWriter) -> bool {
    let mut asked = [PollFd::new(pipe, PollFlags::OUT)];
    poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() > 0
}

#[test]
fn a_stderr_that_nobody_reads_makes_devrun_deaf_to_nothing() {
    // What fills it: the command, or, before devrun has said anything, somebody else.
    for (full_before, command) in [(false, "head -c 250000 /dev/zero >&2"), (true, "true")] {
        let scratch = Scratch::new();
        let (_reader, mut pipe) = std::io::pipe().unwrap();
        if full_before {
            let room = rustix::pipe::fcntl_getpipe_size(&pipe).unwrap();
            pipe.write_all(&vec![0; room]).unwrap();
        }
        let script = format!("{command}; exec sleep 1000");
        let mut devrun = scratch.devrun(["--ready", "none", "--name", "shop", "--", "sh", "-c", &script]);
        let mut devrun = devrun.stderr(pipe.try_clone().unwrap()).spawn().unwrap();
        eventually(SOON, || match scratch.listed(true).first() {
            Some(record) if record["state"] == "ready" => Ok(()),
            other => Err(format!("it does not run: {other:?}")),
        });
        eventually(SOON, || match can_take_more(&pipe) {
            true => Err("the pipe is not full".to_string()),
            false => Ok(()),
        });
        kill(devrun.id(), Signal::TERM);
        let ended = eventually(SOON, || devrun.try_wait().unwrap().ok_or("it does not end".to_string()));
        assert_eq!(ended.signal(), Some(15));
        assert_eq!(scratch.listed(true)[0]["state"], "stopped");
        scratch.assert_dead(LIMIT);
    }
}
