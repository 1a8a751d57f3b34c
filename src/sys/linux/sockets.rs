//! Who listens on which port: the kernel's table of TCP sockets joined with the descriptors of processes.
//! Only the network namespace of this process is read: what listens in another one can't be reached from here,
//! and its sockets never appear as somebody's. Sockets that are bound and do not listen are not in the table.

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;

use crate::sys::types::Listener;

/// Every listening TCP socket of this network namespace. A missing IPv6 table (IPv6 switched off) is no error.
pub(crate) fn listeners() -> io::Result<Vec<Listener>> {
    let mut found = Vec::new();
    read_table("/proc/self/net/tcp", &mut found)?;
    match read_table("/proc/self/net/tcp6", &mut found) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(found),
    }
}

/// The inodes of the sockets that a process has open; an error if its descriptors can't be read.
pub(crate) fn socket_inodes(pid: u32) -> io::Result<Vec<u64>> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))?;
    let inode = |entry: io::Result<fs::DirEntry>| {
        let link = fs::read_link(entry.ok()?.path()).ok()?;
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    Ok(descriptors.filter_map(inode).collect())
}

/// The listening sockets that these processes have open, each with the first of them that has it.
///
/// The descriptors of a process that went over to another user can't be read; a socket of that user which nobody
/// else among the processes holds is taken for its own.
pub(crate) fn listeners_of(pids: &[u32]) -> io::Result<Vec<(u32, Listener)>> {
    let mut open = listeners()?;
    let mut found = Vec::new();
    let mut unreadable = Vec::new();
    for &pid in pids {
        if open.is_empty() {
            break;
        }
        match socket_inodes(pid) {
            Ok(inodes) => take(&mut open, &mut found, pid, |listener| inodes.contains(&listener.inode)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => unreadable.push(pid),
            Err(_) => {} // it ended meanwhile
        }
    }
    for pid in unreadable {
        if let Ok(owner) = fs::metadata(format!("/proc/{pid}")).map(|about| about.uid())
            && owner != rustix::process::geteuid().as_raw()
        {
            take(&mut open, &mut found, pid, |listener| listener.uid == owner);
        }
    }
    Ok(found)
}

/// Moves what matches from the unowned sockets to those owned by this process.
fn take(
    open: &mut Vec<Listener>,
    found: &mut Vec<(u32, Listener)>,
    pid: u32,
    matches: impl Fn(&Listener) -> bool,
) {
    found.extend(open.extract_if(.., |listener| matches(listener)).map(|listener| (pid, listener)));
}

/// The processes that listen on this port, as far as their descriptors can be read.
pub(crate) fn holders(port: u16) -> Vec<u32> {
    let inodes: Vec<u64> =
        listeners().unwrap_or_default().iter().filter(|l| l.port == port).map(|l| l.inode).collect();
    if inodes.is_empty() {
        return Vec::new();
    }
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|&pid| socket_inodes(pid).is_ok_and(|open| open.iter().any(|inode| inodes.contains(inode))))
        .collect()
}

/// The name of a process, as the kernel has it.
pub(crate) fn process_name(pid: u32) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(name.trim_ascii_end()).into_owned())
}

/// From which ports the kernel serves those who ask for any.
pub(crate) fn ephemeral_ports() -> RangeInclusive<u16> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut bounds = text.split_whitespace().map(str::parse);
    match (bounds.next(), bounds.next()) {
        (Some(Ok(first)), Some(Ok(last))) => first..=last,
        _ => 32768..=60999,
    }
}

/// Bytes without a single listening row after which the rest of a table is left unread: Linux writes the
/// listening sockets first, and there may be thousands of others.
const LISTENERS_END: usize = 16 * 1024;

fn read_table(path: &str, found: &mut Vec<Listener>) -> io::Result<()> {
    read_rows(File::open(path)?, found)
}

fn read_rows(mut table: impl Read, found: &mut Vec<Listener>) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let (mut kept, mut without) = (0, 0);
    while without < LISTENERS_END {
        let got = match table.read(&mut buffer[kept..]) {
            Ok(0) => break,
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let filled = kept + got;
        let before = found.len();
        let whole = buffer[..filled].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        found.extend(buffer[..whole].split(|&byte| byte == b'\n').filter_map(parse_row));
        without = if found.len() > before { 0 } else { without + got };
        buffer.copy_within(whole..filled, 0);
        kept = filled - whole;
        if kept == buffer.len() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a row of the socket table has no end"));
        }
    }
    Ok(())
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
    use std::net::TcpListener;

    use super::*;

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

    #[test]
    fn a_listener_of_this_process_is_found_and_belongs_to_it() {
        for address in ["127.0.0.1:0", "[::1]:0", "[::]:0", "0.0.0.0:0"] {
            let server = TcpListener::bind(address).unwrap();
            let bound = server.local_addr().unwrap();
            let me = std::process::id();
            let mine = listeners_of(&[me]).unwrap();
            assert!(
                mine.iter().any(|(pid, l)| *pid == me && l.ip == bound.ip() && l.port == bound.port()),
                "{bound} in {mine:?}"
            );
            assert_eq!(holders(bound.port()), [me]);
            drop(server);
            assert!(holders(bound.port()).is_empty());
        }
    }

    #[test]
    fn a_knock_is_heard_by_a_listener_only_even_by_a_busy_one() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let server = TcpListener::bind(address).unwrap();
            let at = server.local_addr().unwrap();
            for _ in 0..500 {
                assert!(knock(at)); // nobody accepts: the queue is full soon
            }
            drop(server);
            for _ in 0..500 {
                assert!(!knock(at));
            }
        }
    }

    #[test]
    fn a_listener_is_found_among_thousands_of_connections() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = server.local_addr().unwrap();
        let pairs: Vec<_> =
            (0..300).map(|_| (std::net::TcpStream::connect(at).unwrap(), server.accept().unwrap())).collect();
        let late = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = late.local_addr().unwrap().port();
        assert!(listeners().unwrap().iter().any(|listener| listener.port == port));
        drop(pairs);
    }
}
