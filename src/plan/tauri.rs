//! Tauri's configuration, as far as it concerns the dev server: versions 1 and 2, in JSON, JSON5 and TOML. Pure: the
//! files are read by `facts`.

use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::Port;
use crate::error::{Error, Kind};

/// A project's configuration, all its files merged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tauri {
    /// The folder of the configuration: `src-tauri`.
    pub(crate) dir: PathBuf,
    pub(crate) config: Value,
}

/// What it says of the dev server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DevServer {
    /// A line for a shell.
    pub(crate) script: String,
    pub(crate) cwd: PathBuf,
    /// Where Tauri looks for it, with `{port}` in the place of the port.
    pub(crate) url: String,
    /// The port that the configuration has there.
    pub(crate) port: Port,
}

/// Reads one file, by the ending of its name.
pub(crate) fn parse(name: &str, text: &str) -> Result<Value, String> {
    let text = text.trim_start_matches('\u{feff}');
    if name.ends_with(".toml") {
        toml::from_str(text).map_err(|error| error.message().to_string())
    } else if name.ends_with(".json5") {
        // Its reader goes as deep as the text does, and would take the whole stack.
        match nesting(text) > DEEPEST {
            true => Err(format!("it is nested more than {DEEPEST} levels deep")),
            false => json5::from_str(text).map_err(|error| error.to_string()),
        }
    } else {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}

/// How deep a file may be nested: as deep as the other readers go.
const DEEPEST: usize = 128;

/// At least how deep the text is nested; brackets in texts and comments count as well.
fn nesting(text: &str) -> usize {
    let mut depth = 0_usize;
    text.bytes().fold(0, |deepest, byte| {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest.max(depth)
    })
}

/// JSON Merge Patch (RFC 7396), by which Tauri puts its files together.
pub(crate) fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    let into = into.as_object_mut().expect("made one above");
    for (key, value) in patch {
        match value {
            Value::Null => drop(into.remove(key)),
            value => merge(into.entry(key.clone()).or_insert(Value::Null), value),
        }
    }
}

impl Tauri {
    /// The address at which Tauri waits for the dev server, with `{port}` in the place of its port, and the port. None
    /// where it serves files itself.
    pub(crate) fn dev_url(&self) -> Option<(String, Port)> {
        let url = self.build("devUrl").or_else(|| self.build("devPath"))?.as_str()?;
        let (scheme, rest) = url.split_once("://")?;
        let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let written = host.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = match written {
            Some(written) => written,
            None => (host, Port::new(if scheme == "https" { 443 } else { 80 })?),
        };
        Some((format!("{scheme}://{host}:{{port}}{path}"), port))
    }

    /// The dev server that `beforeDevCommand` starts.
    pub(crate) fn dev_server(&self) -> Result<DevServer, Error> {
        let lacks = |what: &str| {
            Error::new(Kind::Usage, format!("{} names no dev server to run", self.dir.display()))
                .cause(format!("its Tauri configuration has no {what}"))
                .hint("start Tauri itself: npm run tauri dev")
        };
        let before = self.build("beforeDevCommand").unwrap_or(&Value::Null);
        let script = before.as_str().or_else(|| before["script"].as_str()).unwrap_or_default();
        if script.trim().is_empty() || before["wait"] == true {
            return Err(lacks("beforeDevCommand that goes on running"));
        }
        let (url, port) = self.dev_url().ok_or_else(|| lacks("devUrl that is a URL"))?;
        let beside = || self.dir.parent().unwrap_or(&self.dir).to_path_buf();
        let cwd = before["cwd"].as_str().map_or_else(beside, |cwd| self.dir.join(cwd));
        Ok(DevServer { script: script.to_string(), cwd, url, port })
    }

