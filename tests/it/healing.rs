//! Promise 23: a server whose folder is gone is stopped and forgotten by the next start of any devrun, and its port
//! is free. A folder on a disk that is away is not gone.

use std::path::Path;
use std::process::Command;

use crate::support::{LIMIT, Running, SOON, Scratch, eventually, is_root};

/// A server in a folder of its own below the project, on the only port of a range.
fn server(scratch: &Scratch, folder: &Path, name: &str) -> (Running, u16) {
    let fixture = scratch.fixture("shape=daemon");
    let mut command = scratch.devrun(["--name", name, "--stop-timeout", "500ms", "--"]);
    command.args(&fixture.argv).current_dir(folder);
    let mut run = Running::spawn(command);
    let port = run.ready().port;
    (run, port)
}

/// Another server's start, and what is known once it has looked around.
fn forgotten(scratch: &Scratch, name: &str, port: u16) {
    let (mut other, _) = server(scratch, &scratch.project(), "other");
    eventually(SOON, || {
        let names = scratch.names(true);
        if names == ["other"] { Ok(()) } else { Err(format!("{name} is not forgotten: {names:?}")) }
    });
    let owner = std::fs::read_to_string(scratch.state().join("ports").join(port.to_string())).unwrap();
    assert_eq!(owner, "", "the port is nobody's");
    std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    other.says(&format!("devrun forgot {name}: its folder "));
    other.stop();
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_folder_deleted_after_its_server_has_ended_is_forgotten() {
    let scratch = Scratch::new();
    let folder = scratch.write("a/b/file", "").parent().unwrap().to_path_buf();
    let (run, port) = server(&scratch, &folder, "shop");
    run.stop();
    std::fs::remove_dir_all(scratch.project().join("a")).unwrap();
    forgotten(&scratch, "shop", port);
}

#[test]
fn a_server_whose_folder_is_deleted_or_moved_is_stopped_and_forgotten() {
    type Change = fn(&Path);
    let changes: [Change; 2] = [
        |folder| std::fs::remove_dir_all(folder).unwrap(),
        |folder| std::fs::rename(folder, folder.with_extension("moved")).unwrap(),
    ];
    for change in changes {
        let scratch = Scratch::new();
        let folder = scratch.write("a/file", "").parent().unwrap().to_path_buf();
        let (mut run, port) = server(&scratch, &folder, "shop");
        change(&folder);
        forgotten(&scratch, "shop", port);
        run.ended(SOON);
    }
}

#[test]
fn a_server_whose_git_worktree_is_removed_is_stopped_and_forgotten() {
    let scratch = Scratch::new();
    let tree = scratch.dir().join("feature");
    git(&scratch, &["init", "-q"]);
    git(&scratch, &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x", "--allow-empty"]);
    git(&scratch, &["worktree", "add", "-q", tree.to_str().unwrap()]);
    let (mut run, port) = server(&scratch, &tree, "shop");
    git(&scratch, &["worktree", "remove", tree.to_str().unwrap()]);
    forgotten(&scratch, "shop", port);
    run.ended(SOON);
}

pub fn git(scratch: &Scratch, args: &[&str]) {
    let done = Command::new("git").args(args).current_dir(scratch.project()).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

#[test]
fn a_folder_whose_disk_is_away_is_remembered() {
    if !is_root("a mount namespace") {
        return;
    }
    let scratch = Scratch::new();
    let disk = scratch.write("disk/readme", "").parent().unwrap().to_path_buf();
    let script = format!(
        "cd {disk}; mount -t tmpfs none .; cd .; mkdir app; cd app
        $DEVRUN --ready none --name shop -- true
        cd ../..; umount disk
        exec $DEVRUN --ready none --name other -- sleep 600",
        disk = disk.display()
    );
    let mut unshare = scratch.command("unshare");
    unshare.args(["--mount", "sh", "-ec", &script]).env("DEVRUN", env!("CARGO_BIN_EXE_devrun"));
    let run = Running::spawn(unshare);
    eventually(SOON, || match scratch.names(false) == ["other"] {
        true => Ok(()),
        false => Err(run.stderr()),
    });
    // Nothing says that it has looked around; whoever cleans up by hand waits for it.
    let mut clean = scratch.command("nsenter");
    clean.args(["-t", &run.pid().to_string(), "-m", env!("CARGO_BIN_EXE_devrun"), "clean"]);
    let outcome = Running::spawn(clean).outcome(SOON);
    assert_eq!(outcome.stdout, "nothing to clean\n", "{outcome}");
    assert_eq!(scratch.names(true), ["other", "shop"]);
}
