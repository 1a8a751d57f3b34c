//! The control socket: a named pipe. Only this user, and on this machine, gets through. Nothing here is left on disk:
//! a pipe is gone with the last process that has it open.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::os::windows::io::AsRawHandle;
use std::path::Path;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions};
use windows_sys::Win32::Foundation::ERROR_PIPE_BUSY;
use windows_sys::Win32::Security::{
    ACL, ACL_REVISION, AddAccessAllowedAce, GetTokenInformation, InitializeAcl, InitializeSecurityDescriptor,
    SECURITY_ATTRIBUTES, SECURITY_DESCRIPTOR, SetSecurityDescriptorDacl, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::FILE_ALL_ACCESS;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::handle::{done, owned, size_of};

/// SECURITY_DESCRIPTOR_REVISION, which the bindings keep elsewhere.
const REVISION: u32 = 1;

/// A pipe all of whose instances are taken is tried again so often: its front is about to make another.
const AGAIN: Duration = Duration::from_millis(2);

/// Listens for a path.
#[derive(Debug)]
pub(crate) struct ControlListener {
    name: String,
    /// The instance for the next peer. There is always one, or a peer would find nobody.
    next: NamedPipeServer,
}

/// One conversation.
#[derive(Debug)]
pub(crate) enum ControlStream {
    Front(NamedPipeServer),
    Asker(NamedPipeClient),
}

impl ControlListener {
    /// Makes the pipe; an error if it is there already, for then somebody has it open. Must be called in a runtime.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        let name = name(path)?;
        let next = instance(&name, true)?;
        Ok(Self { name, next })
    }

    /// The next peer. Cancel-safe.
    pub(crate) async fn accept(&mut self) -> io::Result<ControlStream> {
        if let Err(error) = self.next.connect().await {
            // It came and went, and its instance has to be told so.
            let _ = self.next.disconnect();
            return Err(error);
        }
        // If there can't be another instance, this peer waits for the next call.
        let next = instance(&self.name, false)?;
        Ok(ControlStream::Front(std::mem::replace(&mut self.next, next)))
    }
}

/// Goes to the pipe for this path.
///
/// Whoever has made a pipe of that name before the front could (it is no secret) learns who asks and what, and can't
/// act in the asker's name: tokio lets a server identify its client, not impersonate it.
pub(crate) async fn connect_control(path: &Path) -> io::Result<ControlStream> {
    let name = name(path)?;
    loop {
        match ClientOptions::new().open(&name) {
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY.cast_signed()) => {
                tokio::time::sleep(AGAIN).await;
            }
            opened => return opened.map(ControlStream::Asker),
        }
    }
}

/// The pipe's name: pipes have a folder of their own, and 256 letters, so it is a hash (FNV-1a) of the path.
fn name(path: &Path) -> io::Result<String> {
    // However the folder was spelled.
    let folder = path.parent().unwrap_or(path).canonicalize()?;
    let path = folder.join(path.file_name().unwrap_or_default());
    let hash = path.as_os_str().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Ok(format!(r"\\.\pipe\devrun-{hash:016x}"))
}

/// An instance of the pipe, open to this user alone. Without a list of its own everybody could read from it.
fn instance(name: &str, first: bool) -> io::Result<NamedPipeServer> {
    // A SID takes 68 bytes at most; both buffers are aligned as their structures are.
    let (mut user, mut list) = ([0_u64; 16], [0_u64; 16]);
    let mut descriptor = SECURITY_DESCRIPTOR::default();
    let mut attributes = SECURITY_ATTRIBUTES {
        nLength: size_of::<SECURITY_ATTRIBUTES>(),
        lpSecurityDescriptor: (&raw mut descriptor).cast(),
        bInheritHandle: 0,
    };
    let room = size_of::<[u64; 16]>();
    let list: *mut ACL = list.as_mut_ptr().cast();
    // SAFETY: every buffer is as long as is said and lives until the pipe is made, which copies what it needs; the
    // token is ours and open for the one call on it.
    unsafe {
        let mut token = ptr::null_mut();
        done(OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &mut token))?;
        let token = owned(token)?;
        let (token, mut length) = (token.as_raw_handle(), 0);
        done(GetTokenInformation(token, TokenUser, user.as_mut_ptr().cast(), room, &mut length))?;
        let sid = (*user.as_ptr().cast::<TOKEN_USER>()).User.Sid;
        done(InitializeAcl(list, room, ACL_REVISION))?;
        done(AddAccessAllowedAce(list, ACL_REVISION, FILE_ALL_ACCESS, sid))?;
        done(InitializeSecurityDescriptor((&raw mut descriptor).cast(), REVISION))?;
        done(SetSecurityDescriptorDacl((&raw mut descriptor).cast(), 1, list, 0))?;
        let attributes: *mut c_void = (&raw mut attributes).cast();
        let mut options = ServerOptions::new();
        options.first_pipe_instance(first).reject_remote_clients(true);
        options.create_with_security_attributes_raw(name, attributes)
    }
}

/// What both ends do alike.
macro_rules! either {
    ($stream:expr, $call:ident $(, $argument:expr)*) => {
        match $stream.get_mut() {
            ControlStream::Front(pipe) => Pin::new(pipe).$call($($argument),*),
            ControlStream::Asker(pipe) => Pin::new(pipe).$call($($argument),*),
        }
    };
}

impl AsyncRead for ControlStream {
    fn poll_read(self: Pin<&mut Self>, to: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_read, to, into)
    }
}

impl AsyncWrite for ControlStream {
    fn poll_write(self: Pin<&mut Self>, to: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, poll_write, to, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, to: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_flush, to)
    }

    fn poll_shutdown(self: Pin<&mut Self>, to: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_shutdown, to)
    }
}