    /// The arguments for Tauri's own command line: the user's, with a configuration that has the dev server at the
    /// place of `{port}` and nothing to start. Patches that the user gives are in it.
    pub(crate) fn arguments(&self, server: &DevServer, args: &Arguments) -> Vec<OsString> {
        let key = if self.is_v1() { "devPath" } else { "devUrl" };
        let mut patch = args.patch.clone();
        merge(&mut patch, &json!({ "build": { "beforeDevCommand": "", key: server.url } }));
        let config = ["--config".into(), patch.to_string().into()];
        args.before.iter().cloned().chain(config).chain(args.behind.iter().cloned()).collect()
    }

    fn is_v1(&self) -> bool {
        self.config["tauri"].is_object() || self.build("devPath").is_some()
    }

    /// TOML files have the keys in kebab-case.
    fn build(&self, key: &str) -> Option<&Value> {
        let kebab = key.chars().fold(String::new(), |mut kebab, letter| {
            if letter.is_ascii_uppercase() {
                kebab.push('-');
            }
            kebab.push(letter.to_ascii_lowercase());
            kebab
        });
        let build = &self.config["build"];
        build.get(key).or_else(|| build.get(&kebab)).filter(|value| !value.is_null())
    }
}

impl DevServer {
    /// The script as a command: as its words where a shell would do nothing else with them, so that a server in it is
    /// recognised.
    pub(crate) fn command(&self, (shell, args): (&str, &[&str])) -> Vec<OsString> {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || " -_./:@,+".contains(letter);
        if self.script.chars().all(plain) {
            return self.script.split_whitespace().map(OsString::from).collect();
        }
        [shell].iter().chain(args).map(OsString::from).chain([self.script.clone().into()]).collect()
    }
}

/// `dev` and what the user gives it, with the `--config` values taken out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arguments {
    before: Vec<OsString>,
    /// From `--` on: for cargo and the application.
    behind: Vec<OsString>,
    /// The values of `--config`: JSON, or the name of a file.
    pub(crate) configs: Vec<String>,
    /// What these say, merged.
    pub(crate) patch: Value,
}

