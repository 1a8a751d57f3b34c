//! Asking a port whether anybody listens, without waiting and without saying a word.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

/// Whether somebody listens, on a loopback address. It takes some microseconds, does not wait, and is noticed by
/// the server at most as a connection that says nothing.
pub(crate) fn knock(at: SocketAddr) -> bool {
    let attempt = || -> io::Result<()> {
        let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.connect(&at.into())?;
        // A port in the ephemeral range may be chosen as our own end, and then connects to itself.
        match socket.local_addr()?.as_socket() {
            Some(own) if own == at => Err(io::ErrorKind::ConnectionRefused.into()),
            _ => Ok(()),
        }
    };
    match attempt() {
        Ok(()) => true,
        // On its way: a listener whose queue is full. Everything else says that nobody is there.
        Err(error) => {
            error.kind() == io::ErrorKind::WouldBlock
                || error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
        }
    }
}
