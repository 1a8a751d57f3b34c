//! Which server is meant. Nothing here looks at a process; of the machine only where a project ends is read.

use std::path::Path;

use crate::error::{Error, Kind};
use crate::registry::Entry;

/// How many digits of an id are enough to mean it.
const ID_DIGITS: usize = 4;

/// The server of this name or id (or the beginning of one), or without a name that of the folder.
///
/// A name is never taken for the beginning of another: `stop web` must not stop `web-admin`. Of several that fit,
/// the one that runs is meant, then the one of this folder, then the one that ran last.
pub(crate) fn meant<'a>(
    entries: &'a [Entry],
    name: Option<&str>,
    here: Option<&Path>,
) -> Result<&'a Entry, Error> {
    let of_folder = here.map(|here| of_folder(entries, here)).unwrap_or_default();
    let fitting = fitting(entries, name, &of_folder);
    let is_here = |entry: &&Entry| of_folder.iter().any(|other| other.record.id == entry.record.id);
    let living: Vec<&Entry> = fitting.iter().copied().filter(|entry| entry.live).collect();
    let candidates = if living.is_empty() { &fitting } else { &living };
    let local: Vec<&Entry> = candidates.iter().copied().filter(is_here).collect();
    match (candidates.as_slice(), local.as_slice()) {
        ([one], _) | (_, [one]) => Ok(one),
        // Of commands tried in one folder the last one counts.
        (_, [_, ..]) if living.is_empty() => {
            Ok(local.into_iter().max_by_key(|entry| entry.record.changed_at).expect("there is one"))
        }
        ([], _) => Err(unknown(entries, name, here)),
        _ => Err(ambiguous(name, candidates)),
    }
}

/// Whether the name, or without one the folder, fits somebody who runs.
pub(crate) fn fits_one_that_runs(entries: &[Entry], name: Option<&str>, here: Option<&Path>) -> bool {
    let of_folder = here.map(|here| of_folder(entries, here)).unwrap_or_default();
    fitting(entries, name, &of_folder).iter().any(|entry| entry.live)
}

fn fitting<'a>(entries: &'a [Entry], name: Option<&str>, of_folder: &[&'a Entry]) -> Vec<&'a Entry> {
    match name {
        Some(name) => of_name(entries, name),
        None => of_folder.to_vec(),
    }
}

fn of_name<'a>(entries: &'a [Entry], name: &str) -> Vec<&'a Entry> {
    let all = |fits: &dyn Fn(&Entry) -> bool| entries.iter().filter(|entry| fits(entry)).collect::<Vec<_>>();
    let named = all(&|entry| entry.record.name == name);
    if !named.is_empty() || name.len() < ID_DIGITS {
        return named;
    }
    all(&|entry| entry.record.id.0.starts_with(name))
}

/// The servers of this folder, else of the nearest one above it within the same project.
fn of_folder<'a>(entries: &'a [Entry], here: &Path) -> Vec<&'a Entry> {
    for folder in here.ancestors() {
        let found: Vec<&Entry> = entries.iter().filter(|entry| entry.record.folder() == folder).collect();
        // A repository ends here; a linked worktree has a `.git` file of its own.
        if !found.is_empty() || folder.join(".git").exists() {
            return found;
        }
    }
    Vec::new()
}

/// Names that could have been meant, the likeliest first.
pub(crate) fn near<'a>(entries: &'a [Entry], name: &str) -> Vec<&'a str> {
    let lower = name.to_lowercase();
    let likeness = |other: &str| {
        let other = other.to_lowercase();
        let begins = !lower.is_empty() && (other.contains(&lower) || lower.contains(&other));
        strsim::normalized_damerau_levenshtein(&lower, &other) + if begins { 1.0 } else { 0.0 }
    };
    let mut near: Vec<(f64, &str)> =
        entries.iter().map(|entry| (likeness(&entry.record.name), entry.record.name.as_str())).collect();
    near.retain(|(alike, _)| *alike > 0.5);
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.dedup_by_key(|(_, name)| *name);
    near.into_iter().map(|(_, name)| name).take(3).collect()
}

fn unknown(entries: &[Entry], name: Option<&str>, here: Option<&Path>) -> Error {
    let Some(name) = name else {
        let error = Error::new(Kind::Usage, "no server of this folder is known");
        let below: Vec<&str> = here.map_or(Vec::new(), |here| {
            let below = entries.iter().filter(|entry| entry.record.folder().starts_with(here));
            below.take(4).map(|entry| entry.record.name.as_str()).collect()
        });
        return match below.as_slice() {
            names @ [_, ..] if names.len() < 4 => error.hint(format!("name one: {}", names.join(", "))),
            _ => error.hint("name one of those that `devrun ls` shows"),
        };
    };
    let error = Error::new(Kind::Usage, format!("no server is named {name}"));
    match near(entries, name).as_slice() {
        [] => error.hint("see which there are with `devrun ls --all`"),
        near => error.hint(format!("did you mean {}?", near.join(" or "))),
    }
}

