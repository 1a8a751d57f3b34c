//! What tests above `sys` need of a platform. Nothing here is in the program.

use std::path::Path;

/// The access mode of a file, where files have one.
pub(crate) fn mode(path: &Path) -> Option<u32> {
    #[cfg(unix)]
    return Some(std::os::unix::fs::MetadataExt::mode(&path.metadata().unwrap()) & 0o777);
    #[cfg(windows)]
    return path.to_str().and(None); // whatever the path, and a pipe has none
}

/// Sets the access mode; false where there is none.
pub(crate) fn set_mode(path: &Path, mode: u32) -> bool {
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    #[cfg(windows)]
    assert!(path.exists(), "no mode {mode:o}");
    cfg!(unix)
}

/// Makes a symbolic link to a file.
pub(crate) fn symlink(target: impl AsRef<Path>, link: impl AsRef<Path>) {
    #[cfg(unix)]
    std::os::unix::fs::symlink(target, link).unwrap();
    #[cfg(windows)]
    std::os::windows::fs::symlink_file(target, link).unwrap();
}

/// A word that is not UTF-8.
#[cfg(unix)]
pub(crate) fn not_utf8() -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(vec![b'a', 0xff])
}

/// A word that is not UTF-16, so not UTF-8 either.
#[cfg(windows)]
pub(crate) fn not_utf8() -> std::ffi::OsString {
    std::os::windows::ffi::OsStringExt::from_wide(&[0x61, 0xd800])
}
