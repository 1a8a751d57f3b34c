//! What is decided by any file, script, value and command of somebody else. No file is opened.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use serde_json::Value;

use super::facts::{Facts, Package, cargo_name};
use super::inject::Told;
use super::look::{HOST, Written};
use super::tauri::{Arguments, Tauri, merge, parse};
use super::{Port, PortRange, PortSet, Request, Then, config, make, names, script, values};

/// Files of a project: an error names a line that is there.
pub(crate) fn files(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(error) = config::from_toml(Path::new("devrun.toml"), &text) {
        names_a_line(error.what(), &text);
    }
    if let Ok(value) = serde_json::from_str::<Value>(&text)
        && let Err(error) = config::from_package(Path::new("package.json"), &text, &value["devrun"])
    {
        names_a_line(error.what(), &text);
    }
    let _ = cargo_name(&text);
    let package = Package::read("/p".into(), &text);
    let facts = Facts { cwd: "/p".into(), package: Some(package), ..Facts::default() };
    let name = names::default_name(&facts, Some("dev"));
    assert_eq!(values::name(&name).as_ref(), Ok(&name));
    tauri(&text);
}

fn names_a_line(what: &str, text: &str) {
    let line: Option<usize> = what.rsplit(' ').next().and_then(|line| line.parse().ok());
    assert!(line.is_some_and(|line| (1..=text.split('\n').count()).contains(&line)), "{what}");
}

/// What Tauri is told leads to the port, on the host that the configuration has.
fn tauri(text: &str) {
    let (first, second) = text.split_once('\0').unwrap_or((text, "{}"));
    for name in ["tauri.conf.json", "tauri.conf.json5", "Tauri.toml"] {
        let Ok(mut config) = parse(name, first) else { continue };
        if let Ok(patch) = parse(name, second) {
            merge(&mut config, &patch);
            let once = config.clone();
            merge(&mut config, &patch);
            assert_eq!(config, once);
        }
        let tauri = Tauri { dir: "/p/src-tauri".into(), config };
        let Ok(server) = tauri.dev_server() else { continue };
        let _ = server.command(("/bin/sh", &["-c"]));
        let told = tauri.arguments(&server, &Arguments::of(&["dev".into()]).expect("it is dev"));
        let patch: Value = told[2].to_str().and_then(|patch| serde_json::from_str(patch).ok()).expect("JSON");
        let mut config = tauri.config.clone();
        merge(&mut config, &patch);
        let before = config.to_string().contains("{port}");
        let filled = config.to_string().replace("{port}", "4100");
        let config = serde_json::from_str(&filled).expect("only digits were put in");
        let moved = Tauri { dir: tauri.dir, config }.dev_url();
        assert!(!before || moved.is_some_and(|(_, port)| port.get() == 4100), "{filled}");
    }
}

/// A script before and after, for whoever can parse one.
pub(crate) fn rewritten(script: &str, replace: bool) -> String {
    let written = if replace { Written::Any } else { Written::None };
    let told = Told { port: Port::new(4100).expect("a port"), written, beside: false };
    let once = script::rewrite(script, told);
    let twice = script::rewrite(&once.script, told);
    assert_eq!(once, twice, "what has the port keeps it");
    once.script
}

/// Values of options, however they are written.
pub(crate) fn value(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (key, value) = text.split_once('\0').unwrap_or(("name", &text));
    if let Ok(duration) = values::duration(value) {
        let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
        let same = |(unit, ms): &(&str, u128)| {
            let number = value.strip_suffix(unit).and_then(|digits| digits.parse::<u128>().ok());
            number.is_some_and(|number| number * ms == duration.as_millis())
        };
        assert!(units.iter().any(same), "{value} is {duration:?}");
    }
    if let Ok(name) = values::name(value) {
        assert!(!name.chars().any(values::unfit));
    }
    if let Ok(signal) = values::stop_signal(value) {
        let named = format!("{signal:?}");
        assert!(value.to_ascii_uppercase().ends_with(&named.to_ascii_uppercase()), "{value} is {named}");
    }
    if let Ok(range) = value.parse::<PortRange>() {
        assert!(range.contains(names::derived_port(Path::new(key), &range)));
        assert_eq!(range.to_string().parse(), Ok(range));
    }
    let mut direct = Request::default();
    let told = direct.set(key, value);
    let toml = format!("{} = {}\n", serde_json::json!(key), serde_json::json!(value));
    if let Ok(read) = config::from_toml(Path::new("devrun.toml"), &toml) {
        assert!(told.is_ok() && read == direct, "{toml}");
    }
    let from_env =
        config::from_env(&|name| (name == key || name == "DEVRUN_READY").then(|| value.to_string()));
    let _ = from_env.map_err(|error| error.to_string());
}

/// A package.json, a NUL, and a command with its words separated by NULs: the command that is run has every word of
/// the user's in its place, and no placeholder.
pub(crate) fn command(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\0');
    let package = Package::read("/p".into(), parts.next().unwrap_or_default());
    let words: Vec<OsString> = parts.map(OsString::from).collect();
    let facts = Facts {
        cwd: "/p".into(),
        package: Some(package),
        shell: Some("/bin/devrun".into()),
        ..Facts::default()
    };
    let Ok(plan) = make(Request { command: words, ..Request::default() }, &facts) else { return };
    assert_eq!(values::name(&plan.name).as_ref(), Ok(&plan.name));
    let ports = PortSet { main: Port::new(4100).expect("a port"), extra: Vec::new() };
    let command = plan.command(&ports);
    let mut given = std::iter::once(&command.program).chain(&command.args);
    let placeholders = ["{port}", "{host}", "{url}", "{name}"];
    for word in &plan.argv {
        let is = |found: &OsString| {
            let (found, word) = (found.to_str().unwrap_or_default(), word.to_str().unwrap_or_default());
            found == word || placeholders.contains(&word) || has_the_port_of(found, word)
        };
        assert!(given.any(is), "{word:?} of {:?} is not in {command:?}", plan.argv);
    }
    let line = "curl {url} {port} {host} {name}";
    let (line, shell) = (Then::Line(line.into()), ("/bin/sh", ["-c"].as_slice()));
    let then = plan.then_command(&line, "http://localhost:4100", &BTreeMap::new(), shell);
    let name = then.args[1].to_str().and_then(|line| {
        line.strip_prefix(&format!("curl http://localhost:4100 4100 {HOST} ")).map(str::to_string)
    });
    let shells =
        [' ', '\n', '\t', '$', '`', '"', '\'', ';', '&', '|', '<', '>', '(', ')', '*', '?', '#', '\\'];
    assert!(name.is_some_and(|name| !name.contains(shells)));
}

/// Whether the word became this one by the number at its end, or behind a switch that can stand without one.
fn has_the_port_of(found: &str, word: &str) -> bool {
    let head = word.trim_end_matches(|c: char| c.is_ascii_digit());
    found.strip_prefix(head).is_some_and(|port| port == "4100")
        || found.strip_prefix(word).is_some_and(|rest| rest.starts_with('=') && rest.ends_with("4100"))
}
