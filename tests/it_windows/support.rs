//! What the tests are made of. Nothing in here knows how devrun works inside.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::fixture::{self, FOLDER, SHAPE};
use crate::sys::Process;

const SOON: Duration = Duration::from_secs(20);

/// Waits until this holds.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether this is Wine, which `tests/cross` says; then it is said that this can't be shown.
pub fn wine_cannot_show(what: &str) -> bool {
    let wine = std::env::var_os("UNDER_WINE").is_some();
    if wine {
        let line = format!("NOT RUN under Wine: {what}\n");
        let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
    }
    wine
}

/// A place of its own for each test: the project, the state, and the files of the fixture.
pub struct Scratch {
    folder: PathBuf,
    _owned: Option<tempfile::TempDir>,
}

impl Scratch {
    pub fn new() -> Self {
        let owned = tempfile::Builder::new().prefix("it-").tempdir().unwrap();
        std::fs::create_dir(owned.path().join("project")).unwrap();
        Self { folder: owned.path().to_path_buf(), _owned: Some(owned) }
    }

    /// Somebody else's.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), _owned: None }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A program with nothing of an outer devrun in its environment.
    pub fn command(&self, program: &str, shape: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().into_owned();
            if ["DEVRUN", "npm_", "PORT", "HOST"].iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        command.env("DEVRUN_STATE_DIR", self.file("state")).current_dir(self.file("project"));
        command.env(SHAPE, shape).env(FOLDER, &self.folder);
        command
    }

    /// devrun with these arguments and no command of ours.
    pub fn devrun(&self, args: &[&str]) -> Running {
        let mut command = self.command(env!("CARGO_BIN_EXE_devrun"), "");
        command.args(args);
        Running::spawn(command)
    }

    /// `devrun OPTIONS -- fixture`.
    pub fn run(&self, options: &[&str], shape: &str) -> Running {
        let mut command = self.command(env!("CARGO_BIN_EXE_devrun"), shape);
        command.args(options).arg("--").args(fixture::argv());
        Running::spawn(command)
    }

    /// A server with two generations below it, once it is ready.
    pub fn server(&self, options: &[&str]) -> (Running, u16) {
        let options = [options, &["--ready", "log:listening"]].concat();
        let mut running = self.run(&options, "below=2 serve");
        let port = running.ready();
        (running, port)
    }

    /// Lets the fixture go that waits for it.
    pub fn go(&self) {
        std::fs::write(self.file("go"), "").unwrap();
    }

    /// All that the fixture has started, once there are so many; while they live.
    pub fn members(&self, count: usize) -> Members {
        let record = || std::fs::read_to_string(self.file("record")).unwrap_or_default();
        eventually("the fixture stands", || record().lines().count() >= count);
        let members = record().lines().filter_map(|pid| Process::open(pid.parse().ok()?)).collect();
        Members(members)
    }
}

/// Processes that were alive.
pub struct Members(Vec<Process>);

impl Members {
    #[track_caller]
    pub fn assert_dead(&self, count: usize) {
        assert!(self.0.len() >= count, "{} of {count} were found alive", self.0.len());
        eventually("all are dead", || self.0.iter().all(Process::has_ended));
    }
}

/// A program that runs, killed when this is dropped.
pub struct Running {
    child: Child,
    out: Arc<Mutex<Vec<u8>>>,
    err: Arc<Mutex<Vec<u8>>>,
}

impl Running {
    pub fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let out = collect(child.stdout.take());
        let err = collect(child.stderr.take());
        Self { child, out, err }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.err.lock().unwrap()).into_owned()
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.out.lock().unwrap()).into_owned()
    }

    /// Waits for the line for machines; the port in it.
    #[track_caller]
    pub fn ready(&mut self) -> u16 {
        let mut port = None;
        eventually("devrun is ready", || {
            let said = self.stderr();
            let line = said.lines().find_map(|line| line.strip_prefix("devrun ready "));
            port = line.and_then(|line| line.split("port=").nth(1)?.split(' ').next()?.parse().ok());
            let ended = self.child.try_wait().unwrap();
            assert!(port.is_some() || ended.is_none(), "{ended:?}: {said}\n{}", self.stdout());
            port.is_some()
        });
        port.unwrap()
    }

    /// Waits for its end; its exit code, as the bits that Windows has.
    #[track_caller]
    pub fn ended(&mut self) -> u32 {
        let mut code = None;
        eventually("the program ends", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        code.and_then(|status| status.code()).unwrap().cast_unsigned()
    }

    /// TerminateProcess: nothing of devrun runs any more.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(source: Option<impl Read + Send + 'static>) -> Arc<Mutex<Vec<u8>>> {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let (sink, mut source) = (Arc::clone(&bytes), source.unwrap());
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = source.read(&mut buffer) {
            sink.lock().unwrap().extend_from_slice(&buffer[..count]);
        }
    });
    bytes
}
