//! Output passed on between real processes.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::sys::Pipe;

const SOON: Duration = Duration::from_secs(20);

fn pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    std::io::pipe().unwrap()
}

fn route(from: impl Into<Pipe>, to: impl Into<Pipe>) -> Route {
    Route { from: from.into(), to: Some(to.into()) }
}

fn start(routes: Vec<Route>) -> PassOn {
    PassOn::start(routes, None, None, |_| {}).unwrap()
}

#[test]
fn both_streams_arrive_whole_apart_and_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut child = Command::new("sh")
        .args(["-c", "seq 1 200000; seq 1 200 >&2; printf 'no end'"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ((mut out, to_out), (mut err, to_err)) = (pipe(), pipe());
    let routes =
        vec![route(child.stdout.take().unwrap(), to_out), route(child.stderr.take().unwrap(), to_err)];
    let (lines_to, mut lines) = tokio::sync::broadcast::channel(1 << 18);
    let mut passing =
        PassOn::start(routes, Some(Log::open(&path).unwrap()), Some(lines_to), |error| panic!("{error}"))
            .unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    let mut err_text = String::new();
    err.read_to_string(&mut err_text).unwrap();
    let out_text = reader.join().unwrap().unwrap();
    child.wait().unwrap();
    assert!(passing.finish(SOON));
    let numbers = |last: u32| (1..=last).map(|n| format!("{n}\n")).collect::<String>();
    assert!(out_text == numbers(200_000) + "no end");
    assert_eq!(err_text, numbers(200));
    assert_eq!(std::fs::read(&path).unwrap().len(), out_text.len() + err_text.len());
    assert_eq!(passing.tail().len(), 64 * 1024);
    let mut count = 0;
    while lines.try_recv().is_ok() {
        count += 1;
    }
    assert_eq!(count, 200_200);
}

#[test]
fn a_survivor_that_holds_the_pipe_delays_nothing_and_nothing_written_before_is_lost() {
    let (from, mut survivor) = pipe();
    let (mut out, to) = pipe();
    let mut passing = start(vec![route(from, to)]);
    survivor.write_all(&[b'x'; 50_000]).unwrap();
    assert!(passing.finish(SOON));
    let mut text = Vec::new();
    out.read_to_end(&mut text).unwrap();
    assert_eq!(text.len(), 50_000);
    assert_eq!(survivor.write(b"later").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
}

#[test]
fn a_survivor_that_never_stops_writing_delays_nothing() {
    let mut child = Command::new("yes").stdout(Stdio::piped()).spawn().unwrap();
    let (mut out, to) = pipe();
    let mut passing = start(vec![route(child.stdout.take().unwrap(), to)]);
    let reader = std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
    assert!(passing.finish(SOON));
    assert!(reader.join().unwrap().is_ok());
    assert!(!child.wait().unwrap().success()); // of SIGPIPE
}

#[test]
fn a_reader_that_left_reaches_the_command_as_a_broken_pipe() {
    let mut child = Command::new("yes").stdout(Stdio::piped()).spawn().unwrap();
    let (out, to) = pipe();
    let mut passing = start(vec![route(child.stdout.take().unwrap(), to)]);
    drop(out);
    assert!(!child.wait().unwrap().success());
    assert!(passing.finish(SOON));
}

#[test]
fn a_reader_that_does_not_read_costs_the_deadline_and_no_more() {
    let mut child = Command::new("yes").stdout(Stdio::piped()).spawn().unwrap();
    let (out, to) = pipe();
    let from = Pipe::from(child.stdout.take().unwrap());
    let pipes = [from.try_clone().unwrap(), Pipe::from(out.try_clone().unwrap())];
    let mut passing = start(vec![route(from, to)]);
    // Both full: there is something to pass on, and no room for it.
    while pipes.iter().any(|pipe| crate::sys::unread(pipe) < 65_536) {
        std::thread::yield_now();
    }
    assert!(!passing.finish(Duration::from_millis(50)));
    drop((out, pipes));
    child.wait().unwrap();
}

/// A command that says so many lines, and what it says.
fn flood(lines: u32) -> (Command, String) {
    let mut command = Command::new("seq");
    command.args(["1", &lines.to_string()]).stdout(Stdio::piped());
    (command, (1..=lines).map(|n| format!("{n}\n")).collect())
}

#[test]
fn a_log_that_fails_is_one_warning_and_what_is_missing_is_said_once_it_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let (log, obstacle) = Log::failing(&path);
    let (warn, warned) = mpsc::channel();
    let (from, mut command) = pipe();
    let (mut out, to) = pipe();
    let routes = vec![route(from, to)];
    let mut passing = PassOn::start(routes, Some(log), None, move |error| warn.send(error).unwrap()).unwrap();
    let mut say = |piece: &[u8; 4]| {
        let mut text = [0; 4];
        command.write_all(piece).unwrap();
        out.read_exact(&mut text).unwrap();
        assert_eq!(&text, piece);
    };
    say(b"one\n");
    say(b"two\n");
    warned.recv_timeout(SOON).unwrap();
    std::fs::remove_dir(obstacle).unwrap();
    say(b"end\n");
    assert!(passing.finish(SOON));
    assert!(warned.recv().is_err(), "one warning");
    assert_eq!(passing.tail(), b"one\ntwo\nend\n");
    let kept = std::fs::read_to_string(path).unwrap();
    let missing = kept.strip_prefix("devrun: ").unwrap().split_once(" bytes of output skipped\n").unwrap();
    assert!(matches!(missing, ("4", "two\nend\n") | ("8", "end\n")), "{kept}");
}

#[test]
fn a_disk_that_hangs_holds_up_neither_the_output_nor_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (log, disk) = Log::hanging(&folder.path().join("log"));
    let (mut command, text) = flood(3_000_000);
    let mut child = command.spawn().unwrap();
    let (mut out, to) = pipe();
    let routes = vec![route(child.stdout.take().unwrap(), to)];
    let mut passing = PassOn::start(routes, Some(log), None, |error| panic!("{error}")).unwrap();
    let mut got = String::new();
    out.read_to_string(&mut got).unwrap();
    assert!(got == text);
    assert!(passing.finish(Duration::from_millis(50)));
    assert!(text.as_bytes().ends_with(&passing.tail()));
    drop((passing, disk));
    child.wait().unwrap();
}

