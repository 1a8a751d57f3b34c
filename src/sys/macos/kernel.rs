//! What the kernel tells of processes: libproc and sysctl. Every call returns at once, and none signals.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::path::PathBuf;
use std::ptr;

use super::parse::{self, Arguments, Birth, SOCKET_BYTES};

/// PROC_PIDT_BSDINFOWITHUNIQID of xnu's proc_info_private.h: both of one process, read at one time.
const BSDINFO_WITH_ID: libc::c_int = 18;
/// PROC_PIDFDSOCKETINFO of <sys/proc_info.h>.
const SOCKET: libc::c_int = 3;

/// The most that a path takes.
pub(super) const EXECUTABLE_ROOM: usize = libc::PROC_PIDPATHINFO_MAXSIZE as usize;
/// The most that exec takes of arguments and environment; the kernel refuses a buffer that is too short for some
/// processes.
pub(super) const ARGUMENTS_ROOM: usize = 1 << 20;

/// `struct proc_bsdinfowithuniqid` of xnu.
#[repr(C)]
pub(super) struct About {
    pub(super) bsd: libc::proc_bsdinfo,
    uuid: [u8; 16],
    pub(super) id: u64,
    pub(super) parent_id: u64,
    version: i32,
    parent_version: i32,
    reserved: [u64; 2],
}

const _: () = assert!(size_of::<About>() == 136 + 56);

/// What is known of the process that has this pid now; `None` also for a zombie.
pub(super) fn about(pid: u32) -> Option<About> {
    // SAFETY: the structure is plain integers, for which any bytes are a value.
    unsafe { pid_info(pid, BSDINFO_WITH_ID, 0) }
}

/// Every process in sight by its unique id, as far as there is room. Allocates nothing.
pub(super) fn births_into(pids: &mut [i32], births: &mut Vec<Birth>) {
    births.clear();
    let count = list(pids).min(births.capacity());
    births.extend(pids[..count].iter().filter_map(|pid| birth(u32::try_from(*pid).ok()?)));
}

pub(super) fn birth(pid: u32) -> Option<Birth> {
    about(pid).map(|about| Birth { pid, id: about.id, parent: about.parent_id })
}

/// Every pid in sight.
pub(super) fn pids() -> Vec<u32> {
    let mut pids = vec![0_i32; 1024];
    loop {
        let count = list(&mut pids);
        // A full buffer may have cut the list.
        if count < pids.len() {
            pids.truncate(count);
            return pids.into_iter().filter_map(|pid| u32::try_from(pid).ok()).collect();
        }
        pids.resize(pids.len() * 2, 0);
    }
}

fn list(pids: &mut [i32]) -> usize {
    let bytes = libc::c_int::try_from(size_of_val(pids)).unwrap_or(libc::c_int::MAX);
    // SAFETY: the buffer is as long as is said.
    let count = unsafe { libc::proc_listallpids(pids.as_mut_ptr().cast(), bytes) };
    usize::try_from(count).unwrap_or(0).min(pids.len())
}

/// The path of the executable.
pub(super) fn executable(pid: u32) -> Option<PathBuf> {
    executable_into(pid, &mut [0; EXECUTABLE_ROOM]).map(os_path)
}

/// The same without an allocation.
pub(super) fn executable_into(pid: u32, path: &mut [u8; EXECUTABLE_ROOM]) -> Option<&[u8]> {
    // SAFETY: the buffer is as long as is said.
    let length =
        unsafe { libc::proc_pidpath(pid.cast_signed(), path.as_mut_ptr().cast(), EXECUTABLE_ROOM as u32) };
    let length = usize::try_from(length).ok().filter(|length| *length > 0)?;
    path.get(..length)
}

/// The working folder.
pub(super) fn folder(pid: u32) -> Option<PathBuf> {
    // SAFETY: the structure is plain integers, for which any bytes are a value.
    let info: libc::proc_vnodepathinfo = unsafe { pid_info(pid, libc::PROC_PIDVNODEPATHINFO, 0)? };
    let path: Vec<u8> = info.pvi_cdir.vip_path.as_flattened().iter().map(|c| c.cast_unsigned()).collect();
    let path = CStr::from_bytes_until_nul(&path).ok()?.to_bytes();
    (!path.is_empty()).then(|| os_path(path))
}

