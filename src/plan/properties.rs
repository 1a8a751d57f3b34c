//! What holds for every file, variable and option that somebody else wrote.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::facts::tests::facts;
use super::request::KEYS;
use super::tauri::{Arguments, Tauri, merge, parse};
use super::{Port, PortRange, Request, config, names, values};

/// Any JSON of a few levels, with the keys that are looked for among the others.
fn any_json() -> impl Strategy<Value = Value> {
    let keys = "name|scripts|dev|build|devUrl|dev-url|devPath|beforeDevCommand|script|cwd|wait|devrun|port|tauri|.{0,3}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "(https?://)?[a-z.:\\[\\]@]{0,9}(:[0-9]{1,6})?(/.{0,3})?|.{0,9}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(keys, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![4 => proptest::sample::select(KEYS).prop_map(str::to_string), 1 => "[a-z-]{0,9}|.{0,3}"]
}

proptest! {
    #![proptest_config(crate::testing::properties())]

    #[test]
    fn any_text_for_a_file_is_settings_or_an_error_that_names_the_line(
        text in "([a-z-]{1,12}( = |=)([0-9]{1,6}|true|\"[^\"]{0,5}\"|\\[.{0,5}\\])?\n|\\[[a-z]{1,3}\\]\n|.|\n){0,8}",
    ) {
        if let Err(error) = config::from_toml(Path::new("devrun.toml"), &text) {
            let line: usize = error.what().rsplit(' ').next().and_then(|line| line.parse().ok()).expect("a line");
            prop_assert!((1..=text.split('\n').count()).contains(&line), "{error}");
        }
        if let Ok(section) = serde_json::from_str::<Value>(&text) {
            let _ = config::from_package(Path::new("package.json"), &text, &section);
        }
    }

    #[test]
    fn any_section_of_a_package_is_settings_or_an_error_that_names_the_line(section in any_json()) {
        let text = serde_json::to_string_pretty(&json!({ "name": "x", "devrun": section })).expect("plain");
        if let Err(error) = config::from_package(Path::new("package.json"), &text, &section) {
            let line: usize = error.what().rsplit(' ').next().and_then(|line| line.parse().ok()).expect("a line");
            prop_assert!((2..=text.lines().count()).contains(&line), "{error}\n{text}");
        }
    }

    #[test]
    fn a_value_means_the_same_in_every_place(key in any_key(), value in "[0-9]{1,6}(ms|s|m|h|-[0-9]{1,5})?|true|SIG[A-Z]{3}|log:.{0,5}|/.{0,5}|.{0,5}") {
        let mut direct = Request::default();
        let told = direct.set(&key, &value);
        let toml = format!("{} = {}\n", json!(key), json!(value));
        match config::from_toml(Path::new("devrun.toml"), &toml) {
            Ok(read) => prop_assert_eq!(&read, &direct),
            // TOML has no characters of control in a text as JSON writes it.
            Err(_) => {
                let allowed = told.is_err() || value.contains('\u{7f}');
                prop_assert!(allowed);
            }
        }
        let section = json!({ key.clone(): value.clone() });
        let read = config::from_package(Path::new("package.json"), &section.to_string(), &section);
        prop_assert_eq!(read.is_ok(), told.is_ok());
    }

    #[test]
    fn a_duration_is_never_another_one(number: u64, unit in "ms|s|m|h|", junk in ".*") {
        let in_ms = match unit.as_str() { "ms" => 1, "s" => 1000, "m" => 60_000, _ => 3_600_000 };
        let expected = number.checked_mul(in_ms).filter(|_| !unit.is_empty());
        let read = values::duration(&format!("{number}{unit}"));
        prop_assert_eq!(read.ok().map(|duration| duration.as_millis()), expected.map(u128::from));
        let _ = (values::duration(&junk), values::ready(&junk), values::restart(&junk), values::owner(&junk));
        let _ = (values::port_variable(&junk), values::stop_signal(&junk), values::count(&junk));
    }

    #[test]
    fn a_port_and_a_range_are_what_was_written(first: u16, last: u16, junk in "[0-9+ -]{0,12}") {
        prop_assert_eq!(first.to_string().parse::<Port>().ok(), Port::new(first));
        let signed = format!("+{first}");
        prop_assert!(signed.parse::<Port>().is_err());
        if let Ok(range) = format!("{first}-{last}").parse::<PortRange>() {
            prop_assert_eq!(range.to_string(), format!("{first}-{last}"));
            prop_assert!(range.contains(names::derived_port(Path::new(&junk), &range)));
        } else {
            prop_assert!(first == 0 || last < first);
        }
        if let Ok(range) = junk.parse::<PortRange>() {
            prop_assert_eq!(range.to_string().parse(), Ok(range));
        }
    }

    #[test]
    fn a_server_that_was_given_no_name_gets_one_that_may_be_given(
        folder in ".*", package in any_json(), script in proptest::option::of(".*"), branch in ".*",
    ) {
        let mut facts = facts("/p", &package.to_string());
        facts.cwd = PathBuf::from(format!("/{folder}"));
        (facts.branch, facts.is_worktree) = (Some(branch), true);
        let name = names::default_name(&facts, script.as_deref());
        prop_assert_eq!(values::name(&name), Ok(name));
    }

    #[test]
    fn any_configuration_of_tauri_is_read_or_refused(config in any_json(), patch in any_json(), junk in ".*") {
        for name in ["tauri.conf.json", "tauri.conf.json5", "Tauri.toml"] {
            let _ = parse(name, &junk);
        }
        for name in ["tauri.conf.json", "tauri.conf.json5"] {
            prop_assert_eq!(parse(name, &config.to_string()), Ok(config.clone()));
        }
        let mut merged = config;
        merge(&mut merged, &patch);
        let once = merged.clone();
        merge(&mut merged, &patch);
        prop_assert_eq!(&merged, &once);
        let _ = Tauri { dir: "/p/src-tauri".into(), config: merged }.dev_server();
    }

    #[test]
    fn tauri_is_sent_to_the_port_of_the_server(
        scheme in "https?", user in "([a-z]{1,3}(:[0-9]{1,5})?@)?", host in "localhost|127\\.0\\.0\\.1|\\[::1\\]",
        port in proptest::option::of(1_u16..), path in "(/[a-z:0-9]{0,9})?", known in "devUrl|dev-url|devPath",
    ) {
        let written = port.map_or(String::new(), |port| format!(":{port}"));
        let url = format!("{scheme}://{user}{host}{written}{path}");
        let tauri = |url: &str| Tauri {
            dir: "/p/src-tauri".into(),
            config: json!({"build": {"beforeDevCommand": "x", known.clone(): url}}),
        };
        let server = tauri(&url).dev_server().expect("a server");
        let usual = if scheme == "https" { 443 } else { 80 };
        prop_assert_eq!(server.port.get(), port.unwrap_or(usual));
        let told = tauri(&url).arguments(&server, &Arguments::of(&["dev".into()]).expect("dev"));
        let patch: Value = serde_json::from_str(told[2].to_str().expect("JSON")).expect("JSON");
        let build = &patch["build"];
        let moved = build["devUrl"].as_str().or_else(|| build["devPath"].as_str()).expect("a URL");
        let moved = moved.replace("{port}", "4100");
        prop_assert_eq!(tauri(&moved).dev_url().map(|(_, port)| port.get()), Some(4100), "{} became {}", url, moved);
        prop_assert!(moved.starts_with(&format!("{scheme}://{user}{host}:4100")) && moved.ends_with(&path), "{moved}");
    }
}

#[test]
fn a_file_that_is_nested_without_end_is_refused() {
    for text in ["[".repeat(200_000), "{\"a\":".repeat(200_000), "a=".to_string() + &"[".repeat(200_000)] {
        for name in ["tauri.conf.json", "tauri.conf.json5", "Tauri.toml"] {
            assert!(parse(name, &text).is_err(), "{name}");
        }
        assert!(config::from_toml(Path::new("devrun.toml"), &text).is_err());
        assert!(facts("/p", &text).package.is_some_and(|package| package.name.is_none()));
    }
}
