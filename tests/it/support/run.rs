//! Running one program: its output collected while it runs, its end compared whole.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::{SOON, Signal, eventually, kill, matching};

/// How a program ended: a status of its own and death by a signal are not the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Status(i32),
    Signal(i32),
}

impl From<ExitStatus> for Ended {
    fn from(status: ExitStatus) -> Self {
        status.code().map_or_else(|| Ended::Signal(status.signal().expect("one of both")), Ended::Status)
    }
}

/// A finished run.
#[derive(Debug)]
pub struct Outcome {
    pub ended: Ended,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Compares all of it (patterns as in `matching`).
    #[track_caller]
    pub fn expect(&self, ended: Ended, stdout: &str, stderr: &str) -> &Self {
        let same = self.ended == ended
            && matching::matches(stdout, &self.stdout)
            && matching::matches(stderr, &self.stderr);
        assert!(same, "expected {ended:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n=== got\n{self}");
        self
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}\n--- stdout\n{}\n--- stderr\n{}", self.ended, self.stdout, self.stderr)
    }
}

/// What the line for machines says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    pub url: String,
    pub port: u16,
    pub pid: u32,
    pub ms: u64,
}

/// A program that runs, killed when this is dropped.
pub struct Running {
    child: Child,
    out: Collected,
    err: Collected,
}

struct Collected {
    pipe: Option<OwnedFd>,
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Collected {
    fn from(source: Option<impl Read + AsFd + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let pipe = source.as_ref().map(|source| source.as_fd().try_clone_to_owned().unwrap());
        let reader = source.map(|mut source| {
            std::thread::spawn(move || {
                let mut buffer = [0; 65536];
                loop {
                    let _ = poll(&mut [PollFd::new(&source, PollFlags::IN)], None);
                    // What is no longer in the pipe is in here for whoever looks next.
                    let mut sink = sink.lock().unwrap();
                    match source.read(&mut buffer) {
                        Ok(count @ 1..) => sink.extend_from_slice(&buffer[..count]),
                        _ => break,
                    }
                }
            })
        });
        Self { pipe, bytes, reader }
    }

    /// Waits until all is read that was written by now.
    fn catch_up(&self) {
        let waiting = || self.pipe.as_ref().map_or(0, |pipe| rustix::io::ioctl_fionread(pipe).unwrap());
        eventually(SOON, || if waiting() == 0 { Ok(()) } else { Err("output is not read".to_string()) });
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// All of it; panics when somebody still holds the pipe.
    #[track_caller]
    fn end(&mut self, whose: &str) -> String {
        eventually(SOON, || match self.reader.as_ref().is_none_or(JoinHandle::is_finished) {
            true => Ok(()),
            false => Err(format!("{whose} is still held open by someone")),
        });
        self.text()
    }
}

impl Running {
    /// Starts it in a process group of its own with pipes on all three; stdin stays open until `input` or the end.
    pub fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let out = Collected::from(child.stdout.take());
        let err = Collected::from(child.stderr.take());
        Self { child, out, err }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal);
    }

    /// Writes all of it and closes stdin.
    pub fn input(&mut self, bytes: &[u8]) {
        self.child.stdin.take().expect("stdin is open").write_all(bytes).unwrap();
    }

    pub fn stdout(&self) -> String {
        self.out.text()
    }

    pub fn stderr(&self) -> String {
        self.err.text()
    }

    /// Waits for this text on stderr.
    #[track_caller]
    pub fn says(&mut self, text: &str) {
        eventually(SOON, || match self.stderr().contains(text) {
            true => Ok(()),
            false => Err(format!("no {text:?} on stderr; {}", self.state())),
        });
    }

    /// Waits for the line for machines.
    #[track_caller]
    pub fn ready(&mut self) -> Ready {
        self.ready_within(SOON)
    }

    #[track_caller]
    pub fn ready_within(&mut self, limit: Duration) -> Ready {
        eventually(limit, || {
            let ended = self.has_ended();
            if ended {
                self.err.catch_up();
            }
            if let Some(ready) = self.stderr().lines().find_map(parse_ready) {
                return Ok(ready);
            }
            assert!(!ended, "ended before it was ready; {}", self.state());
            Err(format!("not ready; {}", self.state()))
        })
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end, whoever still holds its pipes; what it wrote can be read then.
    #[track_caller]
    pub fn ended(&mut self, limit: Duration) -> Ended {
        let ended = eventually(limit, || match self.child.try_wait().unwrap() {
            Some(status) => Ok(status.into()),
            None => Err(format!("still running; {}", self.state())),
        });
        self.out.catch_up();
        self.err.catch_up();
        ended
    }

    /// Waits for its end and the end of its output.
    #[track_caller]
    pub fn outcome(mut self, limit: Duration) -> Outcome {
        drop(self.child.stdin.take());
        let ended = self.ended(limit);
        Outcome { ended, stdout: self.out.end("stdout"), stderr: self.err.end("stderr") }
    }

    /// Ends it as Ctrl-C does in a script, and waits.
    #[track_caller]
    pub fn stop(self) -> Outcome {
        self.signal(Signal::TERM);
        self.outcome(SOON)
    }

    fn state(&self) -> String {
        format!("stdout:\n{}\nstderr:\n{}", self.stdout(), self.stderr())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse_ready(line: &str) -> Option<Ready> {
    let mut words = line.strip_prefix("devrun ready ")?.split(' ');
    let url = words.next()?.to_string();
    let mut number = |key: &str| words.next()?.strip_prefix(key)?.parse::<u64>().ok();
    let (port, pid, ms) = (number("port=")?, number("pid=")?, number("ms=")?);
    Some(Ready { url, port: port as u16, pid: pid as u32, ms })
}
