//! `devrun who PORT`: who listens there, and what can be done about it. It only looks.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::escape::escape_line;
use super::render::Style;
use super::table::{Look, Screen, print, print_json};
use super::verb::note;
use super::words;
use crate::error::Error;
use crate::manage::{self, Holder};
use crate::plan::Port;
use crate::registry::{Registry, now_ms};

/// Nobody listens.
const FREE: u8 = 1;

/// Prints who it is.
pub(crate) fn run(port: Port, json: bool, style: Style) -> Result<ExitCode, Error> {
    // Without a state folder there are no servers, and the question can still be answered.
    let registry = Registry::open().ok();
    let who = manage::who(registry.as_ref(), port)?;
    let kept_for = who.kept_for.as_ref();
    if json {
        let answer = json!({
            "port": port,
            "free": who.holders.is_empty(),
            "holders": who.holders.iter().map(|holder| as_json(holder, port)).collect::<Vec<_>>(),
            "kept_for": kept_for.map(manage::as_json),
        });
        print_json(&answer);
    } else {
        let screen = Screen::stdout();
        for holder in &who.holders {
            print(&shown(holder, port, screen, now_ms()));
        }
        let kept = kept_for.map(|entry| match entry.live {
            true => format!("; {} has it and does not listen on it", entry.record.name),
            false => format!("; it is kept for {}, which is not running", entry.record.name),
        });
        if who.holders.is_empty() {
            note(style, format!("port {port} is free{}", kept.unwrap_or_default()));
        }
    }
    Ok(if who.holders.is_empty() { ExitCode::from(FREE) } else { ExitCode::SUCCESS })
}

fn as_json(holder: &Holder, port: Port) -> Value {
    json!({
        "pid": holder.pid,
        "addresses": holder.addresses,
        "name": holder.name,
        "argv": holder.argv,
        "cwd": holder.cwd,
        "project": holder.project,
        "since_ms": holder.since,
        "uid": holder.uid,
        "user": holder.user,
        "foreign": holder.foreign,
        "server": holder.server.as_ref().map(|record| &record.name),
        "server_id": holder.server.as_ref().map(|record| &record.id),
        "to_free_it": to_free(holder, port),
    })
}

/// One thing to do.
fn to_free(holder: &Holder, port: Port) -> String {
    match (&holder.server, holder.pid) {
        (Some(record), _) => format!("devrun stop {}", record.id.0),
        (None, Some(_)) if holder.name.as_deref() == Some("docker-proxy") => {
            format!("docker stop $(docker ps -q --filter publish={port})")
        }
        (None, Some(pid)) if holder.foreign => format!("sudo kill {pid}"),
        (None, Some(pid)) => format!("kill {pid}"),
        (None, None) => format!("sudo devrun who {port}"),
    }
}

fn shown(holder: &Holder, port: Port, screen: Screen, now: u64) -> String {
    let head = match (holder.pid, &holder.server) {
        (Some(pid), Some(record)) => format!("{pid}  {} of {}", name(holder), record.name),
        (Some(pid), None) => format!("{pid}  {}", name(holder)),
        (None, _) => "a process that you may not look at".into(),
    };
    let addresses: Vec<String> = holder.addresses.iter().map(|ip| on(*ip, port)).collect();
    let user = holder.user.clone().unwrap_or_else(|| holder.uid.to_string());
    let user = if holder.foreign { format!("{user} (another user)") } else { user };
    let facts = [
        ("listens on", Some(addresses.join(", "))),
        ("command", Some(holder.argv.join(" ")).filter(|command| !command.is_empty())),
        ("folder", holder.cwd.as_ref().map(|cwd| cwd.display().to_string())),
        ("project", holder.project.clone()),
        ("since", holder.since.map(|since| format!("{} ago", words::since(since, now)))),
        ("user", Some(user)),
        ("to free it", Some(to_free(holder, port))),
    ];
    let mut text = format!("{}\n", screen.paint(Look::Bold, &escape_line(&head)));
    for (key, value) in facts {
        if let Some(value) = value {
            let key = screen.paint(Look::Dim, &format!("{key:<12}"));
            text += &format!("  {key}{}\n", escape_line(&value));
        }
    }
    text
}

fn name(holder: &Holder) -> &str {
    holder.name.as_deref().unwrap_or("?")
}

fn on(ip: std::net::IpAddr, port: Port) -> String {
    std::net::SocketAddr::new(ip, port.get()).to_string()
}
