//! The state folder as the user sees it: what `devrun ls` says of it, and the files in it.

use std::path::PathBuf;

use serde_json::Value;

use super::{Ended, Running, SOON, Scratch};

impl Scratch {
    /// What `devrun ls --json` lists, all or those that run; it must have nothing to complain of.
    #[track_caller]
    pub fn listed(&self, all: bool) -> Vec<Value> {
        let outcome = Running::spawn(self.devrun(["ls", "--json"])).outcome(SOON);
        assert_eq!((outcome.ended, outcome.stderr.as_str()), (Ended::Status(0), ""), "{outcome}");
        let servers: Vec<Value> = serde_json::from_str(&outcome.stdout).unwrap();
        servers.into_iter().filter(|server| all || server["running"] == true).collect()
    }

    /// The names of the servers that `devrun ls` lists.
    #[track_caller]
    pub fn names(&self, all: bool) -> Vec<String> {
        self.listed(all).iter().map(|server| server["name"].as_str().unwrap().to_string()).collect()
    }

    /// The folders of all servers that have one.
    pub fn server_folders(&self) -> Vec<PathBuf> {
        let folders = std::fs::read_dir(self.state().join("servers")).into_iter().flatten().flatten();
        folders.map(|entry| entry.path()).collect()
    }

    /// The record of the only server.
    #[track_caller]
    pub fn record_path(&self) -> PathBuf {
        let folders = self.server_folders();
        assert_eq!(folders.len(), 1, "{folders:?}");
        folders[0].join("server.json")
    }
}
