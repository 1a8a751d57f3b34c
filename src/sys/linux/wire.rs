//! What front and guard say to each other: fixed-size packets over a socket pair. Both are of one program and
//! one start, so there is no version; nobody else ever reads these.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

/// The length of every packet.
const LENGTH: usize = 40;

/// From the guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// The command was executed.
    Started { leader: i32 },
    /// The command could not be executed.
    Failed { errno: i32, step: Step },
    /// The command exited with this status.
    Exited { code: i32 },
    /// The command died of this signal.
    Signalled { signal: i32 },
    /// The command was stopped by this signal.
    Stopped { signal: i32 },
    /// A process was not ended, and why.
    Left { pid: i32, spared: bool, name: [u8; 16] },
    /// /proc is hidden: only children get the stop signal.
    Blind,
    /// The kernel keeps no lists of children: members are found by a look at every process.
    Scans,
    /// Nobody is left but those named; so many had to be killed.
    Empty { killed: i32 },
}

/// Where starting the command failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Fork,
    Folder,
    Execute,
}

/// To the guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Send this signal to every member, then kill what is left after the grace period.
    Stop { signal: i32, grace_ms: i32, spare_foreground: bool },
    /// Kill every member now.
    Kill,
    /// Let the command's process group go on.
    Continue,
}

impl Report {
    pub(super) fn encode(self) -> [u8; LENGTH] {
        match self {
            Report::Started { leader } => packet(1, leader, 0, &[]),
            Report::Failed { errno, step } => packet(2, errno, step as i32, &[]),
            Report::Exited { code } => packet(3, code, 0, &[]),
            Report::Signalled { signal } => packet(4, signal, 0, &[]),
            Report::Stopped { signal } => packet(5, signal, 0, &[]),
            Report::Left { pid, spared, name } => packet(6, pid, spared.into(), &name),
            Report::Blind => packet(7, 0, 0, &[]),
            Report::Empty { killed } => packet(8, killed, 0, &[]),
            Report::Scans => packet(9, 0, 0, &[]),
        }
    }

    pub(super) fn decode(bytes: &[u8; LENGTH]) -> Option<Self> {
        let (tag, a, b) = numbers(bytes);
        Some(match tag {
            1 => Report::Started { leader: a },
            2 => Report::Failed {
                errno: a,
                step: [Step::Fork, Step::Folder, Step::Execute].into_iter().find(|s| *s as i32 == b)?,
            },
            3 => Report::Exited { code: a },
            4 => Report::Signalled { signal: a },
            5 => Report::Stopped { signal: a },
            6 => Report::Left { pid: a, spared: b != 0, name: bytes[12..28].try_into().ok()? },
            7 => Report::Blind,
            8 => Report::Empty { killed: a },
            9 => Report::Scans,
            _ => return None,
        })
    }
}

impl Order {
    pub(super) fn encode(self) -> [u8; LENGTH] {
        match self {
            Order::Stop { signal, grace_ms, spare_foreground } => {
                packet(1, signal, grace_ms, &[spare_foreground.into()])
            }
            Order::Kill => packet(2, 0, 0, &[]),
            Order::Continue => packet(3, 0, 0, &[]),
        }
    }

    pub(super) fn decode(bytes: &[u8; LENGTH]) -> Option<Self> {
        let (tag, a, b) = numbers(bytes);
        Some(match tag {
            1 => Order::Stop { signal: a, grace_ms: b, spare_foreground: bytes[12] != 0 },
            2 => Order::Kill,
            3 => Order::Continue,
            _ => return None,
        })
    }
}

fn packet(tag: i32, a: i32, b: i32, rest: &[u8]) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[0..4].copy_from_slice(&tag.to_ne_bytes());
    bytes[4..8].copy_from_slice(&a.to_ne_bytes());
    bytes[8..12].copy_from_slice(&b.to_ne_bytes());
    bytes[12..12 + rest.len()].copy_from_slice(rest);
    bytes
}

fn numbers(bytes: &[u8; LENGTH]) -> (i32, i32, i32) {
    let at = |i: usize| i32::from_ne_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
    (at(0), at(4), at(8))
}

/// Sends a packet; a peer that is gone is no error, the other side of the pair will see its end.
pub(super) fn send(socket: &OwnedFd, bytes: &[u8; LENGTH]) {
    let _ = rustix::io::retry_on_intr(|| {
        rustix::net::send(socket, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
    });
}

/// Receives a packet; `Ok(None)` when the peer is gone and all that it sent was received.
pub(super) fn receive(socket: &OwnedFd, flags: RecvFlags) -> rustix::io::Result<Option<[u8; LENGTH]>> {
    let mut bytes = [0; LENGTH];
    loop {
        match rustix::net::recv(socket, &mut bytes, flags) {
            Ok((LENGTH, _)) => return Ok(Some(bytes)),
            Ok(_) => return Ok(None),
            // A peer that ends without having read all that it was sent leaves this error, once, before its last
            // packets: a guard whose tree was empty when the order to stop it arrived.
            Err(Errno::CONNRESET | Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    #[test]
    fn the_last_report_of_a_guard_that_did_not_read_an_order_is_received() {
        let (front, guard) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        send(&front, &Order::Kill.encode());
        send(&guard, &Report::Empty { killed: 7 }.encode());
        drop(guard);
        let received = receive(&front, RecvFlags::empty()).unwrap().and_then(|bytes| Report::decode(&bytes));
        assert_eq!(received, Some(Report::Empty { killed: 7 }));
        assert_eq!(receive(&front, RecvFlags::empty()).unwrap(), None);
    }

    proptest! {
        #![proptest_config(crate::testing::properties())]

        #[test]
        fn a_packet_is_what_was_sent_or_none(bytes: [u8; LENGTH], tag in 0_i32..12) {
            let mut packet = bytes;
            packet[..4].copy_from_slice(&tag.to_ne_bytes());
            for bytes in [bytes, packet] {
                if let Some(report) = Report::decode(&bytes) {
                    prop_assert_eq!(Report::decode(&report.encode()), Some(report));
                }
                if let Some(order) = Order::decode(&bytes) {
                    prop_assert_eq!(Order::decode(&order.encode()), Some(order));
                }
            }
        }
    }
}
