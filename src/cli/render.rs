//! Events and errors as lines on stderr: for people, or one JSON object a line. Nothing else in devrun prints
//! while a server runs; stdout is the command's.

use std::io::IsTerminal;

use serde_json::json;

use super::escape::escape;
use super::stderr;
use crate::error::{Error, KINDS};
use crate::event::{Event, Exit, LeftWhy, Seen, StopCause};
use crate::output::printable;
use crate::plan::Port;
use crate::sys;

/// How to talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) json: bool,
    /// Only errors.
    pub(crate) quiet: bool,
    pub(crate) colour: bool,
}

impl Style {
    /// Colours only in a terminal and without NO_COLOR.
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self { json, quiet, colour: wanted && !json && std::io::stderr().is_terminal() }
    }

    pub(super) fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// Says what happened.
pub(crate) fn event(style: Style, event: &Event) {
    if style.json {
        let json = serde_json::to_string(event).expect("an event has no map with keys that are no strings");
        say(&printable(json));
    } else if !style.quiet {
        for line in lines(style, event) {
            say(&line);
        }
    }
}

/// Says what went wrong, and with which status this process ends therefore; also when quiet.
pub(crate) fn error(style: Style, error: &Error, status: Exit) {
    if style.json {
        let json = json!({
            "event": "error",
            "error": error.what(),
            "cause": error.why(),
            "hint": error.what_to_do(),
            "output": error.last_output(),
            "kind": KINDS.iter().find(|(kind, _)| *kind == error.kind()).map(|(_, word)| word),
            "exit-code": match status {
                Exit::Code(code) => code,
                Exit::Signal(signal) => 128 + signal,
            },
        });
        say(&printable(json.to_string()));
        return;
    }
    say(&format!("{} {}", style.paint("1;31", "error:"), escape(error.what())));
    if let Some(why) = error.why() {
        say(&format!("{} {}", style.paint("2", "cause:"), escape(&why)));
    }
    if let Some(output) = error.last_output() {
        say(&style.paint("2", "output:"));
        output.lines().for_each(|line| say(&format!("  {}", escape(line))));
    }
    if let Some(hint) = error.what_to_do() {
        say(&format!("\n{} {}", style.paint("36", "hint:"), escape(hint)));
    }
}

fn say(text: &str) {
    let end = if sys::stderr_is_raw() { "\r\n" } else { "\n" };
    stderr::put(format!("{text}{end}").into_bytes());
}

fn lines(style: Style, event: &Event) -> Vec<String> {
    let devrun = style.paint("2", "devrun");
    let warning = |text: &str| format!("{} {}", style.paint("33", "warning:"), escape(text));
    match event {
        Event::Note { text } => vec![format!("{devrun} {}", escape(text))],
        Event::Warning { text, hint } => {
            let hint = hint.as_ref().map(|h| format!("{} {}", style.paint("36", "hint:"), escape(h)));
            [warning(text)].into_iter().chain(hint).collect()
        }
        Event::GhostsEnded { name, pids } => {
            vec![format!("{devrun} ended what a crash of {} had left: {}", escape(name), list(pids))]
        }
        Event::PortBusy { wanted, got, holder } => {
            vec![format!("{devrun} port {wanted} {}; using {got}", why_missed(*wanted, holder.as_deref()))]
        }
        Event::AlreadyRunning { name, url, pid } => {
            vec![format!("{devrun} {} runs already (pid {pid}): {}", escape(name), escape(url))]
        }
        Event::Started { name, url, .. } => {
            vec![format!("{devrun} {} {}", style.paint("1", &escape(name)), escape(url))]
        }
        Event::Waiting { ms, seen } => {
            vec![format!("{devrun} not ready after {} s: {}", ms / 1000, what_is_seen(seen))]
        }
        Event::Moved { wanted, port, hint } => {
            let hint = hint.as_ref().map(|h| format!(" ({})", escape(h))).unwrap_or_default();
            vec![warning(&format!("the server took port {port} instead of {wanted}; following it{hint}"))]
        }
        Event::Retrying { reason, port } => {
            vec![format!("{devrun} {}; starting once more on port {port}", escape(reason))]
        }
        Event::Restarting { reason, in_ms: 0, .. } => {
            vec![format!("{devrun} {}; starting again", escape(reason))]
        }
        Event::Restarting { reason, in_ms, .. } => {
            vec![format!("{devrun} {}; starting again in {}", escape(reason), short(*in_ms))]
        }
        Event::GaveUp { reason, output } => {
            let said = output.lines().map(|line| format!("  {}", style.paint("2", &escape(line))));
            [format!("{devrun} not started again: {}", escape(reason))].into_iter().chain(said).collect()
        }
        Event::Unhealthy { seen } => vec![warning(&format!("unhealthy: {}", seen.in_words()))],
        Event::Healthy => vec![format!("{devrun} healthy again")],
        // For machines: this line keeps its form, whatever the style.
        Event::Ready { url, port, pid, ms } => {
            vec![format!("devrun ready {url} port={port} pid={pid} ms={ms}")]
        }
        Event::LeaderLeft { pid } => {
            vec![format!("{devrun} the command has exited; pid {pid} of its tree goes on serving")]
        }
        Event::ThenStarted { pid } => vec![format!("{devrun} the chained command runs (pid {pid})")],
        Event::ThenEnded { exit } => vec![format!("{devrun} the chained command ended ({exit})")],
        Event::Stopping { cause } => {
            why(cause).map(|why| format!("{devrun} stopping: {why}")).into_iter().collect()
        }
        Event::Ended { exit, killed, left } => ended(&devrun, *exit, *killed, left),
    }
}

