//! What Windows says about ports. Its rules differ: without SO_EXCLUSIVEADDRUSE a second socket may take a port on
//! another address, and SO_REUSEADDR takes one away from its owner, so that is never set here. What is reserved by
//! the system (Hyper-V takes whole blocks) is refused with WSAEACCES, which means the next port.
#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::AsRawSocket;

use socket2::Socket;
use windows_sys::Win32::Networking::WinSock::{SO_EXCLUSIVEADDRUSE, SOCKET_ERROR, SOL_SOCKET, setsockopt};

use super::sockets;

/// Whether a command can bind over a socket that is bound and never listens. A port is tried and let go.
pub(crate) const CAN_RESERVE: bool = false;

/// Sets what has to be set before a port is tried.
pub(crate) fn before_bind(socket: &Socket, _reuse: bool) -> io::Result<()> {
    let on = 1_i32.to_ne_bytes();
    // SAFETY: the socket is open and the value is as long as is said.
    let set = unsafe {
        setsockopt(
            socket.as_raw_socket().try_into().map_err(io::Error::other)?,
            SOL_SOCKET,
            SO_EXCLUSIVEADDRUSE,
            on.as_ptr(),
            4,
        )
    };
    if set == SOCKET_ERROR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether somebody listens on some address, which a bind to another one does not find.
pub(crate) fn is_listened_on(port: u16) -> bool {
    !portpicker::is_free_tcp(port) || !sockets::holders(port).is_empty()
}

/// In the form in which Linux tells: the default range of outgoing connections. What is reserved is found by
/// trying.
pub(crate) fn reserved_ports() -> (String, String) {
    ("49152 65535".into(), String::new())
}

/// Not asked: without a reservation there is nothing to bind over closed connections.
pub(crate) fn has_only_closed_connections(_port: u16) -> bool {
    false
}

/// Not told here, nor asked for where no port is held by such a socket.
pub(crate) fn bound_only(_port: u16) -> usize {
    0
}
