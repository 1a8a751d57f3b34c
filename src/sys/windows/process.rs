//! Who a process is, and a handle on it: while a handle is open, its pid is given to nobody else.
//! Nothing here waits, or chooses whom to end.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_INVALID_PARAMETER, FILETIME, WAIT_OBJECT_0};
use windows_sys::Win32::System::Console::GetConsoleProcessList;
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::Threading::{
    GetProcessTimes, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE,
    TerminateProcess, WaitForSingleObject,
};

use super::handle::{done, owned, size_of};
use super::job;
pub(crate) use crate::sys::types::{Ancestor, Identity, Info};

pub(crate) const SIGTERM: i32 = 15;
pub(crate) const SIGKILL: i32 = 9;
pub(crate) const SIGCONT: i32 = 18;

/// A handle on one process.
#[derive(Debug)]
pub(crate) struct Process {
    identity: Identity,
    handle: OwnedHandle,
}

impl Process {
    /// A handle on the process that has this pid now.
    pub(crate) fn of_pid(pid: u32) -> io::Result<Option<Self>> {
        let handle = match open(pid, PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE) {
            Ok(handle) => handle,
            Err(error) if says(&error, ERROR_INVALID_PARAMETER) => return Ok(None),
            Err(error) => return Err(error),
        };
        let start = start(&handle)?;
        Ok(Some(Self { identity: Identity { pid, start, inode: None }, handle }))
    }

    /// A handle on exactly this process; `None` if it is gone, its pid recycled or not.
    pub(crate) fn open(identity: &Identity) -> io::Result<Option<Self>> {
        let found = Self::of_pid(identity.pid)?;
        Ok(found.filter(|found| found.identity.start == identity.start))
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Always: start times are counted in 100 ns since 1601, and a pid is not recycled within one.
    pub(crate) fn is_certain(&self) -> bool {
        true
    }

    /// Ends the process, whatever the signal: there are none here. Nothing is ever stopped that could go on.
    pub(crate) fn signal(&self, signal: i32) -> io::Result<()> {
        if signal == SIGCONT {
            return Ok(());
        }
        if !self.is_alive() {
            return Err(io::ErrorKind::NotFound.into());
        }
        // The pid is this process's for as long as our handle is open.
        let handle = open(self.identity.pid, PROCESS_TERMINATE)?;
        // SAFETY: the handle is open.
        unsafe { done(TerminateProcess(handle.as_raw_handle(), 1)) }
    }

    /// Whether it has not exited yet.
    pub(crate) fn is_alive(&self) -> bool {
        !self.wait(Duration::ZERO)
    }

    /// Whether it has exited, at the latest at the end of the patience.
    pub(crate) fn wait(&self, patience: Duration) -> bool {
        let patience = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX - 1);
        // SAFETY: the handle is open.
        unsafe { WaitForSingleObject(self.handle.as_raw_handle(), patience) == WAIT_OBJECT_0 }
    }
}

impl AsHandle for Process {
    /// Signalled once the process has exited.
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.handle.as_handle()
    }
}

/// The first of these processes to end; never without any. A thread waits for each, until that process ends.
pub(crate) async fn first_to_end(processes: &[Process]) -> u32 {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for process in processes {
        let Ok(handle) = process.handle.try_clone() else { continue };
        let (pid, tell) = (process.identity.pid, tell.clone());
        let wait = move || {
            // SAFETY: the handle is open, and is this thread's own.
            unsafe { WaitForSingleObject(handle.as_raw_handle(), u32::MAX) };
            let _ = tell.send(pid);
        };
        let _ = std::thread::Builder::new().name("owner".into()).stack_size(64 * 1024).spawn(wait);
    }
    match told.recv().await {
        Some(pid) => pid,
        None => std::future::pending().await,
    }
}

/// The identity of the process that has this pid now.
pub(crate) fn identity(pid: u32) -> Option<Identity> {
    Process::of_pid(pid).ok().flatten().map(|process| process.identity())
}

/// The same in every boot: start times are absolute here, so an identity holds across boots.
pub(crate) fn boot_id() -> Option<String> {
    Some("absolute start times".into())
}

/// What the system tells of the process that has this pid now.
pub(crate) fn info(pid: u32) -> Option<Info> {
    let entry = snapshot().into_iter().find(|entry| entry.th32ProcessID == pid)?;
    Some(tell(&entry, &console()))
}

/// When a process started, by its `start`, in milliseconds since 1970.
pub(crate) fn started_at(start: u64) -> Option<u64> {
    const MS_FROM_1601_TO_1970: u64 = 11_644_473_600_000;
    (start / 10_000).checked_sub(MS_FROM_1601_TO_1970)
}

/// Never known: another process's environment is not for others to read. It is not needed either: the kernel
/// ends a tree whose devrun is gone, so there are no ghosts to recognise.
pub(crate) fn environment_values(_pid: u32, _key: &str) -> Vec<String> {
    Vec::new()
}

/// Every pid in sight.
pub(crate) fn all_pids() -> Vec<u32> {
    snapshot().iter().map(|entry| entry.th32ProcessID).collect()
}

/// Users have no number here.
pub(crate) fn user() -> u32 {
    0
}

/// The children of the process, as far as they are younger.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let Some(start) = identity(pid).map(|parent| parent.start) else { return Vec::new() };
    let entries = snapshot().into_iter().filter(|entry| entry.th32ParentProcessID == pid);
    let pids = entries.map(|entry| entry.th32ProcessID);
    pids.filter(|pid| identity(*pid).is_some_and(|child| child.start >= start)).collect()
}

