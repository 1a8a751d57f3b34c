//! Tries the promises on this machine, with this very program as launcher and as dev server, each in a folder and with
//! a mark of its own. Only processes of the trial itself are signalled.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use super::Check;
use crate::plan::Port;
use crate::registry::new_run_id;
use crate::sys;
use crate::sys::process::{self, Process};

/// In the order in which they are told.
pub(super) const ALL: &[fn() -> Vec<Check>] = &[
    || vec![tried("kill -9", killed)],
    || vec![tried("closed terminal", terminal_closed)],
    || vec![tried("double fork", double_fork)],
    || vec![tried("parallel start", parallel_start)],
];

/// By when a server of ours is ready, and by when nothing may be left of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The variable that every process of a trial carries.
const MARK: &str = "DEVRUN_TRIAL";

/// A server that a parent has left: not the leader, and no child of it either.
const LEFT_BY_ITS_PARENT: &str = "(\"$0\" doctor --serve &) ; exec sleep 600";

fn tried(what: &'static str, trial: fn() -> Result<String, String>) -> Check {
    // Whom nobody can see, nobody can count.
    if !sys::SEES_ENVIRONMENTS {
        return Check::limited(what, "not tried: this system does not show whose processes are left");
    }
    match trial() {
        Ok(found) => Check::good(what, found),
        Err(why) => Check::failed(what, why),
    }
}

fn killed() -> Result<String, String> {
    let trial = Trial::new()?;
    let mut run = trial.start(trial.plain())?;
    run.child.kill().map_err(text)?;
    trial.nothing_left(run.port, "devrun was killed")
}

fn terminal_closed() -> Result<String, String> {
    let trial = Trial::new()?;
    let mut command = trial.plain();
    let terminal = sys::in_a_terminal(&mut command).map_err(text)?;
    let run = trial.start(command)?;
    drop(terminal);
    trial.nothing_left(run.port, "its terminal was closed")
}

fn double_fork() -> Result<String, String> {
    let trial = Trial::new()?;
    let mut command = trial.devrun();
    let (shell, args) = sys::SHELL;
    command.arg(shell).args(args).arg(LEFT_BY_ITS_PARENT).arg(trial.program());
    let mut run = trial.start(command)?;
    run.child.kill().map_err(text)?;
    trial.nothing_left(run.port, "devrun was killed, and a parent had left before")
}

fn parallel_start() -> Result<String, String> {
    let trial = Trial::new()?;
    let many = 8;
    let mut children = Vec::new();
    for _ in 0..many {
        let mut command = trial.plain();
        children.push(command.stderr(Stdio::null()).spawn().map(Ending).map_err(text)?);
    }
    // All but the one that runs the server end by themselves.
    let left = wait_for(|| {
        let ended: Vec<_> = children.iter_mut().filter_map(|child| child.try_wait().ok().flatten()).collect();
        if ended.len() + 1 >= many { Ok(ended) } else { Err(format!("{} starts go on", many - ended.len())) }
    });
    let ended =
        left.map_err(|seen| format!("{seen}: one was to run the server, the others to say where it is"))?;
    drop(children);
    trial.nothing_left(None, "all were killed")?;
    match ended.len() + 1 == many && ended.iter().all(std::process::ExitStatus::success) {
        true => Ok(format!("{many} starts at once: one server, which the others found")),
        false => Err(format!("of {many} starts at once {} ended: {ended:?}", ended.len())),
    }
}

/// A folder and a mark.
struct Trial {
    folder: tempfile::TempDir,
    program: std::path::PathBuf,
    mark: String,
}

/// A devrun whose server is ready. Ended when it is dropped.
struct Run {
    child: Ending,
    port: Option<Port>,
    _said: BufReader<ChildStderr>,
}

/// A child that does not outlive this.
struct Ending(Child);

