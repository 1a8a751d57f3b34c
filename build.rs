//! Leaves the tables for unwinding out of the program on Linux: an eighth of it, and a program that aborts when it
//! panics never reads them. The library is as it is: what its user's program links is the user's own affair.

use std::env;
use std::fs;
use std::path::Path;

/// For GNU's linker and LLVM's: the one section away, all else as it would have been. The compiler's start files in a
/// static program name it, so theirs stays.
const SCRIPT: &str = "SECTIONS {
    /DISCARD/ : { *(EXCLUDE_FILE(*crtbegin*.o *crtend*.o) .eh_frame) }
} INSERT AFTER .comment;
";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    // Only the release profile aborts. Whoever chose a linker may have one that knows no scripts.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if !is("CARGO_CFG_TARGET_OS", "linux") || !is("PROFILE", "release") || flags.contains("fuse-ld") {
        return;
    }
    let folder = env::var("OUT_DIR").expect("cargo sets it");
    let script = Path::new(&folder).join("no-unwinding.ld");
    fs::write(&script, SCRIPT).expect("the folder is ours to write to");
    println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
    println!("cargo::rustc-link-arg-bins=-T{}", script.display());
}
