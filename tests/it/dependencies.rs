//! What is locked suits what is promised: the oldest compiler that can build it, and the size.

use std::fs;
use std::path::Path;

/// `cargo update` takes the newest: tables for host names in every script, an eighth of a megabyte and twenty crates,
/// where a server's name is `localhost`. Then `cargo update -p idna_adapter --precise 1.0.0`.
#[test]
fn no_tables_for_foreign_host_names_are_locked() {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    let tables: Vec<_> =
        lock.lines().filter(|line| line.starts_with("name = \"icu_")).map(String::from).collect();
    assert!(tables.is_empty(), "{tables:?}");
}

/// All packages of Cargo.lock, or where not all were fetched, those of this machine's target.
fn packages() -> serde_json::Value {
    let metadata = |more: &[&str]| {
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo
            .args(["metadata", "--format-version=1", "--locked", "--offline"])
            .args(more)
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        serde_json::from_slice(&cargo.output().unwrap().stdout).ok()
    };
    let rustc = std::process::Command::new("rustc").arg("-vV").output().unwrap().stdout;
    let host = String::from_utf8(rustc)
        .unwrap()
        .lines()
        .find_map(|line| Some(line.strip_prefix("host: ")?.to_string()));
    metadata(&[]).or_else(|| metadata(&["--filter-platform", &host?])).expect("cargo knows the packages")
}

#[test]
fn no_dependency_wants_a_newer_compiler_than_this_crate() {
    let version =
        |text: &str| -> Vec<u32> { text.split('.').map(|number| number.parse().unwrap()).collect() };
    let own = version(env!("CARGO_PKG_RUST_VERSION"));
    let all = packages();
    let list = |value: &serde_json::Value| value.as_array().unwrap().clone();
    let (mut open, mut seen) = (vec![all["resolve"]["root"].clone()], Vec::new());
    while let Some(id) = open.pop() {
        if seen.contains(&id) {
            continue;
        }
        let node = list(&all["resolve"]["nodes"]).into_iter().find(|node| node["id"] == id).unwrap();
        // Tests are run with the newest.
        let built =
            |dep: &serde_json::Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev");
        open.extend(list(&node["deps"]).iter().filter(|dep| built(dep)).map(|dep| dep["pkg"].clone()));
        seen.push(id);
    }
    let newer = list(&all["packages"]).into_iter().filter(|package| {
        let wanted = package["rust_version"].as_str().map(version);
        seen.contains(&package["id"]) && wanted.is_some_and(|wanted| wanted > [&own[..], &[0]].concat())
    });
    assert!(seen.len() > 50, "{}", seen.len());
    let newer: Vec<_> =
        newer.map(|package| format!("{} {}", package["name"], package["rust_version"])).collect();
    assert!(newer.is_empty(), "{newer:?}");
}
