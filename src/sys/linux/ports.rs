//! What Linux says about ports. Nothing here opens a socket.

use std::fs;
use std::io;

use socket2::Socket;

/// Whether a command can bind over a socket that is bound and never listens.
pub(crate) const CAN_RESERVE: bool = true;

/// Sets what has to be set before a reservation is bound.
pub(crate) fn before_bind(socket: &Socket, reuse: bool) -> io::Result<()> {
    socket.set_reuse_address(reuse)
}

/// Never: a single bind finds every listener here, whatever address it is on.
pub(crate) fn is_listened_on(_port: u16) -> bool {
    false
}

/// The texts of `ip_local_port_range` and `ip_local_reserved_ports`; empty where they can't be read.
pub(crate) fn reserved_ports() -> (String, String) {
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).unwrap_or_default();
    (read("ip_local_port_range"), read("ip_local_reserved_ports"))
}

/// Whether the port has nothing but connections on their way out (TIME_WAIT and the states before it), and has
/// such.
pub(crate) fn has_only_closed_connections(port: u16) -> bool {
    let read = |name: &str| fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default();
    only_closed(&(read("tcp") + &read("tcp6")), port)
}

/// How many sockets are bound to this port and neither listen nor are connected, as far as the kernel tells.
pub(crate) fn bound_only(port: u16) -> usize {
    super::tcp_table::bound_only(port)
}

fn only_closed(table: &str, port: u16) -> bool {
    // FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE, LAST_ACK, CLOSING.
    const CLOSED: [&str; 6] = ["04", "05", "06", "07", "09", "0B"];
    let suffix = format!(":{port:04X}");
    let mut states = table.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        fields.next()?.ends_with(&suffix).then(|| fields.nth(1))?
    });
    states.clone().next().is_some() && states.all(|state| CLOSED.contains(&state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_or_a_living_connection_is_not_closed() {
        let line =
            |local: &str, state: &str| format!(" 0: 0100007F:{local} 0100007F:0F28 {state} 00:0 0 0\n");
        let closing = line("0F28", "06");
        assert!(only_closed(&closing, 3880));
        assert!(only_closed(&(closing.clone() + &line("0F29", "0A")), 3880), "another port listens");
        assert!(!only_closed(&(closing.clone() + &line("0F28", "0A")), 3880));
        assert!(!only_closed(&(closing + &line("0F28", "01")), 3880));
        assert!(!only_closed("  sl  local_address rem_address   st\n", 3880));
    }
}
