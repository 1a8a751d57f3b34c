//! The rules of the house that no compiler knows: who may import whom, who may print, where `unsafe` and platform
//! code live, how long a file may be. All of it is data here; a broken rule names file and line.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module of the crate, and the modules of the crate that it may name. What is not listed here is refused.
#[rustfmt::skip]
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("event", &["plan"]),
    ("events", &["event"]),
    ("sys", &["event", "plan"]),
    ("plan", &["error", "sys"]), // `sys` only in `facts`: see below
    ("detach", &["error", "event", "plan", "sys"]),
    ("lifecycle", &["event", "plan"]),
    ("health", &["event", "plan", "ready"]),
    ("control", &["error", "event", "plan", "registry", "sys"]),
    ("single", &["control", "error", "event", "plan", "registry", "session", "supervise"]),
    ("owner", &["error", "plan", "sys"]),
    ("ports", &["error", "event", "plan", "registry", "sys"]),
    ("ready", &["error", "event", "plan", "sys"]),
    ("output", &["error", "event", "sys"]),
    ("registry", &["error", "event", "plan", "spare", "sys"]),
    ("spare", &["plan", "sys"]),
    ("fuzzing", &["cli", "control", "dashboard", "plan", "registry", "sys"]),
    ("terminal", &["sys"]),
    ("launch", &["error", "output", "plan", "session", "spare", "spawn", "sys", "terminal"]),
    ("spawn", &["detach", "error", "event", "owner", "plan", "spare", "sys"]),
    ("outcome", &["error", "event", "lifecycle", "output", "plan"]),
    ("session", &["control", "error", "event", "lifecycle", "plan", "ports", "registry", "sys"]),
    ("attempt", &["error", "event", "health", "launch", "lifecycle", "outcome", "output", "plan", "ports", "ready", "session", "spare", "spawn", "sys", "terminal"]),
    ("manage", &["control", "detach", "error", "event", "plan", "registry", "sys"]),
    ("supervise", &["attempt", "error", "event", "lifecycle", "output", "plan", "session", "single", "sys"]),
    ("server", &["builder", "error", "event", "plan", "supervise"]),
    ("builder", &["attempt", "error", "event", "events", "plan", "server", "spawn", "supervise"]),
    ("dashboard", &["error", "manage", "output", "plan", "registry", "sys"]),
    ("cli", &["attempt", "control", "dashboard", "detach", "error", "event", "manage", "output", "plan", "ports", "registry", "spawn", "supervise", "sys", "then"]),
    ("then", &["attempt", "error", "event", "launch", "lifecycle", "plan", "registry", "spare", "spawn", "supervise", "sys", "terminal"]),
];

/// Files with more lines than this, unit tests not counted, need a reason in `LONGER`.
const LINES: usize = 300;

/// No function of the program has more lines than this.
const FUNCTION_LINES: usize = 60;

/// The long files, with why they are not two.
const LONGER: &[(&str, &str)] = &[
    ("src/builder.rs", "a method and its words for each option"),
    ("src/ready/tests.rs", "one table of servers, good and bad"),
];

/// Marks of unfinished work. In two parts each, so that nobody who looks for one finds this line.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("db", "g!("),
];

struct Source {
    /// From the project's root, with slashes.
    path: String,
    text: String,
}

impl Source {
    /// The module of the crate that it belongs to: the first part below `src`.
    fn module(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or_default();
        inside.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// The text above the unit tests: a module that is only there under `cfg(test)`.
    fn product(&self) -> &str {
        let starts = self.text.match_indices("#[cfg(test)]").map(|(start, _)| start);
        let tests = |start: &usize| {
            let opening = self.text[*start..].lines().take(4).find(|line| line.contains("mod "));
            opening.is_some_and(|line| line.ends_with('{'))
        };
        &self.text[..starts.into_iter().find(tests).unwrap_or(self.text.len())]
    }

    /// Its lines of code with their numbers, up to the unit tests, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.product().lines().zip(1..);
        lines.filter(|(line, _)| !line.trim_start().starts_with("//")).map(|(line, number)| (number, line))
    }

    fn is_test(&self) -> bool {
        ["tests.rs", "/testing.rs", "/properties.rs", "/fuzzing.rs"]
            .iter()
            .any(|end| self.path.ends_with(end))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below these folders.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let skipped = path.ends_with("node_modules") || path.ends_with("target");
            open.extend(
                fs::read_dir(&path).unwrap().flatten().map(|entry| entry.path()).filter(|_| !skipped),
            );
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            found.push(Source { path: name, text: fs::read_to_string(path).unwrap() });
        }
    }
    assert!(!found.is_empty(), "no sources in {folders:?}");
    found
}

/// Fails with every broken place at once.
#[track_caller]
fn none(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

/// Every line of product code that `is_broken` names.
fn broken(is_broken: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    let mut places = Vec::new();
    for source in sources(&["src"]).iter().filter(|source| !source.is_test()) {
        let lines = source.code().filter(|(_, line)| is_broken(source, line));
        places.extend(lines.map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim())));
    }
    places
}

