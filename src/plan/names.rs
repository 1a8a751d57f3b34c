//! What a server is called and known by: its name, its id, the port derived from its folder. Pure.

use std::ffi::OsString;
use std::path::Path;

use super::facts::Facts;
use super::frameworks::given_unasked;
use super::values::{NAME_MAX, unfit};
use super::{Port, PortRange, ServerId};

/// The name of a server that was given none.
pub(crate) fn default_name(facts: &Facts, script: Option<&str>) -> String {
    let folder =
        || facts.cwd.file_name().map_or_else(|| "root".into(), |name| name.to_string_lossy().into_owned());
    let mut name = facts.project_name().map_or_else(folder, |name| name.trim_start_matches('@').to_string());
    if let Some(script) = script.filter(|script| !matches!(*script, "dev" | "start" | "serve")) {
        name = format!("{name}:{script}");
    }
    if let Some(branch) = facts.branch.as_ref().filter(|_| facts.is_worktree) {
        name = format!("{name}@{branch}");
    }
    let name: String =
        name.chars().map(|letter| if unfit(letter) { '-' } else { letter }).take(NAME_MAX).collect();
    if name.trim().is_empty() { "server".to_string() } else { name }
}

/// The id: of the folder and the name if one was given, else of the folder and the command.
pub(crate) fn id(cwd: &Path, name: Option<&str>, argv: &[OsString]) -> ServerId {
    let mut hash = Fnv::new();
    hash.part(cwd.as_os_str().as_encoded_bytes());
    match name {
        Some(name) => hash.part(name.as_bytes()),
        None => argv.iter().for_each(|word| hash.part(word.as_encoded_bytes())),
    }
    ServerId(format!("{:016x}", hash.0))
}

/// The port of a folder: the same every day, spread over the range, none that is never given unasked.
pub(crate) fn derived_port(cwd: &Path, range: &PortRange) -> Port {
    let mut hash = Fnv::new();
    hash.part(cwd.as_os_str().as_encoded_bytes());
    let numbers = range.numbers();
    let (first, count) = (*numbers.start(), u64::from(numbers.end() - numbers.start()) + 1);
    // Below `count`, which is at most 65535.
    let start = (hash.0 % count) as u16;
    let mut from_start = (first + start..=*numbers.end()).chain(first..first + start).filter_map(Port::new);
    // A range of nothing but special ports was asked for as it is.
    let special = Port::new(first + start).expect("ranges start at 1");
    from_start.find(|port| given_unasked(*port)).unwrap_or(special)
}

/// FNV-1a, 64 bits: the same on every machine and in every version.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds a part, ended by a byte that no path or argument has.
    fn part(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&[0]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::facts::tests::facts;

    #[test]
    fn a_name_says_project_script_and_branch() {
        let mut facts = facts("/home/me/shop", r#"{"name": "@acme/shop"}"#);
        assert_eq!(default_name(&facts, None), "acme-shop");
        assert_eq!(default_name(&facts, Some("dev")), "acme-shop");
        assert_eq!(default_name(&facts, Some("build:watch")), "acme-shop:build:watch");
        facts.branch = Some("fix/cart\u{1b}".into());
        assert_eq!(default_name(&facts, None), "acme-shop");
        facts.is_worktree = true;
        assert_eq!(default_name(&facts, Some("api")), "acme-shop:api@fix-cart-");
        facts.package = None;
        facts.branch = None;
        assert_eq!(default_name(&facts, None), "shop");
        facts.cwd = "/".into();
        assert_eq!(default_name(&facts, None), "root");
        facts.cwd = format!("/{}", "x".repeat(200)).into();
        assert_eq!(default_name(&facts, None).len(), NAME_MAX);
    }

    #[test]
    fn an_id_depends_on_folder_and_name_or_command() {
        let argv = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        let path = Path::new("/a");
        assert_eq!(id(path, None, &argv("npm run dev")), id(path, None, &argv("npm run dev")));
        assert_ne!(id(path, None, &argv("npm run dev")), id(path, None, &argv("npm rundev")));
        assert_ne!(id(path, None, &argv("npm run dev")), id(Path::new("/b"), None, &argv("npm run dev")));
        assert_eq!(id(path, Some("x"), &argv("a")), id(path, Some("x"), &argv("b")));
        assert_eq!(id(path, None, &argv("a")).0.len(), 16);
    }

    #[test]
    fn a_derived_port_is_good_for_every_folder() {
        let range = PortRange::default();
        let ports: Vec<_> = (0..2000).map(|n| derived_port(Path::new(&format!("/p/{n}")), &range)).collect();
        assert!(ports.iter().all(|port| range.contains(*port) && given_unasked(*port)));
        let different: std::collections::BTreeSet<_> = ports.iter().collect();
        assert!(different.len() > 1000, "{}", different.len());
        assert_eq!(derived_port(Path::new("/x"), &"3000-3000".parse().unwrap()).get(), 3000);
    }
}
