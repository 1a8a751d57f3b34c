//! What a fuzzer can feed: for each kind of foreign bytes one function, which panics where a property does not hold.
//! It is not in the program; `tests/fuzz/run` builds it in, and a unit test tries what the fuzzer once began with.

use std::cell::OnceCell;

use crate::{cli, control, dashboard, plan, registry, sys};

/// The targets by name; each has a folder of first inputs in `tests/fuzz/seeds`. The fuzzer has
/// a parser for what `script` makes.
pub const TARGETS: [(&str, fn(&[u8])); 12] = [
    ("record", record),
    ("notes", registry::fuzzing::notes),
    ("secrets", registry::fuzzing::secrets),
    ("front", control::fuzzing::front),
    ("client", control::fuzzing::client),
    ("files", plan::fuzzing::files),
    ("values", plan::fuzzing::value),
    ("command", plan::fuzzing::command),
    ("proc", sys::read_proc),
    ("terminal", cli::fuzzing::text),
    ("http", http),
    ("script", script),
];

/// A record, and what is shown of it.
fn record(bytes: &[u8]) {
    if let Some(entry) = registry::fuzzing::record(bytes) {
        cli::fuzzing::entry(&entry);
    }
}

/// A connection to the dashboard, of which there is one for each thread.
#[allow(clippy::missing_const_for_thread_local)] // it is const, which clippy 1.96 overlooks for Windows
fn http(bytes: &[u8]) {
    thread_local! {
        static DASHBOARD: OnceCell<dashboard::fuzzing::Dashboard> = const { OnceCell::new() };
    }
    DASHBOARD.with(|dashboard| dashboard.get_or_init(dashboard::fuzzing::Dashboard::new).is_sent(bytes));
}

fn script(bytes: &[u8]) {
    rewritten(&String::from_utf8_lossy(bytes), bytes.len().is_multiple_of(2));
}

/// The script with the port 4100 for the server in it; a port that is written already is changed only if `replace`.
pub fn rewritten(script: &str, replace: bool) -> String {
    plan::fuzzing::rewritten(script, replace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_input_of_the_fuzzer_holds() {
        let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
        for (name, target) in TARGETS {
            let inputs: Vec<_> = std::fs::read_dir(seeds.join(name)).unwrap().flatten().collect();
            assert!(!inputs.is_empty(), "{name}");
            for input in inputs {
                println!("{name} {:?}", input.file_name());
                target(&std::fs::read(input.path()).unwrap());
            }
        }
        assert_eq!(std::fs::read_dir(seeds).unwrap().count(), TARGETS.len(), "a folder without a target");
    }
}
