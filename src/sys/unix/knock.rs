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
        match socket.connect(&at.into()) {
            // On the loopback the refusal, if there is one, is here by the time that the call returns. No word at
            // all comes from a listener whose queue is full.
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
                socket.take_error()?.map_or(Ok(()), Err)?;
            }
            done => done?,
        }
        // A port in the ephemeral range may be chosen as our own end, and then connects to itself.
        match socket.local_addr()?.as_socket() {
            Some(own) if own == at => Err(io::ErrorKind::ConnectionRefused.into()),
            _ => Ok(()),
        }
    };
    attempt().is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_knock_is_heard_by_a_listener_only_even_by_a_busy_one() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let server = TcpListener::bind(address).unwrap();
            let at = server.local_addr().unwrap();
            for _ in 0..500 {
                assert!(knock(at)); // nobody accepts: the queue is full soon
            }
            drop(server);
            crate::testing::eventually("closed in children of other tests too", || !knock(at));
            for _ in 0..500 {
                assert!(!knock(at));
            }
        }
    }
}