fn ambiguous(name: Option<&str>, candidates: &[&Entry]) -> Error {
    let (count, run) = (candidates.len(), candidates[0].live);
    let what = match name {
        Some(name) if candidates.iter().any(|entry| entry.record.name != name) => {
            format!("{count} servers have an id that begins with {name}")
        }
        Some(name) => format!("{count} servers are named {name}"),
        None if run => format!("{count} servers of this folder run"),
        None => format!("{count} servers of this folder are known"),
    };
    let each = |entry: &&Entry| {
        let record = &entry.record;
        format!("{} ({} in {})", record.id.0, record.name, record.cwd.lossy())
    };
    Error::new(Kind::Usage, what)
        .cause(candidates.iter().map(each).collect::<Vec<_>>().join(", "))
        .hint(format!("name one by its id, for example {}", candidates[0].record.id.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::test_record;

    fn entry(number: u64, name: &str, folder: &str, live: bool) -> Entry {
        let mut record = test_record(number, "run");
        record.name = name.into();
        record.cwd = crate::registry::Text(folder.into());
        record.changed_at = number;
        Entry { record, live }
    }

    #[test]
    fn who_is_meant() {
        let entries = [
            entry(0x1001, "web", "/a", true),
            entry(0x1002, "web", "/b", true),
            entry(0x1003, "api", "/a", false),
            entry(0x1004, "api", "/c", true),
            entry(0x1005, "old", "/d", false),
            entry(0x1006, "old", "/e", false),
            entry(0x1007, "tried", "/f", false),
            entry(0x1008, "tried-later", "/f", false),
            entry(0x1009, "one", "/g", true),
            entry(0x1010, "two", "/g", true),
        ];
        let id = |name: Option<&str>, here: &str| {
            meant(&entries, name, Some(Path::new(here)))
                .map(|entry| entry.record.id.0.trim_start_matches('0').to_string())
                .map_err(|error| format!("{} / {}", error.what(), error.what_to_do().unwrap()))
        };
        assert_eq!(id(Some("web"), "/b"), Ok("1002".into()), "this folder's of several");
        assert_eq!(id(Some("api"), "/a"), Ok("1004".into()), "the running one");
        assert_eq!(id(Some("old"), "/e"), Ok("1006".into()), "this folder's of several stopped ones");
        assert_eq!(id(Some("0000000000001001"), "/x"), Ok("1001".into()));
        assert_eq!(id(None, "/a"), Ok("1001".into()), "the running one of the folder");
        assert_eq!(id(None, "/a/deep/er"), Ok("1001".into()), "from below");
        assert_eq!(id(None, "/f"), Ok("1008".into()), "the one that ran last");
        let wrong = |name, here: &str, part: &str| {
            let error = id(name, here).unwrap_err();
            assert!(error.contains(part), "{name:?} in {here}: {error}");
        };
        wrong(
            Some("web"),
            "/x",
            "2 servers are named web / name one by its id, for example 0000000000001001",
        );
        wrong(Some("old"), "/x", "2 servers are named old");
        wrong(Some("0000"), "/x", "5 servers have an id that begins with 0000");
        wrong(None, "/g", "2 servers of this folder run");
        wrong(Some("wbe"), "/x", "no server is named wbe / did you mean web?");
        wrong(Some("tri"), "/x", "did you mean tried or tried-later?");
        wrong(Some("nothing"), "/x", "no server is named nothing / see which");
        wrong(None, "/x", "no server of this folder");
        wrong(None, "/", "no server of this folder is known / name one of those");
        wrong(Some(""), "/x", "no server is named ");
    }

    #[test]
    fn a_worktree_and_a_repository_within_another_are_projects_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        std::fs::create_dir_all(at("main/.git")).unwrap();
        std::fs::create_dir_all(at("main/src/deep")).unwrap();
        std::fs::create_dir_all(at("main/worktree/src")).unwrap();
        std::fs::write(at("main/worktree/.git"), "gitdir: x").unwrap();
        let entries = [entry(1, "main", at("main").to_str().unwrap(), true)];
        assert!(meant(&entries, None, Some(&at("main/src/deep"))).is_ok());
        assert!(meant(&entries, None, Some(&at("main/worktree"))).is_err());
        assert!(meant(&entries, None, Some(&at("main/worktree/src"))).is_err());
        let outer = meant(&entries, None, Some(folder.path())).unwrap_err();
        assert_eq!(outer.what_to_do(), Some("name one: main"));
    }
}
