//! Reads Tauri's configuration files. What they say is for `plan::tauri`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Kind};
use crate::plan::tauri::{Arguments, Tauri, merge, parse};
use crate::plan::{Wanted, WantedBy};
use crate::sys::files::stranger;

/// Set by Tauri 2 and 1 for the commands that they start.
const STARTED_BY: [&str; 2] = ["TAURI_ENV_PLATFORM", "TAURI_PLATFORM"];

/// The configuration that Tauri merged from its own command line, for the commands that it starts.
const PATCH: &str = "TAURI_CONFIG";

/// The port at which the Tauri command line that started this process waits, if one did.
pub(crate) fn wanted(cwd: &Path, env: &BTreeMap<String, String>) -> Result<Option<Wanted>, Error> {
    if !STARTED_BY.iter().any(|name| env.contains_key(*name)) {
        return Ok(None);
    }
    let Some(mut tauri) = find(cwd)? else { return Ok(None) };
    if let Some(patch) = env.get(PATCH).and_then(|text| parse(PATCH, text).ok()) {
        merge(&mut tauri.config, &patch);
    }
    Ok(tauri.dev_url().map(|(_, port)| Wanted { port, by: WantedBy::Tauri }))
}

/// The configuration of the project that this folder belongs to, with the files for this platform.
pub(crate) fn find(cwd: &Path) -> Result<Option<Tauri>, Error> {
    for folder in cwd.ancestors() {
        for dir in [folder.join("src-tauri"), folder.to_path_buf()] {
            let names = ["tauri.conf.json", "tauri.conf.json5", "Tauri.toml"];
            if let Some(mut config) = first(cwd, &dir, &names)? {
                let os = std::env::consts::OS;
                let names = ["conf.json", "conf.json5"].map(|ending| format!("tauri.{os}.{ending}"));
                let [json, json5] = &names;
                if let Some(patch) = first(cwd, &dir, &[json, json5, &format!("Tauri.{os}.toml")])? {
                    merge(&mut config, &patch);
                }
                return Ok(Some(Tauri { dir, config }));
            }
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    Ok(None)
}

/// Reads what the user's `--config` arguments say, over the files and into the patch that goes to Tauri.
pub(crate) fn apply(cwd: &Path, tauri: &mut Tauri, args: &mut Arguments) -> Result<(), Error> {
    for value in &args.configs {
        let patch = match value.trim_start().starts_with('{') {
            true => parse("", value).map_err(|why| unreadable("--config", &why))?,
            false => read(&cwd.join(value))?.ok_or_else(|| unreadable(value, "there is no such file"))?,
        };
        merge(&mut tauri.config, &patch);
        merge(&mut args.patch, &patch);
    }
    Ok(())
}

/// The first of these files that exists. An error if somebody else put it above the project: Tauri may well read it.
fn first(cwd: &Path, dir: &Path, names: &[&str]) -> Result<Option<Value>, Error> {
    let own = |path: &Path| match stranger(path, cwd) {
        Some(owner) => Err(unreadable(&path.display().to_string(), &format!("it belongs to {owner}"))),
        None => read(path),
    };
    names.iter().find_map(|name| own(&dir.join(name)).transpose()).transpose()
}

fn read(path: &Path) -> Result<Option<Value>, Error> {
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(None) };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    parse(&name, &text).map(Some).map_err(|why| unreadable(&path.display().to_string(), &why))
}

fn unreadable(what: &str, why: &str) -> Error {
    Error::new(Kind::Usage, format!("{what} can't be read")).cause(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_found_beside_the_frontend_with_what_the_platform_and_the_command_line_change() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("web/index.html", "");
        let started = BTreeMap::from([("TAURI_ENV_PLATFORM".to_string(), "linux".to_string())]);
        let port = |env: &BTreeMap<String, String>| {
            wanted(&dir.path().join("web"), env).map(|wanted| wanted.map(|wanted| wanted.port.get()))
        };
        assert_eq!(port(&started).unwrap(), None);
        write("src-tauri/tauri.conf.json", r#"{"build": {"devUrl": "http://localhost:1420"}}"#);
        assert_eq!(port(&BTreeMap::new()).unwrap(), None, "Tauri has not started this");
        assert_eq!(port(&started).unwrap(), Some(1420));
        let name = format!("src-tauri/tauri.{}.conf.json", std::env::consts::OS);
        write(&name, r#"{"build": {"devUrl": "http://localhost:1500/x"}}"#);
        assert_eq!(port(&started).unwrap(), Some(1500));
        let patch = r#"{"build": {"devUrl": "http://10.0.0.1:1600"}}"#.to_string();
        let patched = started.into_iter().chain([("TAURI_CONFIG".to_string(), patch)]).collect();
        assert_eq!(port(&patched).unwrap(), Some(1600));
        write(&name, "{");
        assert!(port(&patched).unwrap_err().what().contains("src-tauri"));
    }
}
