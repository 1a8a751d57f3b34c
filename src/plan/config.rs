//! Settings from `package.json#devrun`, `devrun.toml` and the environment. Pure: text in, wishes out; no file is
//! read here.

use std::path::Path;

use serde_json::Value;

use super::request::{KEYS, Request};
use crate::error::{Error, Kind};

/// The settings of a `devrun.toml`.
pub(crate) fn from_toml(path: &Path, text: &str) -> Result<Request, Error> {
    let table = toml::de::DeTable::parse(text).map_err(|error| {
        let line = line_at(text, error.span().map_or(0, |span| span.start));
        wrong(path, line, error.message())
    })?;
    let mut request = Request::default();
    for (key, value) in table.get_ref() {
        let line = line_at(text, key.span().start);
        let items = match value.get_ref() {
            toml::de::DeValue::Array(items) => items.iter().map(toml::Spanned::get_ref).collect(),
            one => vec![one],
        };
        for item in items {
            let written = match item {
                toml::de::DeValue::String(text) => text.to_string(),
                toml::de::DeValue::Integer(number) => number.to_string(),
                toml::de::DeValue::Boolean(on) => on.to_string(),
                other => return Err(misfit(path, line, key.get_ref(), other.type_str())),
            };
            request
                .set(key.get_ref(), &written)
                .map_err(|why| wrong(path, line, &format!("{}: {why}", key.get_ref())))?;
        }
    }
    Ok(request)
}

/// The settings in the `devrun` section of a `package.json`, whose text is given for line numbers.
pub(crate) fn from_package(path: &Path, text: &str, section: &Value) -> Result<Request, Error> {
    let start = text.find("\"devrun\"").unwrap_or(0);
    let Value::Object(section) = section else {
        return Err(wrong(path, line_at(text, start), "devrun: expected an object of options"));
    };
    let mut request = Request::default();
    for (key, value) in section {
        let line = line_at(text, text[start..].find(&format!("\"{key}\"")).map_or(start, |at| start + at));
        let items = match value {
            Value::Array(items) => items.iter().collect(),
            one => vec![one],
        };
        for item in items {
            let written = match item {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Bool(on) => on.to_string(),
                Value::Null => return Err(misfit(path, line, key, "null")),
                Value::Array(_) => return Err(misfit(path, line, key, "an array")),
                Value::Object(_) => return Err(misfit(path, line, key, "an object")),
            };
            request.set(key, &written).map_err(|why| wrong(path, line, &format!("{key}: {why}")))?;
        }
    }
    Ok(request)
}

/// What is said to an outer devrun, or by it.
const OF_THE_OUTER: &[&str] =
    &["port", "name", "cwd", "then", "detach", "open", "if-running", "force", "restart"];

/// The variable of an option.
fn variable(key: &str) -> String {
    match key {
        // DEVRUN_LOG filters the trace.
        "log" => "DEVRUN_KEEP_LOG".to_string(),
        key => format!("DEVRUN_{}", key.to_ascii_uppercase().replace('-', "_")),
    }
}

/// All variables that say something to devrun: the options, and what an outer devrun and whoever calls have set.
pub(crate) fn variables() -> impl Iterator<Item = String> {
    let around = ["PORT", "DEVRUN_ID", "DEVRUN_URL"].map(str::to_string);
    KEYS.iter().map(|key| variable(key)).chain(around)
}

/// The settings in `DEVRUN_*`. Under another devrun (`DEVRUN_ID` is there) what that one exported, and its folder,
/// are none. Lists are separated by commas.
pub(crate) fn from_env(get: &dyn Fn(&str) -> Option<String>) -> Result<Request, Error> {
    let nested = get("DEVRUN_ID").is_some();
    let mut request = Request::default();
    for key in KEYS.iter().filter(|key| !(nested && OF_THE_OUTER.contains(key))) {
        let variable = variable(key);
        let Some(value) = get(&variable).filter(|value| !value.is_empty()) else { continue };
        let items = match *key {
            "port-env" | "spare" => value.split(',').map(str::trim).collect(),
            _ => vec![value.as_str()],
        };
        for item in items {
            request.set(key, item).map_err(|why| {
                Error::new(Kind::Usage, format!("{variable} in the environment is wrong"))
                    .cause(why)
                    .hint(format!("unset {variable}"))
            })?;
        }
    }
    Ok(request)
}