/// The modules of the crate that a line names.
fn named(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).flat_map(|rest| {
        let group = rest.strip_prefix('{').map(|inside| inside.split('}').next().unwrap_or_default());
        group.unwrap_or(rest).split(',').map(|part| {
            let part = part.trim();
            &part[..part.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(part.len())]
        })
    })
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let top = ["lib", "main", "testing"];
    let known: Vec<_> = MAY_IMPORT.iter().map(|(module, _)| *module).collect();
    let modules: Vec<_> = sources(&["src"]).iter().map(|source| source.module().to_string()).collect();
    let unknown =
        modules.into_iter().filter(|module| !known.contains(&&**module) && !top.contains(&&**module));
    none("a module without a line in MAY_IMPORT", unknown.collect());
    let upward = broken(|source, line| {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(module, _)| *module == source.module()) else {
            return false;
        };
        let mut modules = named(line).filter(|module| known.contains(module) && *module != source.module());
        modules.any(|module| !allowed.contains(&module))
    });
    none("an import that MAY_IMPORT does not allow", upward);
}

#[test]
fn deciding_reads_the_machine_only_in_facts() {
    let impure = broken(|source, line| {
        let pure =
            source.module() == "lifecycle" || (source.module() == "plan" && !source.path.contains("facts"));
        pure && ["crate::sys", "std::fs", "env::var", "Instant::now", "Command::new", "process::id()"]
            .iter()
            .any(|word| line.contains(word))
    });
    none("plan and lifecycle decide; only plan's facts look at the machine", impure);
}

#[test]
fn only_the_command_line_prints() {
    let printing = broken(|source, line| {
        let prints = ["println!", "eprintln!", "print!(", "eprint!(", "stdout().lock()", "stderr().lock()"];
        // Passing the command's own output on is what `output` is for.
        !["cli", "output", "main"].contains(&source.module()) && prints.iter().any(|word| line.contains(word))
    });
    none("only cli prints", printing);
}

#[test]
fn unsafe_and_platform_code_live_in_sys() {
    let elsewhere = broken(|source, line| {
        let platform =
            ["cfg(unix", "cfg(windows", "target_os", "cfg(not(unix", "cfg(not(windows", "target_family"];
        let is_unsafe =
            line.contains("unsafe {") || line.contains("unsafe fn") || line.contains("allow(unsafe_code)");
        source.module() != "sys" && (is_unsafe || platform.iter().any(|word| line.contains(word)))
    });
    none("unsafe and cfg(platform) only in sys", elsewhere);
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut silent = Vec::new();
    for source in sources(&["src", "tests"]) {
        let lines: Vec<_> = source.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let starts = !source.is_test() && line.contains(concat!("unsafe", " {"));
            let before = &lines[index.saturating_sub(6)..=index];
            if starts
                && !line.trim_start().starts_with("//")
                && !before.iter().any(|line| line.contains("SAFETY"))
            {
                silent.push(format!("{}:{}", source.path, index + 1));
            }
        }
    }
    silent.retain(|place| !place.starts_with("tests/it/tidy.rs"));
    none("an unsafe block without SAFETY", silent);
}

#[test]
fn nothing_unwraps_outside_tests() {
    none("unwrap outside tests", broken(|_, line| line.contains(".unwrap()")));
}

#[test]
fn a_file_fits_a_mind_and_says_what_it_is_for() {
    let mut wrong = Vec::new();
    for source in sources(&["src", "tests/it", "tests/fixture"]) {
        let lines = source.product().lines().count();
        let excused = LONGER.iter().any(|(path, _)| *path == source.path);
        if lines > LINES && !excused {
            wrong.push(format!("{}: {lines} lines", source.path));
        }
        if !source.is_test() && !source.text.starts_with("//!") {
            wrong.push(format!("{}: no `//!` that says what it is for", source.path));
        }
    }
    none("files", wrong);
}

#[test]
fn a_function_fits_a_screen() {
    let mut long = Vec::new();
    for source in sources(&["src"]).iter().filter(|source| !source.is_test()) {
        let lines: Vec<&str> = source.product().lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| begins_function(line)) {
            // rustfmt puts the closing brace under the beginning.
            let end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
            let length = lines[at..].iter().position(|line| *line == end).map_or(1, |last| last + 1);
            if length > FUNCTION_LINES {
                long.push(format!("{}:{}: {length} lines", source.path, at + 1));
            }
        }
    }
    none("a function that is too long", long);
}

/// Whether a function begins on this line and does not end on it.
fn begins_function(line: &str) -> bool {
    let line = line.trim();
    let is_one = line.starts_with("fn ") || (line.contains(" fn ") && !line.starts_with("//"));
    is_one && !line.ends_with(['}', ';'])
}

#[test]
fn nothing_is_left_unfinished() {
    let mut found = Vec::new();
    for source in sources(&["src", "tests", "benches", "examples"]) {
        let words = UNFINISHED.iter().filter(|word| source.text.contains(**word));
        found.extend(words.map(|word| format!("{}: {word}", source.path)));
    }
    none("unfinished", found);
}

#[test]
fn the_changelog_knows_this_version() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).expect("CHANGELOG.md is there");
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        changelog.contains(&format!("## {version}")) || changelog.contains(&format!("[{version}]")),
        "{version}"
    );
}

#[test]
fn every_test_is_run() {
    let ignored = concat!("#[", "ignore");
    let found = sources(&["src", "tests"]).into_iter().filter(|source| source.text.contains(ignored));
    none("an ignored test", found.map(|source| source.path).collect());
}
