//! Promise 43: install.sh installs devrun or says why not, and touches nothing when something is wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::machine::{Machine, TOOLS};
use crate::support::{Ended, Running, SOON, is_root, release};

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn a_fresh_machine_gets_the_program_its_man_page_and_completions_and_loses_them_again() {
    let machine = Machine::new();
    let outcome = machine.installs();
    assert!(outcome.stdout.contains("add this line to your shell's profile"), "{outcome}");
    let files = [
        ".local/bin/devrun",
        ".local/share/bash-completion/completions/devrun",
        ".local/share/fish/vendor_completions.d/devrun.fish",
        ".local/share/man/man1/devrun.1",
        ".local/share/zsh/site-functions/_devrun",
    ];
    assert_eq!(machine.files(), files);
    let page = fs::read_to_string(machine.home().join(files[3])).unwrap();
    assert!(page.contains(".TH devrun 1"), "{page}");
    let outcome = Running::spawn(machine.command(&["--uninstall"])).outcome(SOON);
    outcome.expect(Ended::Status(0), "removed [..]/.local/bin/devrun\n", "");
    assert_eq!(machine.files(), [""; 0]);
    let again = Running::spawn(machine.command(&["--uninstall"])).outcome(SOON);
    again.expect(Ended::Status(0), "devrun is not installed in [..]\n", "");
}

#[test]
fn it_installs_over_another_version_also_while_that_one_runs() {
    let machine = Machine::new();
    machine.installs();
    let fixture = machine.scratch.fixture("shape=alone");
    let mut running = machine.scratch.command(machine.devrun());
    running.args(["--ready", "none", "--"]).args(&fixture.argv);
    let running = Running::spawn(running);
    fixture.stands();
    let outcome = machine.installs();
    assert!(outcome.stdout.contains("(was devrun "), "{outcome}");
    running.stop();
    machine.scratch.assert_dead(SOON);
}

#[test]
fn a_piped_script_and_wget_do_as_well() {
    let machine = Machine::new();
    let wget: Vec<_> = TOOLS.into_iter().map(|tool| if tool == "curl" { "wget" } else { tool }).collect();
    machine.has_only(&wget);
    // Piped, it is part of no checkout, also where one happens to be.
    machine.scratch.write("Cargo.toml", "[package]\nname = \"devrun\"\n");
    let mut piped = machine.command(&[]);
    piped = with_env_of(&piped, machine.scratch.command("sh"));
    let mut run = Running::spawn(piped);
    run.input(&fs::read(machine.script()).unwrap());
    let outcome = run.outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(0), "{outcome}");
    assert!(machine.devrun().exists());
}

fn with_env_of(from: &Command, mut command: Command) -> Command {
    for (name, value) in from.get_envs().filter_map(|(name, value)| Some((name, value?))) {
        command.env(name, value);
    }
    command
}

#[test]
fn it_installs_where_nothing_in_the_temporary_folder_can_be_run() {
    if !is_root("a mount namespace") {
        return;
    }
    let machine = Machine::new();
    machine.has_only(&[&TOOLS[..], &["unshare", "mount"]].concat());
    let temporary = machine.scratch.dir().join("temporary");
    fs::create_dir(&temporary).unwrap();
    let mut inside = with_env_of(&machine.command(&[]), machine.scratch.command("unshare"));
    let script = "mount -t tmpfs -o noexec none \"$TMPDIR\"; cp \"$(command -v env)\" \"$TMPDIR\"
        ! \"$TMPDIR/env\" true 2>/dev/null || exit 9; exec sh \"$0\"";
    inside.args(["--mount", "sh", "-ec", script]).arg(machine.script()).env("TMPDIR", &temporary);
    let outcome = Running::spawn(inside).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(0), "{outcome}");
    assert!(machine.devrun().exists());
}

#[test]
fn a_program_that_does_not_run_here_is_not_left_behind() {
    let machine = Machine::new();
    checkout(&machine, "fn main() { std::process::exit(1) }\n");
    let told = "...\nerror: the program does not run on this system\n\nhint: sh install.sh --cargo\n";
    machine.refuses(in_checkout(&machine), told);
}