impl Arguments {
    /// Takes them apart; errs where it is another command than `dev`.
    pub(crate) fn of(args: &[OsString]) -> Result<Self, Error> {
        if args.first().is_none_or(|first| first != "dev") {
            return Err(Error::new(Kind::Usage, "devrun tauri knows `dev` only")
                .cause("the other commands of Tauri need no dev server of devrun's")
                .hint("devrun tauri dev"));
        }
        let at = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
        let (mut before, mut configs) = (Vec::new(), Vec::new());
        let mut rest = args[..at].iter();
        while let Some(arg) = rest.next() {
            let text = arg.to_str().unwrap_or_default();
            if text == "--config" || text == "-c" {
                configs.extend(rest.next().and_then(|value| value.to_str()).map(str::to_string));
            } else if let Some(value) = text.strip_prefix("--config=") {
                configs.push(value.to_string());
            } else {
                before.push(arg.clone());
            }
        }
        Ok(Self { before, behind: args[at..].to_vec(), configs, patch: json!({}) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tauri(name: &str, text: &str) -> Tauri {
        Tauri { dir: "/p/src-tauri".into(), config: parse(name, text).unwrap() }
    }

    fn words(words: &[OsString]) -> Vec<&str> {
        words.iter().map(|word| word.to_str().unwrap()).collect()
    }

    fn arguments(line: &[&str]) -> Result<Arguments, Error> {
        Arguments::of(&line.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn both_versions_in_every_format_name_their_dev_server() {
        let v2 = r#"{"build": {"beforeDevCommand": "npm run dev", "devUrl": "http://localhost:1420/app"}}"#;
        let json5 =
            "{build: {/* why */ beforeDevCommand: 'npm run dev', devUrl: 'http://localhost:1420/app',}}";
        let toml = "[build]\nbefore-dev-command = \"npm run dev\"\ndev-url = \"http://localhost:1420/app\"";
        let v1 = r#"{"build": {"beforeDevCommand": "npm run dev", "devPath": "http://localhost:1420/app"}}"#;
        for (name, text) in [
            ("tauri.conf.json", v2),
            ("tauri.conf.json5", json5),
            ("Tauri.toml", toml),
            ("tauri.conf.json", v1),
        ] {
            let server = tauri(name, text).dev_server().unwrap();
            assert_eq!(server.script, "npm run dev", "{text}");
            assert_eq!(server.cwd, PathBuf::from("/p"), "{text}");
            assert_eq!((&*server.url, server.port.get()), ("http://localhost:{port}/app", 1420), "{text}");
        }
        let with_options = r#"{"build": {"devUrl": "http://127.0.0.1:5173",
            "beforeDevCommand": {"script": "vite", "cwd": "../web", "wait": false}}}"#;
        let server = tauri("tauri.conf.json", with_options).dev_server().unwrap();
        assert_eq!(server.cwd, PathBuf::from("/p/src-tauri/../web"));
        assert!(parse("tauri.conf.json", "{").is_err() && parse("Tauri.toml", "=").is_err());
    }

    #[test]
    fn a_project_without_a_server_of_its_own_is_refused() {
        for text in [
            "{}",
            r#"{"build": {"beforeDevCommand": "", "devUrl": "http://localhost:1420"}}"#,
            r#"{"build": {"beforeDevCommand": null, "devUrl": "http://localhost:1420"}}"#,
            r#"{"build": {"beforeDevCommand": "npm run build", "devPath": "../dist"}}"#,
            r#"{"build": {"beforeDevCommand": {"script": "x", "wait": true}, "devUrl": "http://localhost:1"}}"#,
        ] {
            let error = tauri("tauri.conf.json", text).dev_server().unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{text}");
        }
        assert!(arguments(&["build"]).is_err() && arguments(&[]).is_err());
    }

    #[test]
    fn tauri_is_told_where_the_server_is_and_to_start_none() {
        let table = [
            (r#"{"build": {"beforeDevCommand": "vite", "devUrl": "http://localhost:1420/app"}}"#, "devUrl"),
            (
                r#"{"tauri": {}, "build": {"beforeDevCommand": "vite", "devPath": "http://localhost:1420/app"}}"#,
                "devPath",
            ),
        ];
        for (text, key) in table {
            let tauri = tauri("tauri.conf.json", text);
            let server = tauri.dev_server().unwrap();
            let mut args =
                arguments(&["dev", "-c", "{}", "--release", "--config=x.json", "--", "--config", "y"])
                    .unwrap();
            assert_eq!(args.configs, ["{}", "x.json"]);
            args.patch = json!({"productName": "mine", "build": {"beforeDevCommand": "other"}});
            let told = tauri.arguments(&server, &args);
            let patch: Value = serde_json::from_str(told[3].to_str().unwrap()).unwrap();
            assert_eq!(words(&told)[..3], ["dev", "--release", "--config"]);
            assert_eq!(words(&told)[4..], ["--", "--config", "y"]);
            assert_eq!(patch["build"], json!({"beforeDevCommand": "", key: "http://localhost:{port}/app"}));
            assert_eq!(patch["productName"], "mine");
        }
    }

    #[test]
    fn a_script_is_taken_as_words_only_where_a_shell_would_do_the_same() {
        let command = |script: &str| {
            let url = String::new();
            let server =
                DevServer { script: script.into(), cwd: "/".into(), url, port: Port::new(1).unwrap() };
            words(&server.command(("/bin/sh", &["-c"]))).join("|")
        };
        assert_eq!(command("npm run dev -- --port 1420"), "npm|run|dev|--|--port|1420");
        for script in ["A=1 vite", "vite && x", "vite '$A'", "cd web; vite", "vite *"] {
            assert_eq!(command(script), format!("/bin/sh|-c|{script}"));
        }
    }

    #[test]
    fn files_are_merged_as_tauri_merges_them() {
        let mut config =
            json!({"build": {"devUrl": "a", "beforeDevCommand": "b"}, "app": {"windows": [1, 2]}});
        merge(
            &mut config,
            &json!({"build": {"devUrl": "c", "beforeDevCommand": null}, "app": {"windows": [3]}}),
        );
        assert_eq!(config, json!({"build": {"devUrl": "c"}, "app": {"windows": [3]}}));
    }
}
