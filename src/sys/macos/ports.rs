//! What macOS says about ports.

use std::io;

use socket2::Socket;

/// Whether a command can bind over a socket that is bound and never listens: only with SO_REUSEPORT, which servers
/// don't set. A port is tried and let go.
pub(crate) const CAN_RESERVE: bool = false;

/// Sets what has to be set before a port is tried.
pub(crate) fn before_bind(socket: &Socket, reuse: bool) -> io::Result<()> {
    socket.set_reuse_address(reuse)
}

/// Whether somebody listens on some address, which a bind to another one does not find.
pub(crate) fn is_listened_on(port: u16) -> bool {
    !portpicker::is_free_tcp(port)
}

/// In the form in which Linux tells: the default range of outgoing connections, and nothing reserved.
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