#[test]
fn a_wrong_checksum_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in [release::archive(), "SHA256SUMS".into()] {
        fs::copy(release::packed().join(&name), folder.path().join(&name)).unwrap();
    }
    let archive = folder.path().join(release::archive());
    let whole = fs::read(&archive).unwrap();
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    for (case, bytes) in
        [("changed", changed.as_slice()), ("cut off", &whole[..whole.len() / 2]), ("empty", b"")]
    {
        fs::write(&archive, bytes).unwrap();
        let machine = Machine::with(folder.path());
        println!("{case}");
        machine.refuses(
            machine.command(&[]),
            "error: [..] is not what its checksum says ([..]): nothing is installed",
        );
    }
}

#[test]
fn a_cut_off_download_of_the_script_runs_nothing() {
    let script = fs::read(source("install.sh")).unwrap();
    let last_line = script.windows(2).rposition(|pair| pair == b"\n{").unwrap();
    let machine = Machine::new();
    // Here and there, and everywhere in the line that would run it.
    let cuts = (0..last_line).step_by(97).chain(last_line..script.len() - 1 - "}".len());
    for cut in cuts {
        fs::write(machine.script(), &script[..cut]).unwrap();
        let outcome = Running::spawn(machine.command(&["--uninstall"])).outcome(SOON);
        assert_eq!(outcome.stdout, "", "cut at {cut}: {outcome}");
        assert_eq!(machine.files(), [""; 0], "cut at {cut}");
    }
    fs::write(machine.script(), &script[..script.len() - 1]).unwrap();
    machine.installs();
}

#[test]
fn where_it_cannot_write_it_says_so_and_downloads_nothing() {
    let machine = Machine::new();
    let folder = |path: &str| {
        let mut command = machine.command(&[]);
        command.env("DEVRUN_INSTALL_DIR", path).env("DEVRUN_INSTALL_URL", "http://127.0.0.1:1");
        command
    };
    let hint = "\n\nhint: DEVRUN_INSTALL_DIR=/another/folder sh install.sh\n";
    // Nobody writes there, root neither.
    machine.refuses(folder("/proc"), &format!("error: the folder /proc cannot be written{hint}"));
    machine.refuses(
        folder("/proc/devrun/bin"),
        &format!("error: the folder /proc/devrun/bin cannot be made{hint}"),
    );
    fs::create_dir_all(machine.scratch.dir().join("taken/devrun")).unwrap();
    let taken = machine.scratch.dir().join("taken").display().to_string();
    machine.refuses(folder(&taken), &format!("error: {taken}/devrun is a folder{hint}"));
    let mut homeless = machine.command(&[]);
    homeless.env_remove("HOME");
    machine
        .refuses(homeless, "error: HOME is not set\n\nhint: DEVRUN_INSTALL_DIR=/some/folder sh install.sh\n");
}

#[test]
fn an_unknown_platform_and_a_release_without_it_are_named() {
    for (uname, told) in [
        (
            "case $1 in -s) echo Linux ;; *) echo riscv64 ;; esac",
            "there is no released devrun for Linux on riscv64",
        ),
        (
            "case $1 in -s) echo FreeBSD ;; *) echo amd64 ;; esac",
            "there is no released devrun for FreeBSD on amd64",
        ),
        (
            "case $1 in -s) echo Darwin ;; *) echo arm64 ;; esac",
            "this release has no devrun-aarch64-apple-darwin.tar.gz",
        ),
    ] {
        let machine = Machine::new();
        machine.add_tool("uname", uname);
        machine.refuses(machine.command(&[]), &format!("error: {told}\n\nhint: sh install.sh --cargo\n"));
    }
}

