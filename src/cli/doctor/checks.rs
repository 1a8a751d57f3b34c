//! Looks at the machine and at the project of this folder. Every look leaves things as they were; none of them starts
//! a program.

use std::net::{IpAddr, TcpListener, TcpStream};

use super::Check;
use crate::plan::frameworks::Role;
use crate::plan::{self, Facts, Plan, Port, PortSet, Request, Sources};
use crate::ports;
use crate::registry::{Record, Registry};
use crate::sys;

/// In the order in which they are told.
pub(super) const ALL: &[fn() -> Vec<Check>] = &[system, state_folder, loopbacks, project];

/// What devrun needs of the system.
fn system() -> Vec<Check> {
    let check = |(what, found): (&'static str, Result<String, String>)| match found {
        Ok(found) => Check::good(what, found),
        Err(lacks) => Check::limited(what, lacks),
    };
    sys::features().into_iter().map(check).collect()
}

fn state_folder() -> Vec<Check> {
    const WHAT: &str = "state folder";
    let registry = match Registry::open() {
        Ok(registry) => registry,
        Err(error) => return vec![Check::failed(WHAT, error.to_string())],
    };
    let (entries, warnings) = registry.list();
    let live = entries.iter().filter(|entry| entry.live).count();
    let counts = format!("{} known servers, {live} of them running", entries.len());
    vec![match warnings.first() {
        None => Check::good(WHAT, counts),
        Some(warning) => Check::limited(WHAT, format!("{counts}; {warning}")),
    }]
}

/// Servers listen on either; a machine without IPv6 is a sound one.
fn loopbacks() -> Vec<Check> {
    let talks = |address: &str| -> std::io::Result<()> {
        let address: IpAddr = address.parse().expect("an address");
        let listener = TcpListener::bind((address, 0))?;
        TcpStream::connect(listener.local_addr()?).map(drop)
    };
    vec![
        match talks("127.0.0.1") {
            Ok(()) => Check::good("loopback 127.0.0.1", "listens and answers"),
            Err(error) => Check::failed("loopback 127.0.0.1", error.to_string()),
        },
        match talks("::1") {
            Ok(()) => Check::good("loopback ::1", "listens and answers"),
            Err(error) => Check::limited("loopback ::1", error.to_string()),
        },
    ]
}

/// The project's own dev command, its server, and the port it would get now.
fn project() -> Vec<Check> {
    let request = Request::default();
    let plan = Facts::gather(&request, Sources::All).and_then(|facts| plan::make(request, &facts));
    let plan = match plan {
        Ok(plan) => plan,
        Err(error) => return vec![Check::limited("project", error.to_string())],
    };
    let words: Vec<_> = plan.argv.iter().map(|word| word.to_string_lossy()).collect();
    let mut found = vec![Check::good("project", format!("{}: {}", plan.name, words.join(" ")))];
    let registry = Registry::open().ok();
    if let Some(running) = registry.as_ref().and_then(|registry| registry.live_record(&plan.id)) {
        found.push(Check::good("port", format!("{}, in use by this project's running server", running.port)));
        found.push(injection(&plan, running.port));
        return found;
    }
    let last = registry.as_ref().and_then(|registry| registry.read(&plan.id).ok()?);
    let last = last.as_ref().map(Record::ports);
    match ports::would_acquire(registry.as_ref(), &plan.id, &plan.ports, last.as_ref()) {
        Ok(leases) => {
            let port = leases.main.port();
            let text = match (&leases.busy, leases.main.is_reserved()) {
                (Some(busy), _) => {
                    let holder =
                        busy.holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default();
                    format!("{port}, since {} is taken{holder}", busy.wanted)
                }
                (None, true) => format!("{port}, can be reserved"),
                (None, false) => format!("{port}, is free"),
            };
            found.push(Check::good("port", text));
            found.push(injection(&plan, port));
        }
        Err(error) => found.push(Check::failed("port", error.to_string())),
    }
    found
}

/// How the server would learn its port.
fn injection(plan: &Plan, port: Port) -> Check {
    let command = plan.command(&PortSet { main: port, extra: Vec::new() });
    let changed = command.args.len() + 1 != plan.argv.len();
    let Some(server) = plan.injection.server else {
        return Check::good(
            "server",
            "not recognised: it gets PORT, and is followed if it listens elsewhere",
        );
    };
    let name = server.programs[0];
    let how = match (server.role, server.add) {
        (Role::Several, _) => "starts several programs, which get PORT".into(),
        (Role::Fixed, _) => "has its port in a file of its own; it is followed there".into(),
        (Role::Server, "") => "takes PORT".into(),
        (Role::Server, flag) if changed => format!("gets its port as `{flag}` in the command"),
        (Role::Server, flag) if plan.injection.hook.is_some() => {
            format!("gets its port as `{flag}` in the script, while that runs")
        }
        (Role::Server, flag) => {
            format!("gets its port as `{flag}` where that is possible, else it is followed")
        }
    };
    Check::good("server", format!("{name} {how}"))
}
