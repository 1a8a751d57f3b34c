//! Who holds a port, in words. A guess for people: nothing is decided by it.

use crate::plan::Port;
use crate::registry::Registry;
use crate::sys::{self, process};

/// The server that leased the port, or else the process that listens on it.
pub(crate) fn holder(registry: Option<&Registry>, port: Port) -> Option<String> {
    let server = registry.and_then(|registry| {
        let id = registry.port_owner(port)?;
        registry.live_record(&id)
    });
    match server {
        Some(record) => {
            let front = record.front.map_or(String::new(), |front| format!(", devrun {}", front.pid));
            Some(format!("the server {} (in {}{front})", record.name, record.cwd.lossy()))
        }
        None => described(*sys::holders(port.get()).first()?),
    }
}

fn described(pid: u32) -> Option<String> {
    let info = process::info(pid)?;
    let command: Vec<_> = info.argv.iter().map(|arg| arg.to_string_lossy()).collect();
    let command = if command.is_empty() { info.name } else { command.join(" ") };
    let folder = info.cwd.map_or(String::new(), |cwd| format!(", in {}", cwd.display()));
    Some(format!("process {pid} ({command}{folder})"))
}
