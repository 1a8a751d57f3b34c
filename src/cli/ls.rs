//! `devrun ls`: the servers, the running ones first. It only reads; a damaged record is set aside and named.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::escape::escape_line;
use super::render::{self, Style};
use crate::error::Error;
use crate::event::Event;
use crate::registry::{Entry, Registry, now_ms};

/// Prints the servers that run, with `all` also those that ran.
pub(crate) fn run(json: bool, all: bool, style: Style) -> Result<(), Error> {
    let (mut entries, warnings) = Registry::open()?.list();
    for text in warnings {
        render::event(style, &Event::Warning { text, hint: None });
    }
    let stopped = entries.iter().filter(|entry| !entry.live).count();
    entries.retain(|entry| entry.live || all);
    entries.sort_by_key(|entry| !entry.live);
    if json {
        print(&format!("{}\n", Value::Array(entries.iter().map(as_json).collect())));
    } else if entries.is_empty() {
        let more =
            if stopped > 0 { format!("; {stopped} ran before (`devrun ls --all`)") } else { String::new() };
        render::event(style, &Event::Note { text: format!("no server is running{more}") });
    } else {
        let home = std::env::var("HOME").ok();
        let rows = entries.iter().map(|entry| row(entry, now_ms(), home.as_deref())).collect();
        print(&table(["NAME", "URL", "STATE", "SINCE", "FOLDER"], rows));
    }
    Ok(())
}

/// A reader that has enough is no failure.
pub(super) fn print(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

fn row(entry: &Entry, now: u64, home: Option<&str>) -> [String; 5] {
    let record = &entry.record;
    let since = Duration::from_millis(now.saturating_sub(record.changed_at));
    [
        escape_line(&record.name),
        escape_line(&record.url),
        entry.phase().word().to_string(),
        ago(since),
        escape_line(&shortened(&record.folder(), home)),
    ]
}

/// Stable: fields are added and never renamed.
fn as_json(entry: &Entry) -> Value {
    let record = &entry.record;
    json!({
        "id": record.id,
        "name": record.name,
        "state": entry.phase().word(),
        "running": entry.live,
        "url": record.url,
        "port": record.port,
        "extra_ports": record.extra_ports,
        "pid": record.leader.filter(|_| entry.live).map(|leader| leader.pid),
        "devrun_pid": record.front.filter(|_| entry.live).map(|front| front.pid),
        "cwd": record.cwd.lossy(),
        "argv": record.argv.iter().map(|arg| arg.lossy()).collect::<Vec<_>>(),
        "started_at_ms": record.started_at,
        "changed_at_ms": record.changed_at,
        "ready_ms": record.ready_ms,
        "exit": record.exit,
    })
}

/// `12s`, `5m`, `3h`, `2d`.
fn ago(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// With `~` for the home folder.
fn shortened(folder: &Path, home: Option<&str>) -> String {
    match home.filter(|home| !home.is_empty()).and_then(|home| folder.strip_prefix(home).ok()) {
        Some(rest) if rest.as_os_str().is_empty() => "~".into(),
        Some(rest) => format!("~/{}", rest.display()),
        None => folder.display().to_string(),
    }
}

/// Columns two spaces apart, the last one as long as it is.
fn table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> String {
    let rows: Vec<[String; N]> = std::iter::once(head.map(str::to_string)).chain(rows).collect();
    let width: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    rows.iter().fold(String::new(), |mut out, row| {
        let line: Vec<String> = row.iter().zip(width).map(|(cell, width)| format!("{cell:width$}")).collect();
        out.push_str(line.join("  ").trim_end());
        out.push('\n');
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_where_their_text_does() {
        let rows = vec![["web".into(), "x".into()], ["straße".into(), String::new()]];
        assert_eq!(table(["NAME", "URL"], rows), "NAME    URL\nweb     x\nstraße\n");
    }

    #[test]
    fn times_and_folders_are_short() {
        for (seconds, expected) in [(0, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (200_000, "2d")] {
            assert_eq!(ago(Duration::from_secs(seconds)), expected);
        }
        let short = |folder: &str| shortened(Path::new(folder), Some("/home/me"));
        assert_eq!(short("/home/me"), "~");
        assert_eq!(short("/home/me/app"), "~/app");
        assert_eq!(short("/home/meg/app"), "/home/meg/app");
        assert_eq!(shortened(Path::new("/a"), Some("")), "/a");
    }
}
