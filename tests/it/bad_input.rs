//! Bad input: each a clear error or a warning, never a panic, never a half-started server.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::support::{Ended, Running, SOON, Scratch};

/// An error in three parts, naming `what`.
fn refused(args: &[&str], what: &str) {
    let scratch = Scratch::new();
    let outcome = Running::spawn(scratch.devrun(args)).outcome(SOON);
    let stderr = format!("error: [..]{what}[..]\n...");
    outcome.expect(Ended::Status(2), "", &stderr);
    assert!(!outcome.stderr.contains("panicked"), "{outcome}");
    scratch.dead().unwrap();
}

#[test]
fn options_that_cannot_be_are_usage_errors_that_name_them() {
    let true_command = ["--", "true"];
    for (option, value, what) in [
        ("--port", "0", "0"),
        ("--port", "99999", "99999"),
        ("--port", "abc", "abc"),
        ("--port", "-1", "-1"),
        ("--port-range", "4000-3000", "4000-3000"),
        ("--port-range", "abc", "abc"),
        ("--name", "a/b", "name"),
        ("--name", "a\nb", "name"),
        ("--name", "a\u{1b}[31mb", "name"),
        ("--name", "", "name"),
        ("--ready", "log:(", "log:"),
        ("--ready-timeout", "30", "30"),
        ("--ready-timeout", "soon", "soon"),
        ("--stop-timeout", "-5s", "-5s"),
        ("--stop-signal", "SIGNOTHING", "SIGNOTHING"),
        ("--owner", "everyone", "everyone"),
    ] {
        refused(&[&[&format!("{option}={value}")[..]], &true_command[..]].concat(), what);
    }
    refused(&[&["--name", &"x".repeat(4096)], &true_command[..]].concat(), "name");
}

#[test]
fn an_unknown_option_is_refused_with_the_near_one() {
    let scratch = Scratch::new();
    let outcome = Running::spawn(scratch.devrun(["--strict-prot", "--", "true"])).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(2));
    assert!(outcome.stderr.contains("--strict-port"), "{outcome}");
}

#[test]
fn no_command_and_nothing_to_find_one_in_is_a_usage_error() {
    let scratch = Scratch::new();
    let outcome = Running::spawn(scratch.devrun::<&str>([])).outcome(SOON);
    outcome.expect(Ended::Status(2), "", "error: [..]\n...\nhint: [..]\n");
}

#[test]
fn a_malformed_devrun_toml_is_told_by_file_line_and_what_was_expected() {
    for (text, line, expected) in [
        ("port = 3000\nready = [1\n", "2", "expected"),
        ("\n\nport = \"abc\"\n", "3", "1 to 65535"),
        ("strict-prot = true\n", "1", "strict-port"),
        ("stop-timeout = 5\n", "1", "5s"),
    ] {
        let scratch = Scratch::new();
        scratch.write("devrun.toml", text);
        let outcome = Running::spawn(scratch.devrun(["--", "true"])).outcome(SOON);
        assert_eq!(outcome.ended, Ended::Status(2), "{outcome}");
        for part in ["devrun.toml", line, expected] {
            assert!(outcome.stderr.contains(part), "{text:?}: no {part:?} in {outcome}");
        }
    }
}

#[test]
fn a_malformed_package_json_is_told_where_it_is_needed() {
    let scratch = Scratch::new();
    scratch.write("package.json", "{ \"scripts\": { \"dev\": ");
    let bare = Running::spawn(scratch.devrun::<&str>([])).outcome(SOON);
    bare.expect(Ended::Status(2), "", "error: [..]package.json[..]\n...");
    let with_command = Running::spawn(scratch.devrun(["--ready", "none", "--", "true"])).outcome(SOON);
    assert_eq!(with_command.ended, Ended::Status(0), "{with_command}");
}

#[test]
fn arguments_that_are_no_utf8_pass_untouched() {
    let scratch = Scratch::new();
    let odd = OsString::from_vec(b"odd-\xff\xfe-name".to_vec());
    let mut command = scratch.devrun(["-q", "--ready", "none", "--", "printf", "%s"]);
    let output = command.arg(&odd).stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!(output.stdout, odd.into_vec(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_deleted_or_missing_folder_is_named() {
    let scratch = Scratch::new();
    refused(&["-C", "/no/such/folder", "--", "true"], "/no/such/folder");
    let line = format!("mkdir gone && cd gone && rmdir ../gone && {} -- true", env!("CARGO_BIN_EXE_devrun"));
    let mut shell = scratch.command("sh");
    shell.args(["-c", &line]);
    let outcome = Running::spawn(shell).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(2), "{outcome}");
    assert!(outcome.stderr.starts_with("error: "), "{outcome}");
}

#[test]
fn a_damaged_record_is_set_aside_with_a_warning_and_the_server_runs() {
    for damage in ["", "{", "\u{0}\u{1}binary", "[[[[[[[[", "{\"version\":1}"] {
        let scratch = Scratch::new();
        let run = || Running::spawn(scratch.devrun(["--ready", "none", "--", "true"])).outcome(SOON);
        run();
        let servers = std::fs::read_dir(scratch.state().join("servers")).unwrap().flatten();
        for server in servers {
            std::fs::write(server.path().join("server.json"), damage).unwrap();
        }
        let outcome = run();
        assert_eq!(outcome.ended, Ended::Status(0), "{damage:?}: {outcome}");
        assert!(outcome.stderr.contains("warning"), "{damage:?}: {outcome}");
    }
}

#[test]
fn a_state_folder_that_is_not_safe_is_refused_with_the_reason() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let scratch = Scratch::new();
    let (real, link) = (scratch.dir().join("real"), scratch.dir().join("link"));
    std::fs::create_dir(&real).unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o777)).unwrap();
    symlink(scratch.dir(), &link).unwrap();
    for (state, reason) in [(&real, "writ"), (&link, "symbolic link")] {
        let mut command = scratch.devrun(["--ready", "none", "--", "true"]);
        command.env("DEVRUN_STATE_DIR", state);
        let outcome = Running::spawn(command).outcome(SOON);
        assert!(outcome.stderr.contains(reason), "{state:?}: {outcome}");
        assert!(!state.join("servers").exists(), "nothing is written there");
    }
}

#[test]
fn the_bypass_is_the_command_as_it_stands() {
    let scratch = Scratch::new();
    let mut command = scratch.devrun(["-p", "4321", "--", "sh", "-c", "echo ${PORT-none} $0 {port}; exit 7"]);
    command.env("DEVRUN", "0");
    Running::spawn(command).outcome(SOON).expect(Ended::Status(7), "none sh {port}\n", "");
}

#[test]
fn a_stop_of_a_name_that_is_not_there_is_an_error_with_a_hint() {
    let scratch = Scratch::new();
    let outcome = Running::spawn(scratch.devrun(["stop", "no-such-server"])).outcome(SOON);
    assert_ne!(outcome.ended, Ended::Status(0));
    outcome.expect(outcome.ended, "", "error: [..]no-such-server[..]\n...");
}
