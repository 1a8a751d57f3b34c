//! Files that are this user's alone, by where they are: what is below the user's profile inherits its access
//! rights, so there are no modes to set or to check. Nothing here follows a symbolic link.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};

use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_FLAG_OPEN_REPARSE_POINT, GetFileInformationByHandle,
};

pub(crate) use crate::sys::types::Access;

/// Where this platform keeps the state of programs, for devrun.
pub(crate) fn state_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let local = variable("LOCALAPPDATA").map(PathBuf::from).filter(|path| path.is_absolute())?;
    Some(local.join("devrun"))
}

/// Makes the folder and those above it.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Why nothing private may be kept in this folder, if so. Owners and access lists are not looked at: a folder
/// that the user named outside the profile is as private as the user made it.
pub(crate) fn folder_objection(path: &Path) -> io::Result<Option<String>> {
    let metadata = fs::symlink_metadata(path)?;
    Ok(if metadata.is_symlink() {
        Some("it is a symbolic link".into())
    } else if !metadata.is_dir() {
        Some("it is no folder".into())
    } else {
        None
    })
}

/// Who has put this where it is found, if that is somebody else. Owners are not looked at.
pub(crate) fn stranger(_: &Path, _: &Path) -> Option<String> {
    None
}

/// The number of the disk that this is on, while it is there. Always the same: a path begins with the name of its
/// disk, so whatever is found above a path is on that disk.
pub(crate) fn device(path: &Path) -> Option<u64> {
    path.exists().then_some(0)
}

/// Opens a regular file and nothing else: a link or a folder in its place is an error.
pub(crate) fn open_regular(path: &Path, access: Access) -> io::Result<File> {
    let write = access == Access::Write;
    let mut options = OpenOptions::new();
    options.read(true).write(write).create(write).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    regular(options.open(path)?)
}

/// The file, if it is no link: the flag above opens a link itself instead of following it.
pub(super) fn regular(file: File) -> io::Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "it is no regular file")),
    }
}

/// Waits until what was written is on the disk: there is no way here to ask only for the order.
pub(crate) fn before_rename(file: &File) -> io::Result<()> {
    file.sync_all()
}

/// Whether both are the same file, by whatever name.
#[allow(unsafe_code)]
pub(crate) fn same(one: &File, other: &File) -> bool {
    let identity = |file: &File| {
        let mut about = BY_HANDLE_FILE_INFORMATION::default();
        // SAFETY: the handle is open for as long as `file` is borrowed, and the result lives here.
        let told = unsafe { GetFileInformationByHandle(file.as_raw_handle(), &mut about) };
        (told != 0).then_some((about.dwVolumeSerialNumber, about.nFileIndexHigh, about.nFileIndexLow))
    };
    identity(one).is_some_and(|found| identity(other) == Some(found))
}

/// The text of an argument or path from its bytes. What is no UTF-8 (half a surrogate pair) is replaced.
pub(crate) fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}