/// The arguments and the environment; for processes of this user only, and not for the system's own.
pub(super) fn arguments(pid: u32) -> Option<Arguments> {
    parse::arguments(arguments_into(pid, &mut vec![0; ARGUMENTS_ROOM])?)
}

/// The same as the kernel tells it, without an allocation.
pub(super) fn arguments_into(pid: u32, answer: &mut [u8]) -> Option<&[u8]> {
    let mut name = [libc::CTL_KERN, libc::KERN_PROCARGS2, pid.cast_signed()];
    let mut length = answer.len();
    // SAFETY: name and buffer are as long as is said.
    let result = unsafe {
        libc::sysctl(
            name.as_mut_ptr(),
            name.len() as libc::c_uint,
            answer.as_mut_ptr().cast(),
            &mut length,
            ptr::null_mut(),
            0,
        )
    };
    answer.get(..length).filter(|_| result == 0)
}

/// A random name of this boot of the machine.
pub(super) fn boot_session() -> Option<String> {
    let mut answer = [0_u8; 64];
    let mut length = answer.len();
    // SAFETY: the name ends with 0 and the buffer is as long as is said.
    let result = unsafe {
        libc::sysctlbyname(
            c"kern.bootsessionuuid".as_ptr(),
            answer.as_mut_ptr().cast(),
            &mut length,
            ptr::null_mut(),
            0,
        )
    };
    let text = CStr::from_bytes_until_nul(&answer).ok()?.to_str().ok()?;
    (result == 0 && !text.is_empty()).then(|| text.to_owned())
}

/// The descriptors of the process that are sockets.
pub(super) fn sockets(pid: u32) -> io::Result<Vec<[u8; SOCKET_BYTES]>> {
    let mut fds = vec![libc::proc_fdinfo { proc_fd: 0, proc_fdtype: 0 }; 256];
    let count = loop {
        let bytes = libc::c_int::try_from(size_of_val(&fds[..])).unwrap_or(libc::c_int::MAX);
        // SAFETY: the buffer is as long as is said.
        let length = unsafe {
            libc::proc_pidinfo(pid.cast_signed(), libc::PROC_PIDLISTFDS, 0, fds.as_mut_ptr().cast(), bytes)
        };
        if length <= 0 {
            return Err(io::Error::last_os_error());
        }
        if length < bytes {
            break usize::try_from(length).unwrap_or(0) / size_of::<libc::proc_fdinfo>();
        }
        fds.resize(fds.len() * 2, libc::proc_fdinfo { proc_fd: 0, proc_fdtype: 0 });
    };
    let kind = libc::PROX_FDTYPE_SOCKET.cast_unsigned();
    let sockets = fds[..count].iter().filter(|fd| fd.proc_fdtype == kind);
    Ok(sockets.filter_map(|fd| socket(pid, fd.proc_fd)).collect())
}

fn socket(pid: u32, fd: i32) -> Option<[u8; SOCKET_BYTES]> {
    let mut answer = [0_u8; SOCKET_BYTES];
    // SAFETY: the buffer is as long as is said.
    let length = unsafe {
        libc::proc_pidfdinfo(
            pid.cast_signed(),
            fd,
            SOCKET,
            answer.as_mut_ptr().cast(),
            SOCKET_BYTES as libc::c_int,
        )
    };
    (length == SOCKET_BYTES as libc::c_int).then_some(answer)
}

/// # Safety
/// `T` must be the structure of this flavour, for which any bytes are a value.
unsafe fn pid_info<T>(pid: u32, flavour: libc::c_int, argument: u64) -> Option<T> {
    let mut info = MaybeUninit::<T>::zeroed();
    let size = libc::c_int::try_from(size_of::<T>()).ok()?;
    // SAFETY: the buffer is as long as is said; it is taken only when all of it was written.
    unsafe {
        let pid = i32::try_from(pid).ok()?;
        (libc::proc_pidinfo(pid, flavour, argument, info.as_mut_ptr().cast(), size) == size)
            .then(|| info.assume_init())
    }
}

fn os_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes))
}
