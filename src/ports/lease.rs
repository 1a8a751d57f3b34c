//! Getting a port for a run: its file is locked against other devruns, and a socket that never listens keeps
//! everybody else away until the command binds over it. No port is had without both where both can be had.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

use super::choice::{Search, System};
use super::holder::holder;
use crate::error::{Error, Kind};
use crate::plan::{Port, PortSet, PortWish, ServerId, WantedBy};
use crate::registry::Registry;
use crate::sys::files::{self, Access};
use crate::sys::{Held, lock, ports};

/// So many of the ports that are somebody's are looked at for their owner; further ones are taken for others'.
/// Reading two thousand files takes longer than all else that is done for a port.
const NEAR: u32 = 16;

/// A port that is this run's for as long as the lease, or a fork's copy of it, is open.
#[derive(Debug)]
pub(crate) struct Lease {
    port: Port,
    lock: Option<File>,
    reservation: Option<Socket>,
}

impl Lease {
    pub(crate) fn port(&self) -> Port {
        self.port
    }

    /// Whether the command must bind over the reservation.
    pub(crate) fn is_reserved(&self) -> bool {
        self.reservation.is_some()
    }

    /// For a command that can't bind over the reservation. The lease stays.
    pub(crate) fn drop_reservation(&mut self) {
        self.reservation = None;
    }
}

/// The ports of a run.
#[derive(Debug)]
pub(crate) struct Leases {
    pub(crate) main: Lease,
    /// In the order in which they were asked for.
    pub(crate) extra: Vec<(String, Lease)>,
    /// The wanted port was not to be had.
    pub(crate) busy: Option<Busy>,
}

impl Leases {
    pub(crate) fn ports(&self) -> PortSet {
        let extra = self.extra.iter().map(|(name, lease)| (name.clone(), lease.port)).collect();
        PortSet { main: self.main.port, extra }
    }

    /// Copies of everything that keeps the ports: as long as one of them is open, the ports are this run's.
    pub(crate) fn held(&self) -> impl Iterator<Item = io::Result<Held>> {
        let leases = [&self.main].into_iter().chain(self.extra.iter().map(|(_, lease)| lease));
        leases.flat_map(|lease| {
            let lock = lease.lock.as_ref().map(|file| file.try_clone().map(Held::from));
            lock.into_iter()
                .chain(lease.reservation.as_ref().map(|socket| socket.try_clone().map(Held::from)))
        })
    }

    pub(crate) fn drop_reservations(&mut self) {
        self.main.drop_reservation();
        self.extra.iter_mut().for_each(|(_, lease)| lease.drop_reservation());
    }
}

/// A wanted port that another has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Busy {
    pub(crate) wanted: Port,
    /// In words, if it can be told.
    pub(crate) holder: Option<String>,
}

/// Gets all ports that the run needs. Without a registry there are reservations and no leases.
pub(crate) fn acquire(
    registry: Option<&Registry>,
    id: &ServerId,
    wish: &PortWish,
    last: Option<&PortSet>,
) -> Result<Leases, Error> {
    get(wish, last, &Source { registry, id, system: &system(), writes: true })
}

/// The same to see which they would be: nothing is written down, and no file is made.
#[cfg(feature = "cli")]
pub(crate) fn would_acquire(
    registry: Option<&Registry>,
    id: &ServerId,
    wish: &PortWish,
    last: Option<&PortSet>,
) -> Result<Leases, Error> {
    get(wish, last, &Source { registry, id, system: &system(), writes: false })
}

fn system() -> System {
    let (ephemeral, reserved) = ports::reserved_ports();
    System::parse(&ephemeral, &reserved)
}

fn get(wish: &PortWish, last: Option<&PortSet>, from: &Source) -> Result<Leases, Error> {
    let (main, busy) = match wish.wanted {
        // The devrun around this one has both already, and holds them longer.
        Some(wanted) if wanted.by == WantedBy::OuterDevrun && is_leased(from.registry, wanted.port) => {
            (Lease { port: wanted.port, lock: None, reservation: None }, None)
        }
        _ => from.main(wish, last.map(|ports| ports.main))?,
    };
    let mut extra: Vec<(String, Lease)> = Vec::new();
    for wanted in &wish.extra {
        let last =
            last.and_then(|ports| ports.extra.iter().find(|(name, _)| *name == wanted.name)).map(|(_, p)| *p);
        let taken: Vec<Port> = extra.iter().map(|(_, lease)| lease.port).chain([main.port]).collect();
        let search =
            Search { wanted: None, last, derived: main.port, range: &wish.range, system: from.system };
        extra.push((wanted.name.clone(), from.first_free(&search, &taken)?));
    }
    Ok(Leases { main, extra, busy })
}

/// Where leases come from.
struct Source<'a> {
    registry: Option<&'a Registry>,
    id: &'a ServerId,
    system: &'a System,
    /// Whether it is written down whose the ports are.
    writes: bool,
}

