//! A machine on which devrun is installed: a home of its own, a PATH with chosen programs, a release to install from.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Ended, Outcome, Running, SOON, Scratch, release, write_program};

/// A machine with nothing but what every system has: no cargo, no node.
pub const TOOLS: [&str; 18] = [
    "sh",
    "env",
    "uname",
    "sed",
    "cut",
    "tar",
    "gzip",
    "mktemp",
    "mkdir",
    "cp",
    "mv",
    "rm",
    "chmod",
    "dirname",
    "cat",
    "grep",
    "curl",
    "sha256sum",
];

pub struct Machine {
    pub scratch: Scratch,
    pub address: String,
    _server: Running,
}

impl Machine {
    /// With a release to install from.
    pub fn new() -> Self {
        Self::with(release::packed())
    }

    pub fn with(folder: &Path) -> Self {
        let scratch = Scratch::new();
        let (address, server) = release::serve(&scratch, folder);
        fs::create_dir(scratch.dir().join("home")).unwrap();
        let machine = Self { scratch, address, _server: server };
        machine.has_only(&TOOLS);
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("install.sh"), machine.script()).unwrap();
        machine
    }

    pub fn tools(&self) -> PathBuf {
        self.scratch.dir().join("tools")
    }

    /// Leaves only these programs on the PATH.
    pub fn has_only(&self, names: &[&str]) {
        let _ = fs::remove_dir_all(self.tools());
        fs::create_dir(self.tools()).unwrap();
        for name in names {
            symlink(which::which(name).unwrap(), self.tools().join(name)).unwrap();
        }
    }

    /// Puts a program of this text on the PATH.
    pub fn add_tool(&self, name: &str, text: &str) {
        let path = self.tools().join(name);
        let _ = fs::remove_file(&path);
        write_program(path, text);
    }

    pub fn script(&self) -> PathBuf {
        self.scratch.project().join("install.sh")
    }

    pub fn home(&self) -> PathBuf {
        self.scratch.dir().join("home")
    }

    pub fn devrun(&self) -> PathBuf {
        self.home().join(".local/bin/devrun")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.scratch.command("sh");
        command.arg(self.script()).args(args);
        command.env("PATH", self.tools()).env("HOME", self.home()).env("DEVRUN_INSTALL_URL", &self.address);
        command.env("no_proxy", "127.0.0.1").env("TMPDIR", self.scratch.dir());
        command
    }

    #[track_caller]
    pub fn installs(&self) -> Outcome {
        let outcome = Running::spawn(self.command(&[])).outcome(SOON);
        assert_eq!(outcome.ended, Ended::Status(0), "{outcome}");
        let version = Command::new(self.devrun()).arg("--version").output().unwrap().stdout;
        assert_eq!(String::from_utf8_lossy(&version), format!("devrun {}\n", env!("CARGO_PKG_VERSION")));
        outcome
    }

    /// Fails with this on stderr, and leaves nothing anywhere.
    #[track_caller]
    pub fn refuses(&self, command: Command, told: &str) {
        let outcome = Running::spawn(command).outcome(SOON);
        outcome.expect(Ended::Status(1), "", told);
        assert_eq!(self.files(), [""; 0], "left behind");
        let left: Vec<_> =
            fs::read_dir(self.scratch.dir()).unwrap().flatten().map(|e| e.file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("tmp.")), "{left:?}");
    }

    /// Every file below HOME.
    pub fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut open = vec![self.home()];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(fs::read_dir(path).unwrap().flatten().map(|entry| entry.path()));
            } else {
                found.push(path.strip_prefix(self.home()).unwrap().to_string_lossy().into_owned());
            }
        }
        found.sort();
        found
    }
}
