//! `devrun who PORT`: who listens there, and what can be done about it. It only looks.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::escape::escape_line;
use super::render::Style;
use super::table::{Look, Screen, print, print_json};
use super::verb::note;
use super::words;
use crate::error::Error;
use crate::manage::{self, Listening};
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
            "free": who.listening.is_empty(),
            "holders": who.listening.iter().map(|found| as_json(found, port)).collect::<Vec<_>>(),
            "kept_for": kept_for.map(manage::as_json),
        });
        print_json(&answer);
    } else {
        let screen = Screen::stdout();
        for found in &who.listening {
            print(&shown(found, port, screen, now_ms()));
        }
        let kept = kept_for.map(|entry| match entry.live {
            true => format!("; {} has it and does not listen on it", entry.record.name),
            false => format!("; it is kept for {}, which is not running", entry.record.name),
        });
        if who.listening.is_empty() {
            note(style, format!("port {port} is free{}", kept.unwrap_or_default()));
        }
    }
    Ok(if who.listening.is_empty() { ExitCode::from(FREE) } else { ExitCode::SUCCESS })
}

fn as_json(found: &Listening, port: Port) -> Value {
    json!({
        "pid": found.pid,
        "addresses": found.addresses,
        "name": found.name,
        "argv": found.argv,
        "cwd": found.cwd,
        "project": found.project,
        "since_ms": found.since,
        "uid": found.uid,
        "user": found.user,
        "foreign": found.foreign,
        "server": found.server.as_ref().map(|record| &record.name),
        "server_id": found.server.as_ref().map(|record| &record.id),
        "to_free_it": to_free(found, port),
    })
}

/// One thing to do.
fn to_free(found: &Listening, port: Port) -> String {
    match (&found.server, found.pid) {
        (Some(record), _) => format!("devrun stop {}", record.id.0),
        (None, Some(_)) if found.name.as_deref() == Some("docker-proxy") => {
            format!("docker stop $(docker ps -q --filter publish={port})")
        }
        (None, Some(pid)) if found.foreign => format!("sudo kill {pid}"),
        (None, Some(pid)) => format!("kill {pid}"),
        (None, None) => format!("sudo devrun who {port}"),
    }
}

fn shown(found: &Listening, port: Port, screen: Screen, now: u64) -> String {
    let head = match (found.pid, &found.server) {
        (Some(pid), Some(record)) => format!("{pid}  {} of {}", name(found), record.name),
        (Some(pid), None) => format!("{pid}  {}", name(found)),
        (None, _) => "a process that you may not look at".into(),
    };
    let addresses: Vec<String> = found.addresses.iter().map(|ip| on(*ip, port)).collect();
    let user = found.user.clone().unwrap_or_else(|| found.uid.to_string());
    let user = if found.foreign { format!("{user} (another user)") } else { user };
    let facts = [
        ("listens on", Some(addresses.join(", "))),
        ("command", Some(found.argv.join(" ")).filter(|command| !command.is_empty())),
        ("folder", found.cwd.as_ref().map(|cwd| cwd.display().to_string())),
        ("project", found.project.clone()),
        ("since", found.since.map(|since| format!("{} ago", words::since(since, now)))),
        ("user", Some(user)),
        ("to free it", Some(to_free(found, port))),
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

fn name(found: &Listening) -> &str {
    found.name.as_deref().unwrap_or("?")
}

fn on(ip: std::net::IpAddr, port: Port) -> String {
    std::net::SocketAddr::new(ip, port.get()).to_string()
}