impl Source<'_> {
    fn main(&self, wish: &PortWish, last: Option<Port>) -> Result<(Lease, Option<Busy>), Error> {
        let wanted = wish.port();
        if let Some(port) = wanted.filter(|_| wish.strict) {
            return match self.take(port)? {
                Some(lease) => Ok((lease, None)),
                None => Err(taken(self.registry, port)),
            };
        }
        let search = Search { wanted, last, derived: wish.derived, range: &wish.range, system: self.system };
        let lease = self.first_free(&search, &[])?;
        let missed = wanted.filter(|wanted| *wanted != lease.port);
        let busy = missed.map(|wanted| Busy { wanted, holder: holder(self.registry, wanted) });
        Ok((lease, busy))
    }

    fn first_free(&self, search: &Search, taken: &[Port]) -> Result<Lease, Error> {
        let read = Cell::new(0);
        let others = |port| {
            let Some(registry) = self.registry.filter(|registry| registry.is_owned(port)) else {
                return false;
            };
            // A server whose record was lost has its port near the start of the search.
            read.replace(read.get() + 1) >= NEAR || registry.port_owner(port).as_ref() != Some(self.id)
        };
        let mut tried = 0;
        for port in search.candidates(&others).filter(|port| !taken.contains(port)) {
            tried += 1;
            if let Some(lease) = self.take(port)? {
                return Ok(lease);
            }
        }
        let error = Error::new(Kind::Internal, format!("no port is free in {}", search.range));
        Err(match tried {
            0 => error.cause("it has only ports that are never given unasked: those for outgoing connections, those that browsers block, and the defaults of frameworks"),
            1 => error.cause("the only one that may be given is taken"),
            _ => error.cause(format!("all {tried} that may be given are taken")),
        }
        .hint("ask for a wider range, for example `--port-range 3000-9999`, or see `devrun ls`"))
    }

    /// The port, if nobody has it.
    fn take(&self, port: Port) -> Result<Option<Lease>, Error> {
        // A file that can't be locked costs the lease and not the run: the reservation stands.
        let access = if self.writes { Access::Write } else { Access::Read };
        let lock = match self.registry.map(|registry| lock_port(registry, port, access)) {
            Some(Ok(Some(file))) => Some(file),
            Some(Ok(None)) => return Ok(None),
            Some(Err(_)) | None => None,
        };
        if ports::is_listened_on(port.get()) {
            return Ok(None);
        }
        match reserve(port, lock.is_some() || !self.writes) {
            Ok(socket) => {
                // Not before it is had: nobody frees a port that no record has. On a full disk it is leased all the same.
                let written = lock.as_ref().filter(|_| self.writes).map(|file| write_owner(file, self.id));
                if let Some(Err(error)) = written {
                    tracing::warn!(target: "devrun::ports", %error, %port, "whose it is could not be written");
                }
                Ok(Some(Lease { port, lock, reservation: ports::CAN_RESERVE.then_some(socket) }))
            }
            Err(e) if is_taken(&e) => Ok(None),
            Err(e) => Err(Error::new(Kind::Internal, format!("port {port} can't be tried")).source(e)),
        }
    }
}

/// The error of one who wants this port or none. Without a registry, whose lease it is does not count: it is one's own.
pub(crate) fn taken(registry: Option<&Registry>, port: Port) -> Error {
    let error = Error::new(Kind::PortTaken, format!("port {port} is taken"));
    match holder(registry, port) {
        Some(holder) => error.cause(format!("{holder} has it")).hint("stop it, or leave out --strict-port"),
        None if port.get() < 1024 => error
            .cause("another process has it, or it is not allowed to this user")
            .hint("use a port above 1023"),
        None => {
            error.cause("another process has it").hint("leave out --strict-port to get the next free port")
        }
    }
}

/// Whether somebody holds the lease of the port. The variables of a devrun that is gone may still be in the
/// environment, of a shell that it started: then the port is one like any other. Without a registry there is no
/// telling, and the outer devrun is believed.
fn is_leased(registry: Option<&Registry>, port: Port) -> bool {
    let file = registry.map(|registry| files::open_regular(&registry.port_file(port), Access::Read));
    match file {
        None => true,
        Some(Ok(file)) => lock::is_locked(&file).unwrap_or(true),
        Some(Err(_)) => false,
    }
}

/// Locks the file of the port; `None` if another run has it.
fn lock_port(registry: &Registry, port: Port, access: Access) -> io::Result<Option<File>> {
    let file = files::open_regular(&registry.port_file(port), access)?;
    Ok(lock::try_lock(&file)?.then_some(file))
}

/// Writes whose port it is, into its file.
fn write_owner(mut file: &File, id: &ServerId) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    // Ids are of one length: what is written over is written over whole.
    file.write_all(format!("{}\n", id.0).as_bytes())
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied | ErrorKind::AddrNotAvailable)
}

/// A socket bound to the port in every family at once, over which others that set SO_REUSEADDR can bind.
fn reserve(port: Port, leased: bool) -> io::Result<Socket> {
    match bound(port, false) {
        // What is left of closed connections is in nobody's way: a server that sets SO_REUSEADDR gets the port.
        // Only under a lease, since another devrun's reservation would let this one bind too; and one of another
        // user has another lease. That one is looked for after the bind: of two that do this at the same time, the
        // later sees the earlier.
        Err(e)
            if e.kind() == ErrorKind::AddrInUse
                && leased
                && ports::has_only_closed_connections(port.get()) =>
        {
            let socket = bound(port, true)?;
            if ports::bound_only(port.get()) > 1 { Err(e) } else { Ok(socket) }
        }
        other => other,
    }
}

fn bound(port: Port, reuse: bool) -> io::Result<Socket> {
    let any6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port.get()));
    let any4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port.get()));
    // Without SO_REUSEADDR one bind tests ::1, 127.0.0.1 and the wildcards together.
    let bind = |domain, address: SocketAddr| -> io::Result<Socket> {
        let socket = Socket::new(domain, Type::STREAM, None)?;
        if domain == Domain::IPV6 {
            socket.set_only_v6(false)?;
        }
        ports::before_bind(&socket, reuse)?;
        socket.bind(&address.into())?;
        if ports::CAN_RESERVE {
            socket.set_reuse_address(true)?;
        }
        Ok(socket)
    };
    match bind(Domain::IPV6, any6) {
        Err(e) if matches!(e.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => Err(e),
        Err(_) => bind(Domain::IPV4, any4),
        bound => bound,
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
