//! Who listens on which port: the sockets among the descriptors of processes. Those of other users can't be seen
//! without being root.

use std::io;
use std::ops::RangeInclusive;

use super::{kernel, parse, process};
use crate::sys::types::Listener;

/// Every listening TCP socket of the processes that this user may look at.
pub(crate) fn listeners() -> io::Result<Vec<Listener>> {
    let mut found: Vec<Listener> = kernel::pids().into_iter().flat_map(of_process).collect();
    found.sort_unstable_by_key(|listener| (listener.port, listener.ip));
    found.dedup();
    Ok(found)
}

/// The listening sockets that these processes have open, each with the first of them that has it.
pub(crate) fn listeners_of(pids: &[u32], _given: u16) -> io::Result<Vec<(u32, Listener)>> {
    let mut found: Vec<(u32, Listener)> = Vec::new();
    for &pid in pids {
        for listener in of_process(pid) {
            if !found.iter().any(|(_, other)| *other == listener) {
                found.push((pid, listener));
            }
        }
    }
    Ok(found)
}

/// The processes that listen on this port, as far as their descriptors can be read.
pub(crate) fn holders(port: u16) -> Vec<u32> {
    let mut pids = kernel::pids();
    pids.retain(|pid| of_process(*pid).iter().any(|listener| listener.port == port));
    pids
}

/// The name of a process.
pub(crate) fn process_name(pid: u32) -> Option<String> {
    process::info(pid).map(|info| info.comm)
}

/// From which ports the kernel serves those who ask for any: its default, which sysctl can change.
pub(crate) fn ephemeral_ports() -> RangeInclusive<u16> {
    49152..=65535
}

fn of_process(pid: u32) -> Vec<Listener> {
    let uid = kernel::about(pid).map_or(0, |about| about.bsd.pbi_uid);
    let sockets = kernel::sockets(pid).unwrap_or_default();
    sockets
        .iter()
        .filter_map(parse::listening)
        .map(|(ip, port)| Listener { ip, port, inode: 0, uid })
        .collect()
}
