//! A job object: the kernel's own list of a tree, which a process can't leave and which the kernel empties when
//! the last handle to it is closed, however its owner ends. Nothing here decides when to end it.
#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::process::Child;
use std::ptr;
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_ALREADY_EXISTS, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::IO::{CreateIoCompletionPort, GetQueuedCompletionStatus};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_ASSOCIATE_COMPLETION_PORT, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectAssociateCompletionPortInformation, JobObjectBasicProcessIdList,
    JobObjectExtendedLimitInformation, OpenJobObjectW, QueryInformationJobObject, SetInformationJobObject,
    TerminateJobObject,
};
use windows_sys::Win32::System::Threading::{OpenThread, ResumeThread, THREAD_SUSPEND_RESUME};

use super::handle::{done, owned, size_of, wide};

/// JOB_OBJECT_QUERY, which the bindings leave out.
const QUERY: u32 = 4;

/// A job and the port to which it tells of its processes.
#[derive(Debug)]
pub(super) struct Job {
    job: OwnedHandle,
    port: OwnedHandle,
}

impl Job {
    /// Makes the job of a command that was started suspended, puts the command into it and lets it run.
    ///
    /// The job is named after the leader, so that `members` can ask it from any process of the session.
    pub(super) fn of(leader: &Child) -> io::Result<Self> {
        let job = create(&name(leader.id())).or_else(|_| create(""))?;
        // SAFETY: makes a port of its own; what is returned is ours.
        let port = unsafe { owned(CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, 1))? };
        let associate = JOBOBJECT_ASSOCIATE_COMPLETION_PORT {
            CompletionKey: job.as_raw_handle(),
            CompletionPort: port.as_raw_handle(),
        };
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        // SAFETY: the handles are open, and each structure is the one of its class and of the length given.
        unsafe {
            done(SetInformationJobObject(
                job.as_raw_handle(),
                JobObjectAssociateCompletionPortInformation,
                (&raw const associate).cast(),
                size_of::<JOBOBJECT_ASSOCIATE_COMPLETION_PORT>(),
            ))?;
            done(SetInformationJobObject(
                job.as_raw_handle(),
                JobObjectExtendedLimitInformation,
                (&raw const limits).cast(),
                size_of::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>(),
            ))?;
            done(AssignProcessToJobObject(job.as_raw_handle(), leader.as_raw_handle()))?;
        }
        resume(leader.id())?;
        Ok(Self { job, port })
    }

    /// The processes in the job.
    pub(super) fn members(&self) -> io::Result<Vec<u32>> {
        members(&self.job)
    }

    /// Ends every process of the job with this exit code.
    pub(super) fn terminate(&self, code: u32) {
        // SAFETY: the handle is open.
        unsafe { TerminateJobObject(self.job.as_raw_handle(), code) };
    }

    /// Waits until the job has something to tell, or for this long. What it tells is not looked at: the system
    /// does not promise to deliver every message, so whoever waits asks `members` again.
    pub(super) fn wait(&self, limit: Duration) {
        let (mut message, mut key, mut about) = (0, 0, ptr::null_mut());
        let limit = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
        // SAFETY: the handle is open and the results live here.
        unsafe {
            GetQueuedCompletionStatus(self.port.as_raw_handle(), &mut message, &mut key, &mut about, limit)
        };
    }
}

/// The processes of the job that this process leads; `None` if there is no such job.
pub(super) fn members_of_leader(leader: u32) -> Option<Vec<u32>> {
    // SAFETY: the name ends with 0; what is returned is ours.
    let job = unsafe { owned(OpenJobObjectW(QUERY, 0, wide(&name(leader)).as_ptr())) }.ok()?;
    members(&job).ok()
}

fn name(leader: u32) -> String {
    format!("Local\\dev-tree-{leader}")
}

/// A new job; an empty name for none.
fn create(name: &str) -> io::Result<OwnedHandle> {
    let name = (!name.is_empty()).then(|| wide(name));
    // SAFETY: the name, if any, ends with 0; what is returned is ours, and no child inherits it.
    let job = unsafe {
        owned(CreateJobObjectW(ptr::null(), name.as_ref().map_or(ptr::null(), |name| name.as_ptr())))?
    };
    // Somebody else's job of that name: a leftover handle of a leader whose pid came round, or a squatter.
    if io::Error::last_os_error().raw_os_error() == Some(ERROR_ALREADY_EXISTS.cast_signed()) && name.is_some()
    {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    Ok(job)
}

fn members(job: &OwnedHandle) -> io::Result<Vec<u32>> {
    // Two counts of 32 bits, then the ids, each as wide as a pointer.
    let mut room = 64;
    loop {
        let mut list = vec![0_usize; 8 / size_of::<usize>() as usize + room];
        let bytes = u32::try_from(size_of_val(&list[..])).unwrap_or(u32::MAX);
        // SAFETY: the handle is open, the buffer is of that length and aligned as the structure is.
        let asked = unsafe {
            done(QueryInformationJobObject(
                job.as_raw_handle(),
                JobObjectBasicProcessIdList,
                list.as_mut_ptr().cast(),
                bytes,
                ptr::null_mut(),
            ))
        };
        // SAFETY: the buffer begins with the two counts, and every bit pattern is one.
        let [assigned, listed] = unsafe { list.as_ptr().cast::<[u32; 2]>().read() };
        match asked {
            Ok(()) if listed >= assigned => {
                let ids = list[8 / size_of::<usize>() as usize..].iter().take(listed as usize);
                return Ok(ids.filter_map(|id| u32::try_from(*id).ok()).collect());
            }
            Err(error) if assigned == 0 => return Err(error),
            _ => room = (assigned as usize + 16).max(room * 2),
        }
    }
}

/// Lets the threads of a process run that was started suspended. The system tells the thread's handle to whoever
/// starts a process, and the standard library keeps it to itself, so the thread is looked up.
fn resume(pid: u32) -> io::Result<()> {
    // SAFETY: makes a snapshot of its own; what is returned is ours.
    let snapshot = unsafe { owned(CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0))? };
    let mut entry = THREADENTRY32 { dwSize: size_of::<THREADENTRY32>(), ..Default::default() };
    // SAFETY: the snapshot is open and the entry carries its own length.
    let mut more = unsafe { Thread32First(snapshot.as_raw_handle(), &mut entry) };
    let mut resumed = false;
    while more != 0 {
        if entry.th32OwnerProcessID == pid {
            // SAFETY: what is returned is ours; a suspended process can't end its threads.
            let thread = unsafe { owned(OpenThread(THREAD_SUSPEND_RESUME, 0, entry.th32ThreadID))? };
            // SAFETY: the handle is open.
            resumed |= unsafe { ResumeThread(thread.as_raw_handle()) } != u32::MAX;
        }
        // SAFETY: as above.
        more = unsafe { Thread32Next(snapshot.as_raw_handle(), &mut entry) };
    }
    if resumed { Ok(()) } else { Err(io::Error::other("the command's thread was not found")) }
}
