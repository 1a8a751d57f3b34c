//! `devrun ls`: the servers, the running ones first. It only reads; a damaged record is set aside and named.

use std::process::ExitCode;

use serde_json::Value;

use super::escape::escape_line;
use super::render::{self, Style};
use super::table::{Column, Cut, Look, Row, Screen, print, print_json, table};
use super::verb::note;
use super::words;
use crate::error::Error;
use crate::event::Event;
use crate::manage::as_json;
use crate::registry::{Entry, Registry, now_ms};

/// So many of those that do not run are shown unasked, the last ones first.
const RECENT: usize = 10;

const COLUMNS: [Column; 6] = [
    Column { head: "NAME", goes: 0, cut: Cut::End(10) },
    Column { head: "URL", goes: 0, cut: Cut::Never },
    Column { head: "STATE", goes: 0, cut: Cut::End(8) },
    Column { head: "SINCE", goes: 2, cut: Cut::Never },
    Column { head: "FOLDER", goes: 1, cut: Cut::Start(12) },
    Column { head: "BRANCH", goes: 3, cut: Cut::End(10) },
];

/// Prints the servers that run and the last that ran, with `all` or as JSON all that are known.
pub(crate) fn run(json: bool, all: bool, style: Style) -> Result<ExitCode, Error> {
    let (mut entries, warnings) = Registry::open()?.list();
    for text in warnings {
        render::event(style, &Event::Warning { text, hint: None });
    }
    // By name as listed; of those that ended the last first.
    entries.sort_by_key(|entry| match entry.live {
        true => (0, 0),
        false => (1, u64::MAX - entry.record.changed_at),
    });
    if json {
        print_json(&Value::Array(entries.iter().map(as_json).collect()));
        return Ok(ExitCode::SUCCESS);
    }
    let running = entries.iter().filter(|entry| entry.live).count();
    let shown = if all { entries.len() } else { entries.len().min(running + RECENT) };
    if entries.is_empty() {
        note(style, "no server is known; start one with `devrun COMMAND`".into());
    } else {
        print(&self::shown(&entries[..shown]));
    }
    if shown < entries.len() {
        note(style, format!("{} more that ran before: devrun ls --all", entries.len() - shown));
    }
    Ok(ExitCode::SUCCESS)
}

/// The table of these.
pub(super) fn shown(entries: &[Entry]) -> String {
    let rows: Vec<_> = entries.iter().map(|entry| row(entry, now_ms())).collect();
    table(Screen::stdout(), &COLUMNS, &rows)
}

fn row(entry: &Entry, now: u64) -> Row<6> {
    let record = &entry.record;
    let (state, colour) = words::state(entry, now);
    let usual = if entry.live { Look::Plain } else { Look::Dim };
    [
        (escape_line(&record.name), if entry.live { Look::Bold } else { Look::Dim }),
        (escape_line(&record.url), usual),
        (state, colour),
        (words::since(record.changed_at, now), usual),
        (words::folder(&record.folder()), usual),
        (record.branch.as_deref().map(escape_line).unwrap_or_default(), usual),
    ]
}
