//! What every platform speaks of: plain data, the same everywhere. No function in here touches the machine.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))] // not every platform has a use for all of it

use std::ffi::OsString;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{Held, Pipe, SavedTerminal};

/// What tells a process from all others of this boot. Written to the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// When it started, in the platform's own unit: clock ticks after boot (Linux, where a pid can be recycled
    /// within one tick), microseconds since 1970 (macOS), 100 ns since 1601 (Windows).
    pub(crate) start: u64,
    /// A number that the kernel never gives twice in a boot: in pidfs (Linux 6.9 and later), or the unique id
    /// (macOS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) inode: Option<u64>,
}

/// What the system tells of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Info {
    pub(crate) pid: u32,
    pub(crate) ppid: u32,
    pub(crate) pgid: u32,
    pub(crate) sid: u32,
    /// Its effective user.
    pub(crate) uid: u32,
    /// The file name of its executable, or `comm` where that can't be read.
    pub(crate) name: String,
    pub(crate) comm: String,
    /// Empty for a zombie, for a kernel thread, and where it can't be read.
    pub(crate) argv: Vec<OsString>,
    pub(crate) cwd: Option<PathBuf>,
    /// As in [`Identity`].
    pub(crate) start: u64,
    /// `R` running, `S` sleeping, `D` uninterruptible, `Z` zombie, `T` stopped, ...
    pub(crate) state: char,
}

/// What is told of a process above another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ancestor {
    pub(crate) pid: u32,
    pub(crate) sid: u32,
    /// As in [`Info`].
    pub(crate) name: String,
    /// As in [`Identity`].
    pub(crate) start: u64,
}

/// What a process costs.
#[cfg(feature = "dashboard")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Its processor time so far, and that of its children that were waited for.
    pub(crate) cpu: Duration,
    /// Its own memory: without what it shares with others.
    pub(crate) memory_bytes: u64,
}

/// A change to files that was heard.
#[cfg(feature = "dashboard")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Something in this folder changed.
    In(PathBuf),
    /// There were more changes than could be told.
    Missed,
}

/// A command to start, in a way that its whole tree can be ended.
#[derive(Debug)]
pub(crate) struct Spawn {
    /// Absolute.
    pub(crate) program: PathBuf,
    /// The name under which the program sees itself, and its arguments.
    pub(crate) argv: Vec<OsString>,
    /// All of it.
    pub(crate) environment: Vec<(OsString, OsString)>,
    pub(crate) cwd: PathBuf,
    /// Whether the command leads a process group of its own; otherwise it is in the caller's.
    pub(crate) own_group: bool,
    /// Where its standard output and error go; `None`: where ours go.
    pub(crate) outputs: [Option<Pipe>; 2],
    /// Held open until the tree is gone: locks, the port's reservation.
    pub(crate) hold: Vec<Held>,
    pub(crate) spare: SpareList,
    /// The signal and the grace period when the front is gone.
    pub(crate) orphaned: (i32, Duration),
    pub(crate) terminal: Option<SavedTerminal>,
    /// The command's end of a terminal between, to be its standard input and its controlling terminal. With it the
    /// command leads a process group of its own.
    pub(crate) pty: Option<Pipe>,
}

/// What is left running on purpose, decided before the start.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpareList {
    /// Names that are spared in whatever session they are.
    pub(crate) always: Vec<Vec<u8>>,
    /// Names that are spared only in a session that is none of the run's own.
    pub(crate) own_session: Vec<Vec<u8>>,
    /// The same for programs of this name whose arguments hold this.
    pub(crate) run_by: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What becomes of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TreeEvent {
    /// The command exited with this status.
    LeaderExited(i32),
    /// The command died of this signal.
    LeaderSignalled(i32),
    /// The command was stopped by the terminal, or stopped itself as if by it.
    LeaderStopped,
    /// The members can't be listed: the stop signal reaches only the command and those without a living parent in
    /// the tree.
    Blind,
    /// The members can be listed only by a look at every process of the system.
    Scans,
    /// Nobody is left but these (pid, spared, name); so many had to be killed.
    Empty { killed: u32, left: Vec<(u32, bool, String)> },
    /// The guard is gone and the tree may not be.
    GuardLost,
}

/// Why a command could not be started.
#[derive(Debug)]
pub(crate) enum SpawnError {
    /// The working folder can't be entered.
    Folder(io::Error),
    /// The file can't be executed.
    Execute(io::Error),
    /// The system refused a process, a pipe or the like.
    System(io::Error),
}

/// A listening TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Listener {
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    /// What tells it from others, where the system says so; otherwise 0.
    pub(crate) inode: u64,
    /// The user who made it; 0 where users have no number.
    pub(crate) uid: u32,
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    /// Reading and writing; it is made if it does not exist.
    Write,
}

/// Which of this process's own output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// What is typed in our terminal that concerns us too, where there is another one between it and the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Typed {
    /// A key that was this signal to the command.
    Signal(i32),
    /// We were stopped, and go on.
    Resumed,
}

/// What ended a wait for output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// There is something to read, or the end of the stream.
    Readable,
    /// The bell rang.
    Bell,
}
