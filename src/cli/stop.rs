//! `devrun stop`: which servers are meant, and ending them. A name that fits several servers stops none.

use std::path::Path;

use super::escape::escape_line;
use super::render::{self, Style};
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::registry::{Entry, Registry, stop};

/// Stops the server of that name, or this folder's, or all that run.
pub(crate) fn run(name: Option<&str>, all: bool, style: Style) -> Result<(), Error> {
    let registry = Registry::open()?;
    let (entries, _) = registry.list();
    let here = std::env::current_dir().ok();
    let say = |text| render::event(style, &Event::Note { text });
    let meant = meant(&entries, name, all, here.as_deref())?;
    if meant.is_empty() {
        say("no server is running".to_string());
    }
    let mut failed = None;
    for entry in meant {
        let name = escape_line(&entry.record.name);
        match entry.live.then(|| stop(&registry, &entry.record)) {
            None => say(format!("{name} is not running")),
            Some(Ok(())) => say(format!("{name} stopped")),
            Some(Err(error)) => failed = Some(error),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// The servers that the user means.
fn meant<'a>(
    entries: &'a [Entry],
    name: Option<&str>,
    all: bool,
    here: Option<&Path>,
) -> Result<Vec<&'a Entry>, Error> {
    let of_folder = |entry: &&Entry| here == Some(entry.record.folder().as_path());
    if all {
        return Ok(entries.iter().filter(|entry| entry.live).collect());
    }
    let fitting: Vec<&Entry> = match name {
        Some(name) => {
            entries.iter().filter(|entry| entry.record.name == name || entry.record.id.0 == name).collect()
        }
        None => entries.iter().filter(of_folder).collect(),
    };
    // Of several the running one is meant, of several running ones that of this folder.
    let living: Vec<&Entry> = fitting.iter().copied().filter(|entry| entry.live).collect();
    let living_here: Vec<&Entry> = living.iter().copied().filter(of_folder).collect();
    match (living.as_slice(), living_here.as_slice(), fitting.as_slice()) {
        ([one], _, _) | ([_, ..], [one], _) => Ok(vec![*one]),
        ([_, ..], _, _) => Err(ambiguous(name, &living)),
        ([], _, [one, ..]) => Ok(vec![*one]),
        ([], _, []) => Err(unknown(name, entries)),
    }
}

fn ambiguous(name: Option<&str>, living: &[&Entry]) -> Error {
    let what = match name {
        Some(name) => format!("{} servers are named {name}", living.len()),
        None => format!("{} servers run in this folder", living.len()),
    };
    let each = |entry: &&Entry| {
        let record = &entry.record;
        format!("{} ({} in {})", record.id.0, record.name, record.cwd.lossy())
    };
    Error::new(Kind::Usage, what)
        .cause(living.iter().map(each).collect::<Vec<_>>().join(", "))
        .hint(format!("name one by its id, for example `devrun stop {}`", living[0].record.id.0))
}

fn unknown(name: Option<&str>, entries: &[Entry]) -> Error {
    let Some(name) = name else {
        return Error::new(Kind::Usage, "no server of this folder is known")
            .hint("name one of those that `devrun ls` shows, or stop all with `devrun stop --all`");
    };
    let near = entries
        .iter()
        .map(|entry| (strsim::normalized_damerau_levenshtein(name, &entry.record.name), &entry.record.name));
    let nearest = near.filter(|(alike, _)| *alike > 0.5).max_by(|a, b| a.0.total_cmp(&b.0));
    let error = Error::new(Kind::Usage, format!("no server is named {name}"));
    match nearest {
        Some((_, nearest)) => error.hint(format!("did you mean `devrun stop {nearest}`?")),
        None => error.hint("see which there are with `devrun ls --all`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::test_record;

    fn entry(number: u64, name: &str, folder: &str, live: bool) -> Entry {
        let mut record = test_record(number, "run");
        record.name = name.into();
        record.cwd = crate::registry::Text(folder.into());
        Entry { record, live }
    }

    #[test]
    fn who_is_meant() {
        let entries = [
            entry(1, "web", "/a", true),
            entry(2, "web", "/b", true),
            entry(3, "api", "/a", false),
            entry(4, "api", "/c", true),
            entry(5, "old", "/d", false),
            entry(6, "old", "/e", false),
        ];
        let ids = |name: Option<&str>, all, here: &str| {
            meant(&entries, name, all, Some(Path::new(here)))
                .map(|meant| {
                    meant
                        .iter()
                        .map(|e| e.record.id.0.trim_start_matches('0').to_string())
                        .collect::<String>()
                })
                .map_err(|error| format!("{} / {}", error.what(), error.what_to_do().unwrap()))
        };
        assert_eq!(ids(Some("web"), false, "/b"), Ok("2".into()), "this folder's of several");
        assert_eq!(ids(Some("api"), false, "/x"), Ok("4".into()), "the running one");
        assert_eq!(ids(Some("0000000000000001"), false, "/x"), Ok("1".into()));
        assert_eq!(ids(Some("old"), false, "/x"), Ok("5".into()), "stopped already");
        assert_eq!(ids(None, false, "/a"), Ok("1".into()));
        assert_eq!(ids(None, true, "/x"), Ok("124".into()));
        assert!(ids(Some("web"), false, "/x").unwrap_err().starts_with("2 servers are named web"));
        assert!(ids(Some("wbe"), false, "/x").unwrap_err().contains("did you mean `devrun stop web`?"));
        assert!(ids(Some("nothing"), false, "/x").unwrap_err().contains("no server is named nothing"));
        assert!(ids(None, false, "/x").unwrap_err().contains("no server of this folder"));
    }
}
