//! What the tests are made of. Nothing in here knows how devrun works inside: only its command line, its exit
//! status, its output, and what /proc shows.

mod browser;
mod census;
mod churn;
mod dashboard;
pub mod machine;
mod matching;
pub mod npm;
mod program;
mod pty;
mod registry;
pub mod release;
mod run;
mod scratch;
mod server;
mod wait;

pub use browser::{Browser, Window};
pub use census::{Proc, kill, kill_group, marked};
pub use churn::Churn;
pub use dashboard::{Dashboard, Events, Reply, record_of, replace_record};
pub use program::{copy_program, write_program};
pub use pty::Pty;
pub use run::{Ended, Outcome, Ready, Running};
pub use rustix::process::Signal;
pub use scratch::{Fixture, Scratch, apps, fixture_program, words};
pub use server::{PATIENCE, answers, takes_its_port};
pub use wait::{LIMIT, SOON, eventually, retry, takes_at_most};

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whether a process may change its user here. Says so when not: no silent skip.
pub fn is_root(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        not_run(&format!("root: {what}"));
    }
    root
}

/// Says what a test would need, past the test runner's capture.
pub fn not_run(needs: &str) {
    let line = format!("NOT RUN, needs {needs}\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}

/// Waits until this process is stopped, or runs again.
#[track_caller]
pub fn stopped(pid: u32, expected: bool) {
    eventually(SOON, || match Proc::of(pid) {
        Some(found) if (found.state == 'T') == expected => Ok(()),
        found => Err(format!("stopped should be {expected}: {found:?}")),
    });
}

/// Asks the run of the one server of this project to stop; returns while it does.
#[track_caller]
pub fn begins_to_stop(scratch: &Scratch, run: &Running) {
    run.signal(Signal::TERM);
    eventually(SOON, || {
        let status = scratch.devrun(["status", "--json"]).output().unwrap();
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
        if status["state"] == "stopping" { Ok(()) } else { Err(status.to_string()) }
    });
}

/// Waits until the fixture has written down this signal.
#[track_caller]
pub fn heard(signals: &std::path::Path, name: &str) {
    eventually(SOON, || {
        let signals = std::fs::read_to_string(signals).unwrap_or_default();
        if signals.contains(name) { Ok(()) } else { Err(format!("signals: {signals}")) }
    });
}

/// Waits until this process has taken every signal it was sent: of two that wait, it would hear one.
#[track_caller]
pub fn has_taken_signals(pid: u32) {
    eventually(SOON, || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let waits = |line: &&str| {
            let mask = line.strip_prefix("SigPnd:").or(line.strip_prefix("ShdPnd:"));
            mask.is_some_and(|mask| mask.trim().chars().any(|digit| digit != '0'))
        };
        status.lines().find(waits).map_or(Ok(()), |line| Err(line.to_string()))
    });
}

/// A port that nobody holds, outside the range from which devrun takes its own, and never one that another test was
/// given. Far from the one before: some servers move on to the next.
pub fn free_port() -> u16 {
    static STEPS: LazyLock<AtomicU64> =
        LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one(0) % 10_000));
    let port = || 15_000 + (STEPS.fetch_add(1, Ordering::Relaxed) * 17 % 10_000) as u16;
    std::iter::repeat_with(port).take(10_000).find(|port| portpicker::is_free(*port)).expect("a free port")
}

/// Holds this port on this address.
pub fn hold(address: &str, port: u16) -> TcpListener {
    try_hold(address, port).unwrap()
}

fn try_hold(address: &str, port: u16) -> std::io::Result<TcpListener> {
    let address = SocketAddr::new(address.parse().unwrap(), port);
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(16)?;
    Ok(socket.into())
}

/// A port held on this address only.
pub fn held_port(address: &str) -> (u16, TcpListener) {
    let port = free_port();
    (port, hold(address, port))
}

/// Answers 200 to everything on this listener until the test ends.
pub fn answer_200(listener: TcpListener) {
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nstranger";
            let _ = std::io::Write::write_all(&mut stream, answer);
        }
    });
}

/// Whether anybody listens there.
pub fn listens(address: &str, port: u16) -> bool {
    let address: IpAddr = address.parse().unwrap();
    TcpStream::connect((address, port)).is_ok()
}

/// The body of `GET /` at a URL that devrun printed, asked by `curl` as a user would. Empty when there is none.
pub fn get(url: &str) -> String {
    let curl =
        std::process::Command::new("curl").args(["-skL", "--max-time", "60", "--noproxy", "*", url]).output();
    String::from_utf8_lossy(&curl.expect("curl is installed").stdout).into_owned()
}
