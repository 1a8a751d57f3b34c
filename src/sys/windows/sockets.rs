//! Who listens on which port: the system's table of TCP sockets, which names the owner of each.
#![allow(unsafe_code)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, NO_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GetExtendedTcpTable, MIB_TCP6ROW_OWNER_PID, MIB_TCPROW_OWNER_PID, TCP_TABLE_OWNER_PID_LISTENER,
};
use windows_sys::Win32::Networking::WinSock::{AF_INET, AF_INET6};

use super::process;
use crate::sys::types::Listener;

/// Every listening TCP socket.
pub(crate) fn listeners() -> io::Result<Vec<Listener>> {
    Ok(table()?.into_iter().map(|(_, listener)| listener).collect())
}

/// The listening sockets of these processes, each with its owner.
pub(crate) fn listeners_of(pids: &[u32], _given: u16) -> io::Result<Vec<(u32, Listener)>> {
    Ok(table()?.into_iter().filter(|(pid, _)| pids.contains(pid)).collect())
}

/// The processes that listen on this port.
pub(crate) fn holders(port: u16) -> Vec<u32> {
    let mut pids: Vec<u32> = table()
        .unwrap_or_default()
        .into_iter()
        .filter(|(_, listener)| listener.port == port)
        .map(|(pid, _)| pid)
        .collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// The name of a process.
pub(crate) fn process_name(pid: u32) -> Option<String> {
    process::info(pid).map(|info| info.comm)
}

/// Whether somebody listens on a loopback address: the table tells. A connection would take two seconds to be
/// refused.
pub(crate) fn knock(at: SocketAddr) -> bool {
    let reaches = |ip: IpAddr| ip == at.ip() || ip.is_unspecified() && (ip.is_ipv6() || at.is_ipv4());
    listeners().is_ok_and(|all| all.iter().any(|l| l.port == at.port() && reaches(l.ip)))
}

/// From which ports the system serves those who ask for any: its default, which `netsh` can change.
pub(crate) fn ephemeral_ports() -> RangeInclusive<u16> {
    49152..=65535
}

fn table() -> io::Result<Vec<(u32, Listener)>> {
    let four = rows::<MIB_TCPROW_OWNER_PID>(AF_INET)?;
    let mut found: Vec<(u32, Listener)> = four
        .into_iter()
        .map(|row| (row.dwOwningPid, listener(v4(row.dwLocalAddr), row.dwLocalPort)))
        .collect();
    // IPv6 may be switched off.
    for row in rows::<MIB_TCP6ROW_OWNER_PID>(AF_INET6).unwrap_or_default() {
        found.push((row.dwOwningPid, listener(Ipv6Addr::from(row.ucLocalAddr).into(), row.dwLocalPort)));
    }
    Ok(found)
}

/// Addresses are in network order as they lie in memory.
fn v4(address: u32) -> IpAddr {
    Ipv4Addr::from(address.to_ne_bytes()).into()
}

/// A port is in network order in the lower half; the upper one can hold anything.
fn listener(ip: IpAddr, port: u32) -> Listener {
    let [high, low, ..] = port.to_le_bytes();
    Listener { ip, port: u16::from_be_bytes([high, low]), inode: 0, uid: 0 }
}

/// The rows of the table of this address family; `Row` is what the system has for it.
fn rows<Row: Copy>(family: u16) -> io::Result<Vec<Row>> {
    let mut bytes: u32 = 4096;
    loop {
        let mut buffer = vec![0_u32; bytes.div_ceil(4) as usize];
        // SAFETY: the buffer is at least as long as is said, and aligned as the table is.
        let result = unsafe {
            GetExtendedTcpTable(
                buffer.as_mut_ptr().cast(),
                &mut bytes,
                0,
                family.into(),
                TCP_TABLE_OWNER_PID_LISTENER,
                0,
            )
        };
        match result {
            NO_ERROR => {
                let room = (buffer.len() - 1) * 4 / size_of::<Row>();
                let count = (buffer[0] as usize).min(room);
                // SAFETY: the table is a count of 32 bits and that many rows, all within the buffer; a row is
                // made of integers, and is not aligned to more than 32 bits.
                return Ok((0..count)
                    .map(|at| unsafe { ptr::read_unaligned(buffer.as_ptr().add(1).cast::<Row>().add(at)) })
                    .collect());
            }
            ERROR_INSUFFICIENT_BUFFER => bytes += 4096,
            error => return Err(io::Error::from_raw_os_error(error.cast_signed())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listener_and_its_owner_are_found() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        // Wine does not know the owner and says 0.
        let owner = holders(port);
        assert!(owner == [std::process::id()] || owner == [0], "{owner:?}");
        let listening = listeners_of(&owner, 1).unwrap();
        assert!(listening.iter().any(|(_, l)| l.port == port && l.ip.is_loopback()), "{listening:?}");
        assert!(knock(SocketAddr::from(([127, 0, 0, 1], port))));
        drop(server);
        assert!(!listeners().unwrap().iter().any(|l| l.port == port));
    }
}
