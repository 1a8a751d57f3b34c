//! What the documents name is there: a test for each promise, the file behind each link, each option of `devrun`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The promises of `tests/README.md` are numbered up to this.
const PROMISES: usize = 44;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Every document of the project, from its root.
fn documents() -> Vec<PathBuf> {
    let listed = Command::new("git").args(["ls-files", "*.md"]).current_dir(root()).output().unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    assert!(names.contains("README.md"), "git knows the documents");
    names.lines().map(PathBuf::from).filter(|path| root().join(path).is_file()).collect()
}

/// The words between backquotes.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// What is wrong with a test's name as the table of promises writes it.
fn missing(name: &str) -> Option<String> {
    let (file, test) = match name.split_once("::") {
        Some((file, test)) if file.ends_with(".rs") => (file.to_string(), test),
        Some((module, test)) => (format!("tests/it/{module}.rs"), test),
        None => return (!root().join(name).is_file()).then(|| format!("there is no file {name}")),
    };
    let Ok(source) = fs::read_to_string(root().join(&file)) else {
        return Some(format!("there is no {file}"));
    };
    let wanted = if test == "*" { "#[test]".to_string() } else { format!("fn {test}()") };
    (!source.contains(&wanted)).then(|| format!("{file} has no {wanted}"))
}

#[test]
fn every_promise_has_its_tests() {
    let mut numbers = BTreeSet::new();
    let mut wrong = Vec::new();
    for line in text("tests/README.md").lines() {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, number, _, tests, _] = cells[..] else { continue };
        let Ok(number) = number.parse::<usize>() else { continue };
        numbers.insert(number);
        let named: Vec<_> = quoted(tests).collect();
        if named.is_empty() {
            wrong.push(format!("promise {number} has no test"));
        }
        wrong.extend(
            named.iter().filter_map(|name| missing(name)).map(|what| format!("promise {number}: {what}")),
        );
    }
    assert_eq!(numbers, (1..=PROMISES).collect(), "each promise stands in tests/README.md");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The names by which GitHub links to the headings of a document.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let name = |heading: &str| -> String {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(name).collect()
}

#[test]
fn every_link_inside_the_project_leads_somewhere() {
    let mut dead = Vec::new();
    for document in documents() {
        let shown = document.display();
        let here = text(&shown.to_string());
        for link in here.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path = if file.is_empty() { document.clone() } else { document.with_file_name(file) };
            let there = root().join(&path);
            let leads = there.exists()
                && (anchor.is_empty()
                    || fs::read_to_string(there)
                        .is_ok_and(|text| anchors(&text).iter().any(|a| a == anchor)));
            if !link.contains("://") && !leads {
                dead.push(format!("{shown}: {link}"));
            }
        }
    }
    assert!(dead.is_empty(), "links to nothing:\n{}", dead.join("\n"));
}

/// devrun's own options in a command: up to the first word that is neither an option nor what follows one.
fn own_options<'a>(command: &'a str, verbs: &[&str]) -> Vec<&'a str> {
    let words = command.split_whitespace().skip_while(|word| verbs.contains(word));
    let mut options = Vec::new();
    let mut value_may_follow = false;
    for word in words.take_while(|word| *word != "--") {
        let is_option = word.starts_with('-');
        if !is_option && !value_may_follow {
            break;
        }
        value_may_follow = is_option;
        options.extend(word.starts_with("--").then(|| word.split('=').next().unwrap_or(word)));
    }
    options
}

#[test]
fn every_option_in_a_command_of_the_documents_is_there() {
    let help = |verb: &[&str]| {
        let devrun = Command::new(env!("CARGO_BIN_EXE_devrun")).args(verb).arg("--help").output().unwrap();
        String::from_utf8(devrun.stdout).unwrap()
    };
    let verbs =
        ["ls", "logs", "wait", "stop", "clean", "dashboard", "who", "status", "start", "restart", "open"];
    let known: String = std::iter::once(help(&[])).chain(verbs.iter().map(|verb| help(&[verb]))).collect();
    // Whole words: `--port-rang` is in `--port-range`.
    let known: BTreeSet<_> = known.split(|c: char| !c.is_alphanumeric() && c != '-').collect();
    let mut unknown = Vec::new();
    let mut seen = 0;
    for document in documents() {
        let text = text(&document.display().to_string());
        // In blocks of a console and between backquotes.
        let commands = text.lines().flat_map(|line| line.strip_prefix("$ ").into_iter().chain(quoted(line)));
        for command in commands.filter_map(|line| line.strip_prefix("devrun ")) {
            let options = own_options(command, &verbs);
            seen += options.len();
            let wrong = options.into_iter().filter(|option| !known.contains(option));
            unknown.extend(wrong.map(|option| format!("{}: {option} in {command}", document.display())));
        }
    }
    assert!(unknown.is_empty(), "options that devrun does not have:\n{}", unknown.join("\n"));
    assert!(seen > 20, "{seen} options found");
}

/// What a shell makes of a line of a document, with devrun asked only whether it understands its arguments: a verb
/// for its help, a run in a folder that is not there. Without a PATH nothing else of the line is executed.
const ONLY_PARSE: &str = r#"
devrun() {
    case $1 in
        ls|status|start|stop|restart|open|logs|wait|url|events|who|clean|dashboard|completions|man)
            "$DEVRUN" "$@" --help >/dev/null || echo "not understood: $*" >&2 ;;
        tauri|doctor) ;;
        *) case $("$DEVRUN" "$@" 2>&1) in
            *"cannot use the folder"*) ;;
            *) echo "not understood: $*" >&2 ;;
        esac ;;
    esac
}
"#;

#[test]
fn every_command_line_of_devrun_in_a_console_block_is_understood() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for document in documents() {
        let text = text(&document.display().to_string());
        for line in text.lines().filter_map(|line| line.strip_prefix("$ ")) {
            // A placeholder in brackets is for the reader.
            if !line.starts_with("devrun ") || line.contains('[') {
                continue;
            }
            seen += 1;
            let shell = Command::new("/bin/sh")
                .args(["-c", &format!("{ONLY_PARSE}{line}")])
                .env_clear()
                .envs([("PATH", ""), ("DEVRUN", env!("CARGO_BIN_EXE_devrun"))])
                .envs([("DEVRUN_CWD", "/nowhere"), ("DEVRUN_STATE_DIR", "/nowhere/state")])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&shell.stderr);
            if said.contains("not understood") {
                wrong.push(format!("{}: {line}\n{said}", document.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "devrun does not understand:\n{}", wrong.join("\n"));
    assert!(seen > 30, "{seen} command lines found");
}
