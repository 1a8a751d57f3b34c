//! Output passed on between real processes.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::*;
use crate::sys::Pipe;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

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
    let (lines_to, mut lines) = tokio::sync::mpsc::unbounded_channel();
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
    assert!(passing.finish(soon()));
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
    assert!(passing.finish(soon()));
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
    assert!(passing.finish(soon()));
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
    assert!(passing.finish(soon()));
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
    assert!(!passing.finish(Instant::now() + Duration::from_millis(50)));
    drop((out, pipes));
    child.wait().unwrap();
}

#[test]
fn a_log_that_fails_is_one_warning_and_the_output_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::failing(&folder.path().join("log"));
    let (warn, warned) = mpsc::channel();
    let (from, mut command) = pipe();
    let (mut out, to) = pipe();
    let routes = vec![route(from, to)];
    let mut passing = PassOn::start(routes, Some(log), None, move |error| warn.send(error).unwrap()).unwrap();
    let mut text = [0; 4];
    for piece in [b"one\n", b"two\n"] {
        command.write_all(piece).unwrap();
        out.read_exact(&mut text).unwrap();
        assert_eq!(&text, piece);
    }
    assert!(passing.finish(soon()));
    assert_eq!(warned.iter().count(), 1);
    assert_eq!(passing.tail(), b"one\ntwo\n");
}
