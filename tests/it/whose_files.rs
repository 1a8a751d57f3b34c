//! Promise 24: what another user has put above the project is not believed, and it is said.

use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::Path;

use crate::support::{Ended, Outcome, Running, SOON, Scratch, is_root, write_program};

const NOBODY: u32 = 65534;

/// A project below a folder where anybody may put something, as in /tmp.
fn below_a_public_folder() -> Scratch {
    let scratch = Scratch::new();
    std::fs::set_permissions(scratch.dir(), std::fs::Permissions::from_mode(0o1777)).unwrap();
    scratch
}

fn run(scratch: &Scratch, args: &[&str]) -> Outcome {
    Running::spawn(scratch.devrun(args)).outcome(SOON)
}

/// Gives a file, or a link itself, to the other user.
fn give(path: &Path) {
    lchown(path, Some(NOBODY), None).unwrap();
}

#[test]
fn a_line_that_another_user_wrote_above_the_project_does_not_run() {
    if !is_root("a file of another user") {
        return;
    }
    let scratch = below_a_public_folder();
    let settings = scratch.dir().join("devrun.toml");
    let sleeper = ["--ready", "none", "--", "sh", "-c", "exit 3"];
    std::fs::write(&settings, "then = \"echo ran-it\"").unwrap();
    let own = run(&scratch, &["--ready", "none", "--", "sleep", "60"]);
    assert!(own.stdout.contains("ran-it"), "one's own is believed: {own}");
    give(&settings);
    for name in ["devrun.toml", "package.json"] {
        let file = scratch.dir().join(name);
        if name == "package.json" {
            std::fs::remove_file(&settings).unwrap();
            std::fs::write(&file, r#"{"devrun": {"then": "echo ran-it"}}"#).unwrap();
            // As good as one of its own: a link of the other user's to whatever file.
            let real = scratch.dir().join("real.json");
            std::fs::rename(&file, &real).unwrap();
            symlink(&real, &file).unwrap();
            give(&file);
        }
        let outcome = run(&scratch, &sleeper);
        assert_eq!(outcome.ended, Ended::Status(3), "{outcome}");
        assert!(!outcome.stdout.contains("ran-it"), "{outcome}");
        let note = format!("{} is ignored: it belongs to ", file.display());
        assert_eq!(outcome.stderr.matches(&note).count(), 1, "{note}: {outcome}");
    }
}

#[test]
fn a_program_that_another_user_put_above_the_project_does_not_run() {
    if !is_root("a program of another user") {
        return;
    }
    let scratch = below_a_public_folder();
    let bin = scratch.dir().join("node_modules/.bin");
    std::fs::create_dir_all(&bin).unwrap();
    let program = bin.join("vitte");
    write_program(&program, "echo ran-it");
    let own = run(&scratch, &["--ready", "none", "vitte"]);
    assert!(own.stdout.contains("ran-it"), "one's own is found: {own}");
    for path in [&program, &bin, &scratch.dir().join("node_modules")] {
        give(path);
        let outcome = run(&scratch, &["--ready", "none", "vitte"]);
        assert_eq!(outcome.ended, Ended::Status(127), "{outcome}");
        assert!(!outcome.stdout.contains("ran-it"), "{outcome}");
        assert!(outcome.stderr.contains("vitte is ignored: it belongs to "), "{outcome}");
        let then = run(&scratch, &["--ready", "none", "--then", "vitte", "--", "sleep", "60"]);
        if path != &program {
            assert!(!then.stdout.contains("ran-it"), "{then}");
        }
        chown(path, Some(0), None).unwrap();
    }
}

#[test]
fn a_project_that_belongs_to_another_user_is_read_as_ones_own() {
    if !is_root("a project of another user") {
        return;
    }
    // Root in a container, in the project of a user of the outside.
    let scratch = Scratch::new();
    let settings = scratch.write("devrun.toml", "then = \"echo ran-it\"");
    give(&settings);
    give(&scratch.project());
    let outcome = run(&scratch, &["--ready", "none", "--", "sleep", "60"]);
    assert!(outcome.stdout.contains("ran-it"), "{outcome}");
}
