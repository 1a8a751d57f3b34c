//! A place of its own for each test: folder, state folder, mark. Dropping it ends every process that carries the
//! mark, so that a failed test leaves nothing either.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::census::{self, Proc};
use super::{Running, SOON, Signal, eventually, kill, retry};

pub struct Scratch {
    dir: tempfile::TempDir,
    pub mark: String,
}

/// The command line of the fixture, and where its tree is recorded.
#[derive(Clone)]
pub struct Fixture {
    pub argv: Vec<String>,
    record: PathBuf,
}

/// The fixture's program. `cargo test` builds it beside the tests; `cargo test --test it` does not, so an old one is
/// refused.
pub fn fixture_program() -> PathBuf {
    let tests = std::env::current_exe().unwrap(); // target/debug/deps/it-...
    let program = tests.parent().and_then(Path::parent).unwrap().join("examples/fixture");
    let changed = |path: &Path| path.metadata().and_then(|found| found.modified()).ok();
    let sources = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture")).unwrap();
    let newest = sources.flatten().filter_map(|entry| changed(&entry.path())).max();
    let hint = "hint: cargo build --example fixture";
    assert!(program.exists(), "{program:?} is missing; {hint}");
    assert!(changed(&program) >= newest, "{program:?} is older than its sources; {hint}");
    program
}

/// A real app, installed by the test command.
pub fn apps(name: &str) -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-apps");
    let dir = std::env::var_os("DEVRUN_TEST_APPS").map_or(default, PathBuf::from).join(name);
    assert!(dir.exists(), "{dir:?} is missing; hint: ./tests/run installs what the tests need");
    dir
}

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("mark-{}-{}-end", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = tempfile::Builder::new().prefix("devrun-it-").tempdir().unwrap();
        fs::create_dir(dir.path().join("project")).unwrap();
        Self { dir, mark }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The folder in which devrun runs.
    pub fn project(&self) -> PathBuf {
        self.dir().join("project")
    }

    pub fn state(&self) -> PathBuf {
        self.dir().join("state")
    }

    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.project().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub fn package_json(&self, scripts: &[(&str, String)]) {
        let scripts: serde_json::Map<_, _> =
            scripts.iter().map(|(name, line)| ((*name).to_string(), line.clone().into())).collect();
        self.write("package.json", &serde_json::json!({ "name": "shop", "scripts": scripts }).to_string());
    }

    /// The fixture with these options (blank-separated).
    pub fn fixture(&self, options: &str) -> Fixture {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let record = self.dir().join(format!("record{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let program = fixture_program().into_os_string().into_string().unwrap();
        let fixed = [program, format!("mark={}", self.mark), format!("record={}", record.display())];
        let argv = fixed.into_iter().chain(options.split_whitespace().map(str::to_string)).collect();
        Fixture { argv, record }
    }

    /// Any program, in the project's folder, marked, with nothing of an outer devrun or npm in its environment.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, program: S) -> Command {
        // Whoever runs the tests may ignore signals (nohup, a background job); what is tested must not.
        let mut command = Command::new("env");
        command.arg("--default-signal").arg(program);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            let noise = ["DEVRUN", "npm_", "PORT", "HOST", "BASE_URL", "NO_COLOR", "FORCE_COLOR"];
            if noise.iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        command.env("DEVRUN_STATE_DIR", self.state()).env("DEVRUN_TEST_MARK", &self.mark);
        command.env("npm_config_update_notifier", "false").env("BROWSER", "none");
        command.current_dir(self.project());
        command
    }

    pub fn devrun<S: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_devrun"));
        command.args(args);
        command
    }

    /// `devrun OPTIONS -- fixture`, started.
    pub fn run(&self, options: &str, fixture: &Fixture) -> Running {
        Running::spawn(self.devrun(words(options, fixture)))
    }

    /// Every living process of this test.
    pub fn alive(&self) -> Vec<Proc> {
        census::marked(&self.mark)
    }

    #[track_caller]
    pub fn assert_dead(&self, limit: Duration) {
        eventually(limit, || self.dead());
    }

    /// Whether nothing is left, else what is.
    pub fn dead(&self) -> Result<(), String> {
        let alive = self.alive();
        if alive.is_empty() { Ok(()) } else { Err(format!("alive: {}", list(&alive))) }
    }
}

/// `OPTIONS -- fixture ...` as arguments of devrun.
pub fn words(options: &str, fixture: &Fixture) -> Vec<String> {
    let options = options.split_whitespace().map(str::to_string);
    options.chain(["--".to_string()]).chain(fixture.argv.iter().cloned()).collect()
}

/// Short enough to read when there are hundreds.
pub fn list(processes: &[Proc]) -> String {
    let all = processes.iter().take(5).map(|found| {
        format!("[{} <- {} {} {} {:.90}]", found.pid, found.ppid, found.state, found.comm, found.argv)
    });
    format!("{} {}", processes.len(), all.collect::<Vec<_>>().join(" "))
}

impl Fixture {
    /// As a line for a shell or a script. No part of it contains a blank or a quote.
    pub fn line(&self) -> String {
        self.argv.join(" ")
    }

    pub fn notes(&self) -> String {
        fs::read_to_string(&self.record).unwrap_or_default()
    }

    /// How often it was started.
    pub fn starts(&self) -> usize {
        self.notes().lines().filter(|line| line.starts_with("leader ")).count()
    }

    /// The recorded processes: role, pid, start time.
    pub fn members(&self) -> Vec<(String, u32, u64)> {
        let notes = self.notes();
        let line = |line: &str| {
            let mut words = line.split(' ');
            Some((words.next()?.to_string(), words.next()?.parse().ok()?, words.next()?.parse().ok()?))
        };
        notes.lines().filter_map(line).collect()
    }

    pub fn member(&self, role: &str) -> Option<u32> {
        self.members().iter().find(|(found, ..)| found == role).map(|(_, pid, _)| *pid)
    }

    pub fn leader(&self) -> u32 {
        self.member("leader").expect("the fixture has started")
    }

    /// The port that it says it listens on.
    pub fn port(&self) -> Option<u16> {
        self.notes().lines().find_map(|line| line.strip_prefix("listening ")?.parse().ok())
    }

    /// Waits for this line in the record.
    pub fn noted(&self, line: &str) -> Result<(), String> {
        retry(SOON, || {
            let notes = self.notes();
            let found = notes.lines().any(|found| found == line);
            if found { Ok(()) } else { Err(format!("no `{line}` in the record: {notes}")) }
        })
    }

    #[track_caller]
    pub fn stands(&self) -> &Self {
        self.noted("complete").unwrap();
        self
    }

    /// Whether no recorded process is left and the port can be bound.
    pub fn gone(&self) -> Result<(), String> {
        let alive = census::recorded_alive(&self.members());
        if !alive.is_empty() {
            return Err(format!("recorded and alive: {}", list(&alive)));
        }
        match self.port().map(|port| (port, std::net::TcpListener::bind(("127.0.0.1", port)))) {
            Some((port, Err(error))) => Err(format!("port {port}: {error}")),
            Some((_, Ok(_))) | None => Ok(()),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Rounds, since a round can race with a fork; bounded, since a test may run where it must not kill.
        for _ in 0..200 {
            let mut found = false;
            census::visit(&self.mark, |process| {
                kill(process.pid, Signal::KILL);
                found = true;
            });
            if !found {
                break;
            }
        }
    }
}