fn misfit(path: &Path, line: usize, key: &str, found: &str) -> Error {
    wrong(
        path,
        line,
        &format!("{key}: expected a string, a number, true or false, or a list of them; found {found}"),
    )
}

/// The error for a file: where, and what was expected.
fn wrong(path: &Path, line: usize, why: &str) -> Error {
    Error::new(Kind::Usage, format!("cannot use {}, line {line}", path.display()))
        .cause(why.trim().replace('\n', "; "))
        .hint("devrun --help lists the options; keys in files are the same without the dashes in front")
}

/// The line, counted from 1, of this place in the text.
fn line_at(text: &str, place: usize) -> usize {
    1 + text.as_bytes()[..place.min(text.len())].iter().filter(|&&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_say_the_same() {
        let toml = "port = 4100\nstrict-port = true\nport-env = [\"API_PORT=api\", \"X\"]\nready-timeout = \"30s\"\n";
        let json = r#"{"port": 4100, "strict-port": true, "port-env": ["API_PORT=api", "X"], "ready-timeout": "30s"}"#;
        let from_toml = from_toml(Path::new("devrun.toml"), toml).unwrap();
        let section = serde_json::from_str(json).unwrap();
        assert_eq!(from_toml, from_package(Path::new("package.json"), json, &section).unwrap());
        assert_eq!(from_toml.port_env.len(), 2);
    }

    #[test]
    fn an_error_names_file_line_and_what_was_expected() {
        let cases = [
            ("port = 4100\nstrictport = true\n", "devrun.toml, line 2", "is `strict-port` meant?"),
            ("\nport = 99999\n", "devrun.toml, line 2", "1 to 65535"),
            ("port = -1", "devrun.toml, line 1", "1 to 65535"),
            ("a = 1\nport = = 3\n", "devrun.toml, line 2", ""),
            ("stop-timeout = 5", "devrun.toml, line 1", "has no unit"),
            ("[port]\nx = 1", "devrun.toml, line 1", "found table"),
            ("name = \"a/b\"", "devrun.toml, line 1", "no `/`"),
        ];
        for (text, place, why) in cases {
            let error = from_toml(Path::new("devrun.toml"), text).unwrap_err();
            assert!(error.what().contains(place), "{text}: {error}");
            assert!(error.why().unwrap().contains(why), "{text}: {error}");
            assert_eq!(error.kind(), Kind::Usage);
        }
        let text = "{\n \"devrun\": {\n  \"open\": 3\n }\n}";
        let section = serde_json::from_str::<Value>(text).unwrap()["devrun"].clone();
        let error = from_package(Path::new("package.json"), text, &section).unwrap_err();
        assert!(error.what().contains("line 3"), "{error}");
    }

    #[test]
    fn the_environment_is_a_source_but_not_what_an_outer_devrun_exported() {
        let env = |nested: bool| {
            move |name: &str| match name {
                "DEVRUN_PORT" => Some("4100".to_string()),
                "DEVRUN_SPARE" => Some("adb, sccache".to_string()),
                "DEVRUN_ID" if nested => Some("abc".to_string()),
                _ => None,
            }
        };
        let alone = from_env(&env(false)).unwrap();
        assert_eq!(alone.port, Some("4100".parse().unwrap()));
        assert_eq!(alone.spare, ["adb", "sccache"]);
        assert_eq!(from_env(&env(true)).unwrap().port, None);
        let error = from_env(&|name| (name == "DEVRUN_PORT").then(|| "abc".to_string())).unwrap_err();
        assert!(error.what().contains("DEVRUN_PORT"), "{error}");
    }
}