/// Every pid in sight: users have no number here.
pub(crate) fn pids_of_user(_uid: u32) -> Vec<u32> {
    all_pids()
}

/// The members of the tree that this process leads, itself included; of another process, its descendants.
pub(crate) fn members(root: u32) -> Vec<u32> {
    job::members_of_leader(root).unwrap_or_else(|| descendants(root))
}

/// By parents, as far as those still run: Windows keeps the parent's pid when the parent is gone, and then it
/// can be another's, so a child must not be older than its parent.
fn descendants(root: u32) -> Vec<u32> {
    let mut children = HashMap::<u32, Vec<u32>>::new();
    for entry in snapshot() {
        children.entry(entry.th32ParentProcessID).or_default().push(entry.th32ProcessID);
    }
    let started = |pid| identity(pid).map(|identity| identity.start);
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        let Some(parent_start) = started(pid) else { continue };
        for child in children.remove(&pid).unwrap_or_default() {
            if started(child).is_some_and(|start| start >= parent_start) {
                next.push(child);
                found.push(child);
            }
        }
    }
    found.sort_unstable();
    found
}

/// The parents of the process, the nearest first, as far as each is older than its child.
pub(crate) fn ancestors(pid: u32) -> Vec<Ancestor> {
    let entries: HashMap<u32, PROCESSENTRY32W> =
        snapshot().into_iter().map(|entry| (entry.th32ProcessID, entry)).collect();
    let console = console();
    let mut found: Vec<Ancestor> = Vec::new();
    let mut child = pid;
    while let Some(entry) = entries.get(&child).and_then(|child| entries.get(&child.th32ParentProcessID)) {
        let (parent, start) = (tell(entry, &console), identity(child).map(|child| child.start));
        // 0 and 4 are the system itself.
        if parent.pid <= 4 || start.is_none_or(|start| parent.start > start) || found.len() >= 100 {
            break;
        }
        child = parent.pid;
        found.push(Ancestor { pid: parent.pid, sid: parent.sid, name: parent.name, start: parent.start });
    }
    found
}

/// The parent of the process now, whether it still runs or not.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    let entry = snapshot().into_iter().find(|entry| entry.th32ProcessID == pid)?;
    Some(entry.th32ParentProcessID)
}

/// Whether this process has a console.
pub(crate) fn has_terminal() -> bool {
    !console().is_empty()
}

/// The pids on this process's console.
fn console() -> Vec<u32> {
    let mut pids = vec![0; 64];
    loop {
        let room = u32::try_from(pids.len()).unwrap_or(u32::MAX);
        // SAFETY: the list is as long as is said.
        let count = unsafe { GetConsoleProcessList(pids.as_mut_ptr(), room) };
        pids.resize(count as usize, 0);
        if count <= room {
            return pids;
        }
    }
}

/// A console takes the place of a session: 1 for those on ours, 0 for all others.
fn tell(entry: &PROCESSENTRY32W, console: &[u32]) -> Info {
    let pid = entry.th32ProcessID;
    let length = entry.szExeFile.iter().position(|unit| *unit == 0).unwrap_or(entry.szExeFile.len());
    let comm = String::from_utf16_lossy(&entry.szExeFile[..length]);
    Info {
        pid,
        ppid: entry.th32ParentProcessID,
        pgid: 0,
        sid: console.contains(&pid).into(),
        uid: 0,
        name: comm.strip_suffix(".exe").unwrap_or(&comm).to_lowercase(),
        comm,
        argv: Vec::new(),
        cwd: None,
        start: identity(pid).map_or(0, |identity| identity.start),
        state: 'R',
    }
}

fn snapshot() -> Vec<PROCESSENTRY32W> {
    // SAFETY: makes a snapshot of its own; what is returned is ours.
    let Ok(snapshot) = (unsafe { owned(CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0)) }) else {
        return Vec::new();
    };
    let mut entry = PROCESSENTRY32W { dwSize: size_of::<PROCESSENTRY32W>(), ..Default::default() };
    let mut found = Vec::new();
    // SAFETY: the snapshot is open and the entry carries its own length.
    let mut more = unsafe { Process32FirstW(snapshot.as_raw_handle(), &mut entry) };
    while more != 0 {
        found.push(entry);
        // SAFETY: as above.
        more = unsafe { Process32NextW(snapshot.as_raw_handle(), &mut entry) };
    }
    found
}

fn open(pid: u32, rights: u32) -> io::Result<OwnedHandle> {
    // SAFETY: what is returned is ours, and no child inherits it.
    unsafe { owned(OpenProcess(rights, 0, pid)) }
}

/// When the process started, in 100 ns since 1601.
fn start(handle: &OwnedHandle) -> io::Result<u64> {
    let [mut start, mut exit, mut kernel, mut user] = [FILETIME::default(); 4];
    // SAFETY: the handle is open and the results live here.
    unsafe { done(GetProcessTimes(handle.as_raw_handle(), &mut start, &mut exit, &mut kernel, &mut user))? };
    Ok(u64::from(start.dwHighDateTime) << 32 | u64::from(start.dwLowDateTime))
}

fn says(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code.cast_signed())
}

/// Whether a running process has this pid.
#[cfg(test)]
pub(crate) fn exists(pid: u32) -> bool {
    match Process::of_pid(pid) {
        Ok(found) => found.is_some_and(|process| process.is_alive()),
        Err(error) => says(&error, windows_sys::Win32::Foundation::ERROR_ACCESS_DENIED),
    }
}
