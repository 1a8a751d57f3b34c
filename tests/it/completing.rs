//! Completion of server names, in the real shells.

use crate::support::{Pty, Running, SOON, Scratch};

const PROGRAM: &str = env!("CARGO_BIN_EXE_devrun");

/// Servers that have run and one that runs.
fn servers(scratch: &Scratch) -> Running {
    for name in ["shop:api@fix", "tea room", "$(touch pwned)"] {
        let args = ["-n", name, "--ready", "none", "--", "true"];
        Running::spawn(scratch.devrun(args)).outcome(SOON);
    }
    let mut run = scratch.run("-n blog", &scratch.fixture(""));
    run.ready();
    run
}

/// Types the beginning of a line and a tab, then puts `echo :` before it and runs that: shows what devrun would be
/// given.
fn completed(pty: &Pty, line: &str, expected: &str) {
    const HOME: char = '\x01';
    pty.type_in(&format!("{line}\t{HOME}echo : \n"));
    pty.shows(&format!("\n: {expected}\r\n"));
}

fn path() -> String {
    let folder = std::path::Path::new(PROGRAM).parent().unwrap().display().to_string();
    format!("PATH={folder}:$PATH")
}

#[test]
fn bash_completes_names() {
    let scratch = Scratch::new();
    let _run = servers(&scratch);
    let pty = Pty::spawn(&scratch, &["bash", "--norc", "--noprofile", "-i"]);
    pty.type_in(&format!(
        "bind 'set enable-bracketed-paste off'; {}; source <(devrun completions bash); echo r''eady\n",
        path()
    ));
    pty.shows("ready\r\n");
    completed(&pty, "devrun stop b", "devrun stop blog");
    completed(&pty, "devrun start sh", "devrun start shop:api@fix");
    completed(&pty, "devrun logs shop:a", "devrun logs shop:api@fix");
    completed(&pty, "devrun restart shop:api@", "devrun restart shop:api@fix");
    completed(&pty, "devrun restart shop:", "devrun restart shop:api@fix");
    completed(&pty, "devrun restart shop:api@f", "devrun restart shop:api@fix");
    completed(&pty, "devrun start te", "devrun start tea room");
    completed(&pty, r"devrun start \$", "devrun start $(touch pwned)");
    completed(&pty, "devrun clean --forget sh", "devrun clean --forget shop:api@fix");
    completed(&pty, "devrun stop --a", "devrun stop --all");
    assert!(!scratch.project().join("pwned").exists());
}

#[test]
fn zsh_completes_names() {
    let scratch = Scratch::new();
    let _run = servers(&scratch);
    let pty = Pty::spawn(&scratch, &["zsh", "-f", "-i"]);
    let setup = "autoload -U compinit; compinit -u -D";
    pty.type_in(&format!("{}; {setup}; source <(devrun completions zsh); echo r''eady\n", path()));
    pty.shows("ready\r\n");
    completed(&pty, "devrun stop b", "devrun stop blog");
    completed(&pty, "devrun start shop:", "devrun start shop:api@fix");
    completed(&pty, "devrun start te", "devrun start tea room");
    completed(&pty, r"devrun start \$", "devrun start $(touch pwned)");
    completed(&pty, "devrun clean --forget sh", "devrun clean --forget shop:api@fix");
    completed(&pty, "devrun stop --a", "devrun stop --all");
    assert!(!scratch.project().join("pwned").exists());
}

#[test]
fn fish_completes_names() {
    let scratch = Scratch::new();
    let _run = servers(&scratch);
    let asked = |line: &str| {
        let mut command = scratch.command("fish");
        let source = format!("set -x {}; devrun completions fish | source", path().replace(['=', ':'], " "));
        command.args(["--no-config", "-c", &format!("{source}; complete -C '{line}'")]);
        command.env("HOME", scratch.dir());
        Running::spawn(command).outcome(SOON).stdout
    };
    assert_eq!(asked("devrun stop "), "blog\n");
    assert_eq!(asked("devrun start sh"), "shop:api@fix\n");
    assert!(asked("devrun logs ").contains("tea room"));
    assert!(asked("devrun stop --a").contains("--all"));
}
