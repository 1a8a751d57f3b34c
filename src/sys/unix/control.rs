//! The control socket: a Unix socket in a private folder. Only this user, and root, gets through.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// The longest path that fits into a socket's address on every Unix (unix(7): 108 on Linux, 104 on macOS), with its
/// closing NUL.
const LONGEST_PATH: usize = 103;

/// Listens at a path.
#[derive(Debug)]
pub(crate) struct ControlListener(UnixListener);

/// One conversation.
pub(crate) type ControlStream = UnixStream;

impl ControlListener {
    /// Puts a socket there, in place of one that a dead process has left.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let address = Address::of(path)?;
        let listener = UnixListener::bind(&address.path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self(listener))
    }

    /// The next peer of this user. Cancel-safe.
    pub(crate) async fn accept(&mut self) -> io::Result<ControlStream> {
        let (stream, _) = self.0.accept().await?;
        let peer = stream.peer_cred()?.uid();
        let own = rustix::process::geteuid().as_raw();
        match peer == own || peer == 0 {
            true => Ok(stream),
            false => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }
}

/// Goes to the socket at this path.
pub(crate) async fn connect_control(path: &Path) -> io::Result<ControlStream> {
    let address = Address::of(path)?;
    UnixStream::connect(&address.path).await
}

/// A path that is short enough, and what it stands on.
struct Address {
    path: PathBuf,
    _folder: Option<std::fs::File>,
}

impl Address {
    fn of(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() <= LONGEST_PATH {
            return Ok(Self { path: path.to_path_buf(), _folder: None });
        }
        let short = path.parent().zip(path.file_name()).filter(|_| cfg!(target_os = "linux"));
        let (folder, name) =
            short.ok_or_else(|| io::Error::other("the path of the state folder is too long"))?;
        // proc_pid_fd(5): a name for the open folder, however long its own is.
        let folder = std::fs::File::open(folder)?;
        let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
        Ok(Self { path, _folder: Some(folder) })
    }
}
