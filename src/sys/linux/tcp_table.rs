//! The kernel's table of listening TCP sockets: asked over netlink, which walks the listening ones only (0.07 ms),
//! else read from /proc, where the kernel walks the table of all connections too (10 ms, however few there are).

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

use crate::sys::types::Listener;

/// Every listening TCP socket of this network namespace. A missing IPv6 (switched off) is no error.
pub(crate) fn listeners() -> io::Result<Vec<Listener>> {
    from_netlink(TCP_LISTEN).or_else(|_| from_proc())
}

/// How many sockets are bound to this port and neither listen nor are connected. 0 where the kernel does not tell
/// of such (before 6.8).
pub(crate) fn bound_only(port: u16) -> usize {
    let bound = from_netlink(TCP_BOUND_INACTIVE).unwrap_or_default();
    bound.iter().filter(|socket| socket.port == port).count()
}

fn from_netlink(state: u32) -> io::Result<Vec<Listener>> {
    let socket =
        socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
    let mut found = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    for family in [libc::AF_INET, libc::AF_INET6] {
        send(&socket, &request(family as u8, state), SendFlags::empty())?;
        let mut answered = Dump::More;
        while answered == Dump::More {
            let (got, _) = recv(&socket, buffer.as_mut_slice(), RecvFlags::empty())?;
            answered = read_messages(&buffer[..got], &mut found);
        }
        if answered == Dump::Failed && family == libc::AF_INET {
            return Err(io::ErrorKind::Unsupported.into());
        }
    }
    Ok(found)
}

/// `struct nlmsghdr`, then `struct inet_diag_req_v2` that asks for all sockets in this state.
fn request(family: u8, state: u32) -> [u8; 72] {
    let mut message = [0; 72];
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    message[0..4].copy_from_slice(&72_u32.to_ne_bytes());
    message[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message[6..8].copy_from_slice(&flags.to_ne_bytes());
    message[16] = family;
    message[17] = libc::IPPROTO_TCP as u8;
    message[20..24].copy_from_slice(&(1_u32 << state).to_ne_bytes());
    message
}

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const TCP_LISTEN: u32 = 10;
/// TCP_BOUND_INACTIVE of the kernel's `include/net/tcp_states.h`, for questions only: answers say TCP_CLOSE.
const TCP_BOUND_INACTIVE: u32 = 13;
const HEADER_BYTES: usize = 16;

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dump {
    More,
    Done,
    Failed,
}

pub(super) fn read_messages(mut bytes: &[u8], found: &mut Vec<Listener>) -> Dump {
    while let (Some(length), Some(kind)) = (u32_at(bytes, 0), bytes.get(4..6)) {
        let Some(body) = bytes.get(HEADER_BYTES..length as usize) else {
            return Dump::Failed;
        };
        match i32::from(u16::from_ne_bytes([kind[0], kind[1]])) {
            libc::NLMSG_DONE => return Dump::Done,
            libc::NLMSG_ERROR => return Dump::Failed,
            _ => found.extend(parse_message(body)),
        }
        bytes = bytes.get((length as usize).next_multiple_of(4)..).unwrap_or_default();
    }
    Dump::More
}

/// `struct inet_diag_msg`: family, ..., at 4 the port and at 8 the address (both in network order), at 64 the
/// user, at 68 the inode.
fn parse_message(body: &[u8]) -> Option<Listener> {
    let ip = match i32::from(*body.first()?) {
        libc::AF_INET => IpAddr::from(<[u8; 4]>::try_from(body.get(8..12)?).ok()?),
        libc::AF_INET6 => IpAddr::from(<[u8; 16]>::try_from(body.get(8..24)?).ok()?),
        _ => return None,
    };
    let port = u16::from_be_bytes(body.get(4..6)?.try_into().ok()?);
    Some(Listener { ip, port, uid: u32_at(body, 64)?, inode: u32_at(body, 68)?.into() })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn from_proc() -> io::Result<Vec<Listener>> {
    let mut found = Vec::new();
    read_table("/proc/self/net/tcp", &mut found)?;
    match read_table("/proc/self/net/tcp6", &mut found) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(found),
    }
}

fn read_table(path: &str, found: &mut Vec<Listener>) -> io::Result<()> {
    read_rows(File::open(path)?, found)
}

pub(super) fn read_rows(mut table: impl Read, found: &mut Vec<Listener>) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut kept = 0;
    loop {
        let got = match table.read(&mut buffer[kept..]) {
            Ok(0) => return Ok(()),
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let filled = kept + got;
        let whole = buffer[..filled].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        found.extend(buffer[..whole].split(|&byte| byte == b'\n').filter_map(parse_row));
        buffer.copy_within(whole..filled, 0);
        kept = filled - whole;
        if kept == buffer.len() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a row of the socket table has no end"));
        }
    }
}