#[test]
fn what_a_slow_disk_misses_is_said_and_the_end_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (log, mut disk) = Log::hanging(&folder.path().join("log"));
    let (mut command, text) = flood(3_000_000);
    let mut child = command.spawn().unwrap();
    let (mut out, to) = pipe();
    let routes = vec![route(child.stdout.take().unwrap(), to)];
    let mut passing = PassOn::start(routes, Some(log), None, |error| panic!("{error}")).unwrap();
    std::io::copy(&mut out, &mut std::io::sink()).unwrap();
    let reader = std::thread::spawn(move || {
        let mut kept = String::new();
        disk.read_to_string(&mut kept).map(|_| kept)
    });
    assert!(passing.finish(SOON));
    let kept = reader.join().unwrap().unwrap();
    let (before, rest) = kept.split_once("devrun: ").unwrap();
    let (skipped, after) = rest.split_once(" bytes of output skipped\n").unwrap();
    assert!(text.starts_with(before.trim_end()) && text.ends_with(after));
    assert!(
        after.len() >= super::log::FILE_BYTES as usize,
        "as much as the log is sure to hold: {}",
        after.len()
    );
    let sum = before.len() + skipped.parse::<usize>().unwrap() + after.len();
    assert!(matches!(sum - text.len(), 0 | 1), "with the end of a line that was cut: {sum}");
    child.wait().unwrap();
}
