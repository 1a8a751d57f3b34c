//! Files that are this user's alone. Nothing here follows a symbolic link, waits for the other end of a pipe, or
//! leaks a descriptor into the command.
#![allow(unsafe_code)]

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub(crate) use crate::sys::types::Access;

/// Where this platform keeps the state of programs, for devrun.
pub(crate) fn state_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let own = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/state" };
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(own)))?;
    Some(state.join("devrun"))
}

/// Makes the folder and those above it, for this user only; those that exist stay as they are.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Why nothing private may be kept in this folder, if so.
pub(crate) fn folder_objection(path: &Path) -> io::Result<Option<String>> {
    let metadata = fs::symlink_metadata(path)?;
    let me = rustix::process::geteuid().as_raw();
    Ok(if metadata.is_symlink() {
        Some("it is a symbolic link".into())
    } else if !metadata.is_dir() {
        Some("it is no folder".into())
    } else if metadata.uid() != me {
        Some(format!("it belongs to user {}, and this is user {me}", metadata.uid()))
    } else if metadata.mode() & 0o022 != 0 {
        Some(format!("others can write to it (mode {:04o})", metadata.mode() & 0o7777))
    } else {
        None
    })
}

/// Who has put this where it is found from `project`, if that is neither this user, nor root, nor who owns the
/// project: the owner of the entry, be it a link, or of its folder. In a container all of a project often belongs to
/// a user of the outside.
pub(crate) fn stranger(path: &Path, project: &Path) -> Option<String> {
    let uid = |about: fs::Metadata| about.uid();
    let entry = fs::symlink_metadata(path).ok()?;
    let mut known = vec![0, rustix::process::geteuid().as_raw()];
    known.extend(fs::metadata(project).map(uid));
    let folder = path.parent().and_then(|folder| fs::metadata(folder).ok());
    let mut owners = folder.into_iter().chain([entry]).map(uid);
    let stranger = owners.find(|owner| !known.contains(owner))?;
    Some(crate::sys::user_name(stranger).unwrap_or_else(|| format!("user {stranger}")))
}

/// The number of the disk (rather: file system) that this is on, while it is there.
pub(crate) fn device(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|metadata| metadata.dev())
}

/// Opens a regular file and nothing else: a link, a pipe or a folder in its place is an error at once.
pub(crate) fn open_regular(path: &Path, access: Access) -> io::Result<File> {
    let write = access == Access::Write;
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .write(write)
        .create(write)
        .mode(0o600)
        .custom_flags(flags)
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "it is no regular file")),
    }
}

/// Has the system put what was written on the disk before the rename that follows, as soon as it can; waits for
/// neither. Without it some file systems come back from a loss of power with the new name on an empty file. A
/// system that can't leaves it at that.
pub(crate) fn before_rename(file: &File) -> io::Result<()> {
    let fd = std::os::fd::AsRawFd::as_raw_fd(file);
    // SAFETY: the descriptor is open, and no memory is handed over.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::sync_file_range(fd, 0, 0, libc::SYNC_FILE_RANGE_WRITE);
    }
    // SAFETY: likewise.
    #[cfg(target_os = "macos")]
    unsafe {
        libc::fcntl(fd, libc::F_BARRIERFSYNC);
    }
    Ok(())
}

/// Whether both are the same file, by whatever name.
pub(crate) fn same(one: &File, other: &File) -> bool {
    let identity = |file: &File| file.metadata().map(|about| (about.dev(), about.ino())).ok();
    identity(one).is_some_and(|found| identity(other) == Some(found))
}

/// The text of an argument or path from its bytes, which need not be UTF-8 here.
pub(crate) fn os_string(bytes: Vec<u8>) -> OsString {
    OsString::from_vec(bytes)
}
