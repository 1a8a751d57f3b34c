//! `devrun status`: all that is known of one server, for people or as JSON.

use std::process::ExitCode;
use std::time::Duration;

use super::escape::escape_line;
use super::table::{Look, Screen, print, print_json};
use super::verb::Servers;
use super::words;
use crate::error::Error;
use crate::manage::{as_json, command_of, how_it_ended};
use crate::registry::{Entry, Phase, now_ms};

/// Prints what is known.
pub(crate) fn run(name: Option<&str>, json: bool) -> Result<ExitCode, Error> {
    let servers = Servers::look()?;
    let entry = servers.meant(name)?;
    if json {
        print_json(&as_json(entry));
    } else {
        print(&shown(entry));
    }
    Ok(ExitCode::SUCCESS)
}

/// For people.
pub(super) fn shown(entry: &Entry) -> String {
    let (screen, now) = (Screen::stdout(), now_ms());
    let (state, look) = words::state(entry, now);
    let head = [
        screen.paint(Look::Bold, &escape_line(&entry.record.name)),
        screen.paint(look, &state),
        escape_line(&entry.record.url),
    ];
    let facts = facts(entry, now).into_iter().fold(String::new(), |text, (key, value)| {
        text + &format!("  {}{}\n", screen.paint(Look::Dim, &format!("{key:<12}")), escape_line(&value))
    });
    format!("{}\n{facts}", head.join("  "))
}

/// What there is to say, each with its key.
fn facts(entry: &Entry, now: u64) -> Vec<(&'static str, String)> {
    let record = &entry.record;
    let live = entry.live;
    let mut facts = Vec::new();
    let mut add = |key, value: Option<String>| facts.extend(value.map(|value| (key, value)));
    add("since", Some(format!("{} ago", words::since(record.changed_at, now))));
    add("reason", record.reason.clone());
    add("ended with", record.exit.filter(|_| record.state == Phase::Stopped).map(how_it_ended));
    add("folder", Some(record.cwd.lossy().into_owned()));
    add("branch", record.branch.clone());
    add("command", Some(command_of(&record.argv)));
    add("options", Some(command_of(&record.options)).filter(|options| !options.is_empty()));
    add("port", Some(record.port.to_string()));
    for (name, port) in &record.extra_ports {
        add("port", Some(format!("{port} ({name})")));
    }
    let pid = |identity: Option<crate::sys::process::Identity>| identity.filter(|_| live).map(|i| i.pid);
    add("pid", pid(record.leader).map(|pid| pid.to_string()));
    add(
        "devrun",
        pid(record.front).map(|pid| {
            format!("{pid}, in the {}", if record.detached { "background" } else { "foreground" })
        }),
    );
    add("started", Some(format!("{} ago", words::since(record.started_at, now))).filter(|_| live));
    add("ready after", record.ready_ms.map(|ms| format!("{:?}", Duration::from_millis(ms))));
    add("restarts", Some(record.restarts).filter(|count| *count > 0).map(|count| count.to_string()));
    add("id", Some(record.id.0.clone()));
    facts
}