fn why_missed(wanted: Port, holder: Option<&str>) -> String {
    match holder {
        Some(holder) => format!("is taken by {}", escape(holder)),
        None if wanted.get() < 1024 => "is taken, or not allowed to this user".into(),
        None => "is taken".into(),
    }
}

fn ended(devrun: &str, exit: Exit, killed: u32, left: &[crate::event::Left]) -> Vec<String> {
    let mut line = format!("{devrun} stopped ({exit})");
    if killed > 0 {
        line += &format!("; {killed} killed");
    }
    for (why, text) in [(LeftWhy::Spared, "left running"), (LeftWhy::Unkillable, "could not be ended")] {
        let named: Vec<String> = left
            .iter()
            .filter(|l| l.why == why)
            .map(|l| format!("{} (pid {})", escape(&l.name), l.pid))
            .collect();
        if !named.is_empty() {
            line += &format!("; {text}: {}", named.join(", "));
        }
    }
    vec![line]
}

/// `None`: nothing that the user does not see anyway.
fn why(cause: &StopCause) -> Option<String> {
    match cause {
        StopCause::Keyboard(_) | StopCause::LeaderExited => None,
        StopCause::Asked => Some("as was asked from elsewhere".into()),
        StopCause::Signal(signal) => Some(format!("signal {signal}")),
        StopCause::HangUp => Some("the terminal is gone".into()),
        StopCause::OwnerGone(pid) => Some(format!("process {pid}, with which the server dies, has ended")),
        StopCause::ReadyTimeout => Some("not ready in time".into()),
        StopCause::Stranger => Some("another program answers on the port".into()),
        StopCause::Restart => Some("to start again, as asked".into()),
        StopCause::Unhealthy => Some("it does not answer any more".into()),
        StopCause::ThenEnded => None,
    }
}

/// `250ms`, `4s`.
fn short(ms: u64) -> String {
    if ms < 1000 { format!("{ms}ms") } else { format!("{}s", ms.div_ceil(1000)) }
}

fn what_is_seen(seen: &Seen) -> String {
    match seen {
        Seen::NothingListens => "nothing listens yet (still building?)".into(),
        Seen::NotHttp => format!("{} (is `--ready tcp` meant?)", seen.in_words()),
        Seen::NoAnswer | Seen::Status(_) | Seen::NoSign => seen.in_words(),
    }
}

fn list(pids: &[u32]) -> String {
    let many = if pids.len() == 1 { "process" } else { "processes" };
    let shown: Vec<String> = pids.iter().take(8).map(u32::to_string).collect();
    let more = if pids.len() > shown.len() { ", ..." } else { "" };
    format!("{} {many} ({}{more})", pids.len(), shown.join(", "))
}
