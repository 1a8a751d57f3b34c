//! Who has a port: the processes that listen on it, whoever they are, and the server that it belongs to. It only
//! looks.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::error::{Error, Kind};
use crate::plan::{Facts, Port, Request, Sources};
use crate::registry::{Entry, Record, Registry, redacted};
use crate::sys::{self, process};

/// What is known of a port.
#[derive(Debug)]
pub(crate) struct Who {
    pub(crate) listening: Vec<Listening>,
    /// The server to which the port belongs, running or not.
    pub(crate) kept_for: Option<Entry>,
}

/// One that listens on the port.
#[derive(Debug)]
pub(crate) struct Listening {
    /// `None`: the system does not say which process it is.
    pub(crate) pid: Option<u32>,
    /// On which addresses.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) name: Option<String>,
    /// Without values that are named like a secret.
    pub(crate) argv: Vec<String>,
    pub(crate) cwd: Option<PathBuf>,
    /// The project in whose folder it runs.
    pub(crate) project: Option<String>,
    /// Milliseconds since 1970.
    pub(crate) since: Option<u64>,
    pub(crate) uid: u32,
    pub(crate) user: Option<String>,
    /// It is another user's, and this one is not root.
    pub(crate) foreign: bool,
    /// The devrun server whose tree it belongs to.
    pub(crate) server: Option<Record>,
}

/// Looks at the port.
pub(crate) fn who(registry: Option<&Registry>, port: Port) -> Result<Who, Error> {
    let (entries, _) = registry.map(Registry::list).unwrap_or_default();
    let failed = |error: std::io::Error| {
        Error::new(Kind::Internal, "the system does not say who listens").source(error)
    };
    let sockets: Vec<sys::Listener> =
        sys::listeners().map_err(failed)?.into_iter().filter(|l| l.port == port.get()).collect();
    let pids = if sockets.is_empty() { Vec::new() } else { sys::holders(port.get()) };
    let mut of_pid: BTreeMap<u32, Vec<IpAddr>> = BTreeMap::new();
    let mut unseen = sockets;
    for pid in pids {
        // Asked one by one: processes that share a socket all hold it.
        let held = sys::listeners_of(&[pid], port.get()).unwrap_or_default();
        for (_, listener) in held.into_iter().filter(|(_, listener)| listener.port == port.get()) {
            unseen.retain(|other| *other != listener);
            of_pid.entry(pid).or_default().push(listener.ip);
        }
    }
    let mut listening: Vec<Listening> =
        of_pid.into_iter().map(|(pid, addresses)| of_process(pid, addresses, &entries)).collect();
    listening.extend(unseen.into_iter().map(nameless));
    let owner = registry.and_then(|registry| registry.port_owner(port));
    let kept_for = entries.into_iter().find(|entry| Some(&entry.record.id) == owner.as_ref());
    Ok(Who { listening, kept_for })
}

fn of_process(pid: u32, mut addresses: Vec<IpAddr>, entries: &[Entry]) -> Listening {
    addresses.sort_unstable();
    addresses.dedup();
    let info = process::info(pid);
    let cwd = info.as_ref().and_then(|info| info.cwd.clone());
    let uid = info.as_ref().map_or_else(process::user, |info| info.uid);
    let argv = info.as_ref().map(|info| redacted(&info.argv)).unwrap_or_default();
    Listening {
        pid: Some(pid),
        addresses,
        project: cwd.clone().and_then(project),
        cwd,
        argv: argv.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        since: info.as_ref().and_then(|info| process::started_at(info.start)),
        foreign: is_foreign(uid),
        uid,
        user: sys::user_name(uid),
        server: server_of(pid, entries),
        name: info.map(|info| info.name),
    }
}

/// A socket of a process that this user can't look into.
fn nameless(listener: sys::Listener) -> Listening {
    Listening {
        pid: None,
        addresses: vec![listener.ip],
        name: None,
        argv: Vec::new(),
        cwd: None,
        project: None,
        since: None,
        uid: listener.uid,
        user: sys::user_name(listener.uid),
        foreign: is_foreign(listener.uid),
        server: None,
    }
}

fn is_foreign(uid: u32) -> bool {
    const ROOT: u32 = 0;
    let me = process::user();
    me != ROOT && me != uid
}

fn project(cwd: PathBuf) -> Option<String> {
    let facts = Facts::gather(&Request { cwd: Some(cwd), ..Request::default() }, Sources::None).ok()?;
    facts.project_name().map(str::to_string)
}

/// The running server whose guard is above this process.
fn server_of(pid: u32, entries: &[Entry]) -> Option<Record> {
    let above: Vec<u32> = process::ancestors(pid).iter().map(|info| info.pid).chain([pid]).collect();
    let has = |entry: &&Entry| {
        let record = &entry.record;
        let known = record.guard.iter().chain(&record.leader).chain(&record.members);
        entry.live
            && known
                .filter(|identity| above.contains(&identity.pid))
                .any(|identity| process::identity(identity.pid) == Some(*identity))
    };
    entries.iter().find(has).map(|entry| entry.record.clone())
}
