//! Who listens on which port: the kernel's table of TCP sockets joined with the descriptors of processes.
//! Only the network namespace of this process is read: what listens in another one can't be reached from here,
//! and its sockets never appear as somebody's. Sockets that are bound and do not listen are not in the table.

use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;

use super::tcp_table::listeners;
use crate::sys::types::Listener;

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
/// The descriptors of a process that went over to another user can't be read, nor those of one that got capabilities
/// from its file (`setcap`, proc(5) on dumpable). A socket of its user on `given`, the port that the processes were
/// given, is taken for its own if nobody is seen to hold it; on any other port it may be anybody's.
pub(crate) fn listeners_of(pids: &[u32], given: u16) -> io::Result<Vec<(u32, Listener)>> {
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
    open.retain(|listener| listener.port == given);
    if !unreadable.is_empty() && !open.is_empty() && holders(given).is_empty() {
        for pid in unreadable {
            if let Ok(owner) = fs::metadata(format!("/proc/{pid}")).map(|about| about.uid()) {
                take(&mut open, &mut found, pid, |listener| listener.uid == owner);
            }
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_of_this_process_is_found_and_belongs_to_it() {
        for address in ["127.0.0.1:0", "[::1]:0", "[::]:0", "0.0.0.0:0"] {
            let server = TcpListener::bind(address).unwrap();
            let bound = server.local_addr().unwrap();
            let me = std::process::id();
            // By address: another test may have the same port on another one.
            let here = |l: &Listener| l.ip == bound.ip() && l.port == bound.port();
            let mine = listeners_of(&[me], 1).unwrap();
            assert!(mine.iter().any(|(pid, l)| *pid == me && here(l)), "{bound} in {mine:?}");
            assert!(holders(bound.port()).contains(&me));
            drop(server);
            crate::testing::eventually("closed in children of other tests too", || {
                !listeners().unwrap().iter().any(here)
            });
        }
        assert!(holders(1).is_empty(), "nobody");
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