/// One row, if it is a listening socket: `0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 UID 0 INODE ...`.
fn parse_row(row: &[u8]) -> Option<Listener> {
    const LISTEN: &str = "0A";
    let mut fields = std::str::from_utf8(row).ok()?.split_ascii_whitespace();
    let local = fields.nth(1)?;
    if fields.nth(1)? != LISTEN {
        return None;
    }
    let (ip, port) = local.split_once(':')?;
    let uid = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    Some(Listener { ip: parse_ip(ip)?, port: u16::from_str_radix(port, 16).ok()?, inode, uid })
}

/// The kernel prints an address as 32-bit words, each in the machine's byte order.
fn parse_ip(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let word = u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let bytes = std::array::from_fn(|at| words[at / 4][at % 4]);
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn netlink_and_proc_say_the_same() {
        let servers: Vec<_> = ["127.0.0.1:0", "[::1]:0", "[::]:0", "0.0.0.0:0"]
            .into_iter()
            .cycle()
            .take(400)
            .map(|address| std::net::TcpListener::bind(address).unwrap())
            .collect();
        let tables = [from_netlink(TCP_LISTEN).unwrap(), from_proc().unwrap()];
        for server in servers {
            let at = server.local_addr().unwrap();
            let rows = tables.each_ref().map(|table| {
                table.iter().find(|listener| (listener.ip, listener.port) == (at.ip(), at.port()))
            });
            assert!(rows[0].is_some() && rows[0] == rows[1], "{at}: {rows:?}");
        }
    }

    #[test]
    fn rows_of_the_kernel_are_read() {
        let row = |text: &str| parse_row(text.as_bytes()).map(|l| (l.ip.to_string(), l.port, l.uid, l.inode));
        let cases = [
            (
                "  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100",
                Some(("127.0.0.1".into(), 8080, 1000, 4711)),
            ),
            (
                "  1: 00000000000000000000000001000000:1435 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1",
                Some(("::1".into(), 5173, 0, 12)),
            ),
            (
                "  2: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1",
                None,
            ),
            ("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid", None),
            ("", None),
            ("  0: 0100007F:1F90 00000000:0000 0A", None),
        ];
        if cfg!(target_endian = "little") {
            for (text, expected) in cases {
                assert_eq!(row(text), expected, "{text}");
            }
        }
    }

    #[test]
    fn a_table_in_odd_pieces_is_read_whole() {
        let row = "  0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0  1000 0 4711 1 0 100\n";
        let text = row.repeat(5000);
        struct Pieces<'a>(&'a [u8]);
        impl Read for Pieces<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                let (now, later) = self.0.split_at(self.0.len().min(into.len()).min(997));
                into[..now.len()].copy_from_slice(now);
                self.0 = later;
                Ok(now.len())
            }
        }
        let mut found = Vec::new();
        read_rows(Pieces(text.as_bytes()), &mut found).unwrap();
        assert_eq!(found.len(), 5000);
    }

    proptest! {
        #![proptest_config(crate::testing::properties())]

        #[test]
        fn any_answer_and_any_table_come_to_an_end(
            bytes: Vec<u8>,
            length in 0_u32..200,
            kind: u16,
            text in "([0-9A-F: \n+é]|00000000:0000 |0A |0100007F:){0,40}",
        ) {
            let mut found = Vec::new();
            read_messages(&bytes, &mut found);
            let header = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], &bytes].concat();
            read_messages(&header, &mut found);
            read_messages(&header.repeat(3), &mut found);
            let _ = read_rows(bytes.as_slice(), &mut found);
            let _ = read_rows(text.as_bytes(), &mut found);
        }

        #[test]
        fn a_row_of_the_kernel_says_what_was_bound(ip: [u8; 4], port: u16, uid: u32, inode: u32) {
            let hex = format!("{:08X}", u32::from_ne_bytes(ip));
            let row = format!(" 7: {hex}:{port:04X} 00000000:0000 0A 0:0 00:0 0 {uid} 0 {inode} 1 0 100");
            let expected = Listener { ip: IpAddr::from(ip), port, uid, inode: inode.into() };
            prop_assert_eq!(parse_row(row.as_bytes()), Some(expected));
        }
    }
}