#[test]
fn what_it_needs_and_does_not_find_is_named() {
    let without = |missing: &str| TOOLS.into_iter().filter(|tool| *tool != missing).collect::<Vec<_>>();
    let machine = Machine::new();
    machine.has_only(&without("curl"));
    let told = "error: neither curl nor wget is on the PATH\n\nhint: install curl, then run this again\n";
    machine.refuses(machine.command(&[]), told);
    machine.has_only(&without("sha256sum"));
    machine.refuses(machine.command(&[]), "error: there is no program for checksums [..]\n\nhint: [..]\n");
    machine.has_only(&TOOLS);
    let told =
        "error: cargo is not on the PATH\n\nhint: install Rust (https://rustup.rs), then run this again\n";
    machine.refuses(machine.command(&["--cargo"]), told);
    let mut nowhere = machine.command(&[]);
    nowhere.env_remove("DEVRUN_INSTALL_URL");
    let told = "error: this install.sh is of no release and in no checkout\n\nhint: sh install.sh --cargo\n";
    machine.refuses(nowhere, told);
    let mut unsafe_address = machine.command(&[]);
    unsafe_address.env("DEVRUN_INSTALL_URL", "http://example.org/devrun");
    machine.refuses(unsafe_address, "error: http://example.org/devrun is no https address\n");
    let mut dead_server = machine.command(&[]);
    dead_server.env("DEVRUN_INSTALL_URL", "http://127.0.0.1:1/");
    machine.refuses(dead_server, "...\nerror: http://127.0.0.1:1/SHA256SUMS cannot be downloaded\n");
}

/// A checkout of a program that is called devrun and builds in a second.
fn checkout(machine: &Machine, main: &str) {
    let manifest = "[package]\nname = \"devrun\"\nversion = \"9.9.9\"\nedition = \"2024\"\nrust-version = \"1.85\"\n[workspace]\n";
    machine.scratch.write("Cargo.toml", manifest);
    machine.scratch.write("Cargo.lock", "version = 4\n[[package]]\nname = \"devrun\"\nversion = \"9.9.9\"\n");
    machine.scratch.write("src/main.rs", main);
}

/// Builds there with the real cargo.
fn in_checkout(machine: &Machine) -> Command {
    let mut command = machine.command(&[]);
    command.env_remove("DEVRUN_INSTALL_URL").env("PATH", std::env::var_os("PATH").unwrap());
    command.env("CARGO_TARGET_DIR", machine.scratch.dir().join("built"));
    // rustup's own, which are in the real home.
    for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        let default = || Path::new(&std::env::var_os("HOME").unwrap()).join(folder).into_os_string();
        command.env(name, std::env::var_os(name).unwrap_or_else(default));
    }
    command
}

#[test]
fn in_a_checkout_it_builds_what_is_there() {
    let machine = Machine::new();
    checkout(&machine, "fn main() { println!(\"devrun 9.9.9\") }\n");
    let outcome = Running::spawn(in_checkout(&machine)).outcome(SOON * 3);
    assert_eq!(outcome.ended, Ended::Status(0), "{outcome}");
    assert!(outcome.stdout.contains("installed devrun 9.9.9 as "), "{outcome}");
}

#[test]
fn a_build_that_fails_and_an_old_rust_install_nothing() {
    let machine = Machine::new();
    checkout(&machine, "fn main() { no }\n");
    machine.refuses(in_checkout(&machine), "...\nerror: the build failed; cargo's own words are above\n");
    machine.add_tool("cargo", "exit 1");
    machine.add_tool("rustc", "echo 'rustc 1.70.0 (x)'");
    let mut old = in_checkout(&machine);
    old.env("PATH", machine.tools());
    let told = "error: rustc 1.70.0 is too old: devrun needs 1.85\n\nhint: rustup update stable\n";
    machine.refuses(old, told);
}

#[test]
fn the_same_program_gives_the_same_archive() {
    let pack = || {
        let folder = tempfile::tempdir().unwrap();
        release::pack(folder.path(), &source("install.sh"));
        fs::read(folder.path().join(release::archive())).unwrap()
    };
    assert!(pack() == pack());
}
