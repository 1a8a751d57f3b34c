//! The target of `devrun::fuzzing` that `DEVRUN_FUZZ` names. What has to hold stands there.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("DEVRUN_FUZZ").unwrap_or_default();
    let found = devrun::fuzzing::TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("DEVRUN_FUZZ={name} is no target")).1
});

fuzz_target!(|bytes: &[u8]| TARGET(bytes));