impl Trial {
    fn new() -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("devrun-doctor-").tempdir().map_err(text)?;
        Ok(Self { folder, program: std::env::current_exe().map_err(text)?, mark: new_run_id() })
    }

    fn program(&self) -> &Path {
        &self.program
    }

    /// `devrun [OPTIONS] --`, with nothing of the caller's devrun in its environment.
    fn devrun(&self) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            let ours = name.to_str().is_some_and(|name| name.starts_with("DEVRUN") || name == "PORT");
            if ours {
                command.env_remove(name);
            }
        }
        command.env("DEVRUN_STATE_DIR", self.folder.path().join("state")).env(MARK, &self.mark);
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command.args(["--name", "doctor", "--stop-timeout", "1s", "--ready-timeout", "10s", "--"]);
        command
    }

    /// With a server that is one process.
    fn plain(&self) -> Command {
        let mut command = self.devrun();
        command.arg(&self.program).args(["doctor", "--serve"]);
        command
    }

    /// Started, and its server ready.
    fn start(&self, mut command: Command) -> Result<Run, String> {
        let mut child = Ending(command.stderr(Stdio::piped()).spawn().map_err(text)?);
        let said = child.0.stderr.take().expect("it was asked for");
        let mut said = BufReader::new(said);
        let (mut lines, mut line) = (String::new(), String::new());
        // A devrun that ends closes its end; one that does not get ready would be a failure of its own, said here
        // by its own time limit.
        while said.read_line(&mut line).map_err(text)? > 0 {
            if let Some(port) = line.strip_prefix("devrun ready ").and_then(|rest| rest.split_once("port=")) {
                let digits: String = port.1.chars().take_while(char::is_ascii_digit).collect();
                return Ok(Run { child, port: digits.parse().ok(), _said: said });
            }
            lines.push_str(&line);
            line.clear();
        }
        let _ = said.read_to_string(&mut lines);
        Err(format!("no server got ready: {}", lines.trim()))
    }

    /// Waits until no process carries the mark and the port can be bound.
    fn nothing_left(&self, port: Option<Port>, after: &str) -> Result<String, String> {
        let since = Instant::now();
        let left = wait_for(|| {
            let left = self.processes();
            let bound = port.map(|port| std::net::TcpListener::bind(("127.0.0.1", port.get())));
            match (left.as_slice(), bound) {
                ([], Some(Err(error))) => Err(format!("the port is not free: {error}")),
                ([], Some(Ok(_)) | None) => Ok(()),
                (left, _) => Err(format!("{} processes are left", left.len())),
            }
        });
        left.map_err(|seen| format!("{after}: {seen} after {} s", PATIENCE.as_secs()))?;
        Ok(format!("{after}: nothing left after {} ms", since.elapsed().as_millis()))
    }

    fn processes(&self) -> Vec<u32> {
        let carries = |pid: &u32| process::environment_values(*pid, MARK).contains(&self.mark);
        process::pids_of_user(process::user()).into_iter().filter(carries).collect()
    }
}

impl Drop for Trial {
    /// Where a promise does not hold, its trial still leaves nothing.
    fn drop(&mut self) {
        for pid in self.processes() {
            // The handle first, then the proof that it is a process of this trial.
            if let Ok(Some(found)) = Process::of_pid(pid)
                && process::environment_values(pid, MARK).contains(&self.mark)
            {
                let _ = found.signal(process::SIGKILL);
            }
        }
    }
}

impl std::ops::Deref for Ending {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl std::ops::DerefMut for Ending {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Looks again and again until it holds, or for as long as the patience lasts.
fn wait_for<T>(mut look: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            seen => return seen,
        }
    }
}

fn text(error: std::io::Error) -> String {
    error.to_string()
}

/// The dev server of the trials: answers every request on PORT, for as long as it lives.
pub(super) fn serve() -> std::io::Result<()> {
    let port = std::env::var("PORT").ok().and_then(|port| port.parse::<Port>().ok());
    let port = port.ok_or_else(|| std::io::Error::other("PORT is not set"))?;
    for stream in std::net::TcpListener::bind(("127.0.0.1", port.get()))?.incoming() {
        let mut stream = stream?;
        let _ = stream.read(&mut [0; 4096]);
        let _ =
            std::io::Write::write_all(&mut stream, b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    }
    Ok(())
}
