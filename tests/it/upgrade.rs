//! Promise 42: devrun's own program is replaced while a devrun runs.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::{Dashboard, LIMIT, Running, SOON, Scratch, copy_program};

const DEVRUN: &str = env!("CARGO_BIN_EXE_devrun");

/// As `install.sh` does: the file is replaced.
fn the_file(folder: &Path) {
    copy_program(DEVRUN, folder.join("new"));
    fs::rename(folder.join("new"), folder.join("devrun")).unwrap();
}

/// As npm does: the package's folder is put aside, and deleted once the new one stands there.
fn the_folder(folder: &Path) {
    let aside = folder.with_file_name(".installed-aside");
    fs::rename(folder, &aside).unwrap();
    fs::create_dir(folder).unwrap();
    copy_program(DEVRUN, folder.join("devrun"));
    fs::remove_dir_all(aside).unwrap();
}

#[test]
fn a_dashboard_starts_servers_with_the_program_that_has_taken_its_place() {
    for replace in [the_file, the_folder] {
        let scratch = Scratch::new();
        let folder = scratch.dir().join("installed");
        fs::create_dir(&folder).unwrap();
        copy_program(DEVRUN, folder.join("devrun"));
        let dashboard = Dashboard::of(&scratch, scratch.command(folder.join("devrun")));
        let mut run = scratch.run("-n web", &scratch.fixture("shape=plain"));
        run.ready();
        run.stop();
        let id = dashboard.server(SOON, "web", |_| true)["id"].as_str().unwrap().to_string();
        let start = || dashboard.ask(&format!("POST /api/servers/{id}/start"), "", "");
        replace(&folder);
        let started = start();
        assert_eq!((started.status, &started.json()["state"]), (200, &json!("ready")), "{started:?}");
        let program = fs::read_link(format!("/proc/{}/exe", started.json()["devrun_pid"])).unwrap();
        assert_eq!(program, folder.join("devrun"));
        let stopped = Running::spawn(scratch.devrun(["stop", "web"])).outcome(SOON);
        fs::remove_dir_all(&folder).unwrap();
        let refused = start();
        assert!(refused.status >= 400 && refused.body.contains("is gone"), "{stopped}{refused:?}");
        drop(dashboard);
        scratch.assert_dead(LIMIT);
    }
}
