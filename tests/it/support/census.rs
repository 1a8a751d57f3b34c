//! Who is alive, by what /proc shows: the mark in the command line **or** in the environment (so that neither an
//! emptied environment nor an overwritten command line hides a process), and recorded pids with start times.

use std::collections::HashSet;
use std::fs;

use rustix::process::{Pid, Signal};

/// One process that is alive (zombies are dead).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proc {
    pub pid: u32,
    pub start: u64,
    pub state: char,
    pub ppid: u32,
    pub comm: String,
    pub argv: String,
}

impl Proc {
    /// The living process with this pid.
    pub fn of(pid: u32) -> Option<Proc> {
        let stat = String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/stat")).ok()?).into_owned();
        let (head, tail) = stat.rsplit_once(") ")?;
        let fields: Vec<_> = tail.split(' ').collect();
        let state = fields[0].chars().next()?;
        let argv = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        (!matches!(state, 'Z' | 'X')).then(|| Proc {
            pid,
            start: fields[22 - 3].parse().unwrap(),
            state,
            ppid: fields[1].parse().unwrap(),
            comm: head.split_once('(').map_or("", |(_, comm)| comm).to_string(),
            argv: String::from_utf8_lossy(&argv).replace('\0', " ").trim().to_string(),
        })
    }

    fn environment_has(&self, mark: &str) -> bool {
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(mark)
    }
}

/// Every living process that carries the mark, but for this one.
pub fn marked(mark: &str) -> Vec<Proc> {
    let mut found = Vec::new();
    visit(mark, |process| found.push(process));
    found
}

/// Shows `see` every process that carries the mark. A process may replace itself between the listing and the look at
/// it, so newcomers are looked at in further listings until there are none: then nobody was missed.
pub fn visit(mark: &str, mut see: impl FnMut(Proc)) {
    let mut known = HashSet::from([std::process::id()]);
    for _ in 0..500 {
        let pids = fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let newcomers: Vec<_> = pids.filter(|pid| known.insert(*pid)).collect();
        if newcomers.is_empty() {
            return;
        }
        let living = newcomers.into_iter().rev().filter_map(Proc::of);
        living.filter(|found| found.argv.contains(mark) || found.environment_has(mark)).for_each(&mut see);
    }
}

/// The living processes among these recorded ones.
pub fn recorded_alive(record: &[(String, u32, u64)]) -> Vec<Proc> {
    record.iter().filter_map(|(_, pid, start)| Proc::of(*pid).filter(|found| found.start == *start)).collect()
}

/// Signals a process; one that is gone is no error.
pub fn kill(pid: u32, signal: Signal) {
    let _ = rustix::process::kill_process(as_pid(pid), signal);
}

/// Signals a process group; one that is gone is no error.
pub fn kill_group(pgid: u32, signal: Signal) {
    let _ = rustix::process::kill_process_group(as_pid(pgid), signal);
}

fn as_pid(pid: u32) -> Pid {
    Pid::from_raw(pid as i32).expect("not 0")
}
