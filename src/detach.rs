//! A server in the background: devrun starts itself once more as the front, in a session of its own, and hears from
//! it on a pipe until the server is ready. From then on the two have nothing in common, and no file or port stands
//! between them.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::error::{Error, KINDS, Kind};
use crate::event::{Event, Exit};
use crate::plan;
use crate::sys;

/// Tells a devrun that it is the one in the background. The command never sees it.
pub(crate) const BACKGROUND: &str = "DEVRUN_BACKGROUND";

/// Whether this process is the one in the background.
pub(crate) fn is_background() -> bool {
    std::env::var_os(BACKGROUND).is_some()
}

/// A server in the background that is ready.
#[derive(Debug)]
pub(crate) struct Detached {
    /// Where it answers.
    pub(crate) url: String,
}

/// Why there is none.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: Box<Error>,
    /// How the devrun in the background ended: as it would have in the foreground.
    pub(crate) exit: Exit,
}

/// Starts devrun (this program) in the background with these options in this folder; returns once the server is
/// ready. What the environment says to devrun is the caller's, and was not meant for this server: it goes.
pub(crate) fn start(
    options: &[OsString],
    argv: &[OsString],
    cwd: &Path,
    say: &mut dyn FnMut(Event),
) -> Result<Detached, Error> {
    let mut command = command(options, argv, cwd)?;
    for name in plan::variables() {
        command.env_remove(name);
    }
    Front::spawn(command)?.wait_until_ready(say).map_err(|failed| *failed.error)
}

/// This program. If it was replaced or put aside since the first call, as by an upgrade, what stands in its place now:
/// the system names a file that is gone.
pub(crate) fn program() -> Result<PathBuf, Error> {
    static AT_FIRST: OnceLock<PathBuf> = OnceLock::new();
    let now = std::env::current_exe().map_err(failed)?;
    let at_first = AT_FIRST.get_or_init(|| now.clone());
    match [&now, at_first].into_iter().find(|path| path.is_file()) {
        Some(program) => Ok(program.clone()),
        None => Err(cannot()
            .cause(format!("its program {} is gone", at_first.display()))
            .hint("end this devrun, and start the one that is installed now")),
    }
}

fn cannot() -> Error {
    Error::new(Kind::Internal, "devrun can't start itself in the background")
}

fn failed(error: std::io::Error) -> Error {
    cannot().source(error)
}

fn command(options: &[OsString], argv: &[OsString], cwd: &Path) -> Result<Command, Error> {
    let mut command = Command::new(program()?);
    let command_follows = (!argv.is_empty()).then_some(OsStr::new("--"));
    command.args(options).args(command_follows).args(argv).current_dir(cwd).env(BACKGROUND, "1");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    Ok(command)
}

/// The devrun in the background, while somebody waits for its server. Whoever drops it leaves it to itself.
#[derive(Debug)]
pub(crate) struct Front {
    child: Child,
    said: ChildStderr,
}

impl Front {
    /// Starts it with this command line, and returns at once.
    pub(crate) fn start(args: &[OsString], cwd: &Path) -> Result<Self, Error> {
        Self::spawn(command(args, &[], cwd)?)
    }

    fn spawn(mut command: Command) -> Result<Self, Error> {
        let mut child = sys::start_in_background(&mut command).map_err(failed)?;
        let said = child.stderr.take().expect("its standard error is a pipe");
        Ok(Self { child, said })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells what happens there until the server is ready, or there is none.
    pub(crate) fn wait_until_ready(self, say: &mut dyn FnMut(Event)) -> Result<Detached, Failed> {
        let Self { mut child, said } = self;
        let (mut running, mut error, mut silent) = (None, None, true);
        for line in BufReader::new(said).split(b'\n').map_while(Result::ok) {
            silent = false;
            match Said::parse(&line) {
                Said::Error(told) => error = Some(told),
                Said::Event(event) => {
                    let ready = match &event {
                        Event::Ready { url, .. } => Some(url.clone()),
                        Event::AlreadyRunning { url, .. } => {
                            running = Some(url.clone());
                            None
                        }
                        _ => None,
                    };
                    say(event);
                    if let Some(url) = ready {
                        // It outlives this call, and one that outlives it too would keep it as a zombie.
                        let _ = std::thread::Builder::new().spawn(move || child.wait());
                        return Ok(Detached { url });
                    }
                }
            }
        }
        let exit = child.wait().map_or(Exit::Code(Kind::Internal.exit_code().into()), sys::exit_of);
        match (running, error) {
            (Some(url), None) if exit == Exit::Code(0) => Ok(Detached { url }),
            (_, error) => {
                let error = error.unwrap_or_else(|| unexplained(exit, silent));
                Err(Failed { error: Box::new(error), exit: no_success(exit) })
            }
        }
    }
}

/// Nobody who waited for readiness may take its absence for success.
fn no_success(exit: Exit) -> Exit {
    match exit {
        Exit::Code(0) => Exit::Code(1),
        Exit::Code(_) | Exit::Signal(_) => exit,
    }
}

fn unexplained(exit: Exit, silent: bool) -> Error {
    let how = match exit {
        Exit::Code(code) => format!("ended with status {code}"),
        Exit::Signal(signal) => format!("was ended by signal {signal}"),
    };
    let when = if silent { "it said anything" } else { "the server was ready" };
    Error::new(Kind::Internal, format!("devrun in the background {how} before {when}"))
}

/// A line that the front in the background wrote.
enum Said {
    Event(Event),
    Error(Error),
}

impl Said {
    fn parse(line: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(line).unwrap_or_default();
        if value["event"] == "error" {
            return Said::Error(error(&value));
        }
        // Tracing, or the last words of a devrun with a fault.
        let text = || Event::Note { text: String::from_utf8_lossy(line).into_owned() };
        Said::Event(serde_json::from_value(value).unwrap_or_else(|_| text()))
    }
}

/// What `--json` made of an error, as an error.
fn error(value: &Value) -> Error {
    let text = |key: &str| value[key].as_str().map(str::to_string);
    let kind =
        KINDS.iter().find(|(_, word)| value["kind"] == *word).map_or(Kind::Internal, |(kind, _)| *kind);
    let mut error = Error::new(kind, text("error").unwrap_or_default());
    if let Some(cause) = text("cause") {
        error = error.cause(cause);
    }
    if let Some(hint) = text("hint") {
        error = error.hint(hint);
    }
    if let Some(output) = text("output") {
        error = error.output(output);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_front_says_comes_out_as_it_went_in() {
        let event = Event::Waiting { ms: 3, seen: crate::event::Seen::Status(503) };
        let Said::Event(read) = Said::parse(&serde_json::to_vec(&event).unwrap()) else { panic!("an event") };
        assert_eq!(read, event);
        let line =
            br#"{"event":"error","error":"late","cause":"slow","hint":null,"output":"a\nb","kind":"not-ready"}"#;
        let Said::Error(error) = Said::parse(line) else { panic!("an error") };
        let read = (error.kind(), error.what(), error.why(), error.what_to_do(), error.last_output());
        assert_eq!(read, (Kind::NotReady, "late", Some("slow".into()), None, Some("a\nb")));
        for text in ["", "thread panicked", "{}", "[1]", r#"{"event":"unheard-of"}"#] {
            let Said::Event(event) = Said::parse(text.as_bytes()) else { panic!("{text}") };
            assert_eq!(event, Event::Note { text: text.into() });
        }
    }
}
