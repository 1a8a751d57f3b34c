//! The log of a server, as lines that are safe to show: its end, what of it fits a search, and what is added.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::body::Bytes;
use serde::Serialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::board::event;
use crate::manage::{LogReader, Part};
use crate::output::strip_control;
use crate::sys::Changes;

/// The most lines that are given at once, and how many without a wish.
pub(super) const MOST_LINES: usize = 5000;
pub(super) const USUAL_LINES: usize = 500;
/// A longer line is several.
const LINE_BYTES: usize = 16 * 1024;
/// Between two parts of what is added, however much that is.
const PAUSE: Duration = Duration::from_millis(50);
/// Who does not take a part within this time is left.
const PATIENCE: Duration = Duration::from_secs(10);

/// Some lines of the log.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Lines {
    /// Whether the server has a log at all.
    exists: bool,
    lines: Vec<String>,
    /// There is more, further up.
    more: bool,
    /// The last line, which has no end yet.
    partial: String,
}

/// The last lines of the log in this folder, of those with this text if there is one.
pub(super) fn tail(folder: &Path, count: usize, search: Option<&str>) -> io::Result<Lines> {
    let wanted = Part { lines: search.is_none().then_some(count + 1), since: None };
    let (_, mut bytes) = LogReader::open(folder, wanted)?;
    let mut found = take_lines(&mut bytes, search.map(str::to_lowercase).as_deref());
    found.exists = folder.join("log").exists();
    if search.is_none() {
        found.partial = strip_control(&bytes);
    }
    found.keep_last(count);
    Ok(found)
}

impl Lines {
    fn keep_last(&mut self, count: usize) {
        let more = self.lines.len().saturating_sub(count);
        self.lines.drain(..more);
        self.more |= more > 0;
    }
}

/// Takes the whole lines, of those the ones with this text; what has no end yet stays.
fn take_lines(bytes: &mut Vec<u8>, search: Option<&str>) -> Lines {
    let end = match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(last) => last + 1,
        None if bytes.len() > LINE_BYTES => bytes.len(),
        None => 0,
    };
    let pieces = bytes[..end].split_inclusive(|byte| *byte == b'\n').flat_map(|line| line.chunks(LINE_BYTES));
    let fits = |line: &String| search.is_none_or(|wanted| line.to_lowercase().contains(wanted));
    let lines = pieces.flat_map(shown).filter(fits).collect();
    bytes.drain(..end);
    Lines { exists: true, lines, ..Lines::default() }
}

/// The lines of a piece of output; what a program wrote over itself counts as several.
fn shown(line: &[u8]) -> Vec<String> {
    let text = strip_control(line.strip_suffix(b"\n").unwrap_or(line));
    text.trim_end_matches('\n').split('\n').map(str::to_string).collect()
}

/// The last lines, then what is added, as events, until nobody takes them any more.
pub(super) fn follow(folder: PathBuf, count: usize) -> io::Result<Receiver<Bytes>> {
    let mut changes = Changes::new()?;
    changes.watch_content(&folder)?;
    let (sender, receiver) = channel(16);
    tokio::spawn(async move {
        let Ok((mut reader, mut bytes)) =
            LogReader::open(&folder, Part { lines: Some(count + 1), since: None })
        else {
            return;
        };
        let mut lines = take_lines(&mut bytes, None);
        lines.exists = folder.join("log").exists();
        lines.keep_last(count);
        lines.partial = strip_control(&bytes);
        let mut name = "tail";
        while send(&sender, std::mem::replace(&mut name, "lines"), &lines).await {
            tokio::select! {
                heard = changes.next() => if heard.is_err() { return },
                () = sender.closed() => return,
            }
            // However chatty it is.
            tokio::time::sleep(PAUSE).await;
            if reader.more(&mut bytes).is_err() {
                return;
            }
            lines = take_lines(&mut bytes, None);
            lines.keep_last(MOST_LINES);
            lines.partial = strip_control(&bytes);
        }
    });
    Ok(receiver)
}

async fn send(sender: &Sender<Bytes>, name: &str, lines: &Lines) -> bool {
    let json = serde_json::to_string(lines).expect("only strings");
    sender.send_timeout(event(name, None, &json), PATIENCE).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_end_of_both_files_is_shown_without_what_steers_a_terminal() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(tail(folder.path(), 10, None).unwrap(), Lines::default());
        fs::write(folder.path().join("log.1"), "one\ntwo \x1b[31mred\x1b[0m\nthr").unwrap();
        fs::write(folder.path().join("log"), "ee\n10%\r20%\r\n<script>\u{202e}\nProceed? ").unwrap();
        let all = tail(folder.path(), 10, None).unwrap();
        assert_eq!(all.lines, ["one", "two red", "three", "10%", "20%", "<script>"]);
        assert_eq!((all.exists, all.more, all.partial.as_str()), (true, false, "Proceed? "));
        let last = tail(folder.path(), 2, None).unwrap();
        assert_eq!((last.lines, last.more), (vec!["20%".to_string(), "<script>".into()], true));
        let found = tail(folder.path(), 10, Some("TWO")).unwrap();
        assert_eq!((found.lines, found.partial.as_str()), (vec!["two red".to_string()], ""));
    }

    #[test]
    fn a_line_without_end_is_cut_and_not_kept() {
        let mut bytes = "x".repeat(100_000).into_bytes();
        let taken = take_lines(&mut bytes, None);
        assert!(bytes.is_empty() && taken.lines.len() == 7);
        assert!(taken.lines.iter().all(|line| line.len() <= LINE_BYTES));
        bytes.extend(b"no end yet");
        assert!(take_lines(&mut bytes, None).lines.is_empty() && bytes == b"no end yet");
    }
}
