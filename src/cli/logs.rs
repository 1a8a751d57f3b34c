//! `devrun logs`: what a server wrote, and with `--follow` what it writes. What steers a terminal is left out: colours
//! stay where they are shown.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::render::Style;
use super::table::Screen;
use super::verb::{Servers, note};
use crate::error::{Error, Kind};
use crate::manage::{LogReader, Part};
use crate::output::{strip_all_but_colours, strip_control};
use crate::plan::ServerId;
use crate::registry::Registry;
use crate::sys::FolderWatch;
use crate::sys::process::Process;

/// What is shown unasked.
const LINES: usize = 200;
/// How long a line that is not complete yet is waited for.
const REST_OF_LINE: Duration = Duration::from_millis(100);
/// How long a server that ended has to be started again.
const RESTART: Duration = Duration::from_secs(1);

/// Which part of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) follow: bool,
    pub(crate) lines: Option<usize>,
    pub(crate) since: Option<Duration>,
}

/// Prints the log.
pub(crate) fn run(name: Option<&str>, wish: &Wish, style: Style) -> Result<ExitCode, Error> {
    let servers = Servers::look()?;
    let entry = servers.meant(name)?;
    let name = &entry.record.name;
    let folder = servers.registry.server(&entry.record.id);
    let failed = |error: io::Error| {
        Error::new(Kind::Internal, format!("the log of {name} can't be read")).source(error)
    };
    let now = crate::registry::now_ms();
    let part = Part {
        lines: wish.lines.or((wish.since.is_none()).then_some(LINES)),
        since: wish.since.map(|since| now.saturating_sub(since.as_millis().try_into().unwrap_or(u64::MAX))),
    };
    // Before the first look, so that nothing is missed between it and the wait.
    let watch = FolderWatch::new(&folder).map_err(failed)?;
    let (mut reader, bytes) = LogReader::open(&folder, part).map_err(failed)?;
    if !folder.join("log").exists() {
        note(style, format!("no output of {name} is kept: in a terminal that takes `--log`"));
    }
    let mut printer = Printer::new();
    if printer.print(&bytes).and_then(|()| printer.rest()).is_err() {
        return Ok(ExitCode::SUCCESS);
    }
    if wish.follow {
        let follow = Follow { registry: &servers.registry, id: &entry.record.id, watch: &watch };
        follow.run(&mut reader, &mut printer).map_err(failed)?;
        note(style, format!("{name} is not running"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Following the log of one server.
struct Follow<'a> {
    registry: &'a Registry,
    id: &'a ServerId,
    watch: &'a FolderWatch,
}

impl Follow<'_> {
    /// Prints what comes until the server has ended, or nobody reads any more. Where nothing comes nothing is done.
    fn run(&self, reader: &mut LogReader, printer: &mut Printer) -> io::Result<()> {
        let mut ended_at: Option<Instant> = None;
        loop {
            let live = self.registry.is_live(self.id);
            let mut bytes = Vec::new();
            reader.more(&mut bytes)?;
            if printer.print(&bytes).is_err() {
                return Ok(());
            }
            if live {
                ended_at = None;
            } else if ended_at.get_or_insert_with(Instant::now).elapsed() >= RESTART {
                let _ = printer.rest();
                return Ok(());
            }
            let processes = if live { self.processes() } else { Vec::new() };
            let patience = match (printer.rest_since, processes.is_empty()) {
                (Some(since), _) => Some(REST_OF_LINE.saturating_sub(since.elapsed())),
                // Between the death of both and the end of the lock, or before a new run's record.
                (None, true) => Some(Duration::from_millis(50)),
                (None, false) => None,
            };
            self.watch.wait(&processes, patience);
            let is_due = printer.rest_since.is_some_and(|since| since.elapsed() >= REST_OF_LINE);
            if is_due && printer.rest().is_err() {
                return Ok(());
            }
        }
    }

    /// The live processes whose end could be the server's.
    fn processes(&self) -> Vec<Process> {
        let Some(record) = self.registry.live_record(self.id) else { return Vec::new() };
        let both = record.front.iter().chain(&record.guard);
        let open = both.filter_map(|identity| Process::open(identity).ok().flatten());
        open.filter(Process::is_alive).collect()
    }
}

/// Prints whole lines, cleaned.
struct Printer {
    colour: bool,
    /// What came of a line that has no end yet.
    rest: Vec<u8>,
    /// Since when there is some. A progress bar goes on and on without an end.
    rest_since: Option<Instant>,
}

impl Printer {
    fn new() -> Self {
        Self { colour: Screen::stdout().has_colour(), rest: Vec::new(), rest_since: None }
    }

    fn print(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (lines, rest) = bytes.split_at(end);
        if !lines.is_empty() {
            self.rest.extend_from_slice(lines);
            self.rest()?;
        }
        self.rest.extend_from_slice(rest);
        if !rest.is_empty() {
            self.rest_since.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// Prints what there is, the beginning of a line as it is.
    fn rest(&mut self) -> io::Result<()> {
        self.rest_since = None;
        let rest = std::mem::take(&mut self.rest);
        self.write(&rest)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let clean = if self.colour { strip_all_but_colours(bytes) } else { strip_control(bytes) };
        let mut stdout = io::stdout().lock();
        stdout.write_all(clean.as_bytes())?;
        stdout.flush()
    }
}
