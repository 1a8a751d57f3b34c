//! Servers in words for people: their state, times, folders. Everything that comes from a record is escaped here.

use std::path::Path;
use std::time::Duration;

use super::escape::escape_line;
use super::table::Look;
use crate::manage::how_it_ended;
use crate::registry::{Entry, Phase};

/// The state in a word or two.
pub(crate) fn state(entry: &Entry, now: u64) -> (String, Look) {
    let record = &entry.record;
    match entry.phase() {
        Phase::Starting => ("starting".into(), Look::Yellow),
        Phase::Ready if record.healthy == Some(false) => ("unhealthy".into(), Look::Red),
        Phase::Ready => ("ready".into(), Look::Green),
        Phase::Stopping => ("stopping".into(), Look::Yellow),
        Phase::Backoff => {
            let left = record.next_start_at.map_or(0, |at| at.saturating_sub(now));
            (format!("backoff {}", short(Duration::from_secs(left.div_ceil(1000)))), Look::Yellow)
        }
        Phase::Stopped => ("stopped".into(), Look::Dim),
        // A run that was killed has written no end of its own.
        Phase::Crashed => match record.exit.filter(|_| record.state == Phase::Crashed) {
            Some(exit) => (format!("crashed, {}", how_it_ended(exit)), Look::Red),
            None => ("crashed".into(), Look::Red),
        },
    }
}

/// `12s`, `5m`, `3h`, `2d`.
pub(crate) fn short(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The time since then, by a clock that may have been set back.
pub(crate) fn since(then: u64, now: u64) -> String {
    short(Duration::from_millis(now.saturating_sub(then)))
}

/// The folder with `~` for the home folder.
pub(crate) fn folder(folder: &Path) -> String {
    let home = std::env::var("HOME").ok();
    escape_line(&shortened(folder, home.as_deref()))
}

fn shortened(folder: &Path, home: Option<&str>) -> String {
    match home.filter(|home| !home.is_empty()).and_then(|home| folder.strip_prefix(home).ok()) {
        Some(rest) if rest.as_os_str().is_empty() => "~".into(),
        Some(rest) => format!("~/{}", rest.display()),
        None => folder.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{Record, RecordedExit, test_record};

    #[test]
    fn times_and_folders_are_short() {
        for (seconds, expected) in [(0, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (200_000, "2d")] {
            assert_eq!(short(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(since(5_000, 1_000), "0s", "a clock set back");
        let short = |folder: &str| shortened(Path::new(folder), Some("/home/me"));
        assert_eq!(short("/home/me"), "~");
        assert_eq!(short("/home/me/app"), "~/app");
        assert_eq!(short("/home/meg/app"), "/home/meg/app");
        assert_eq!(shortened(Path::new("/a"), Some("")), "/a");
    }

    #[test]
    fn a_state_says_what_matters() {
        let of = |live, change: &dyn Fn(&mut Record)| {
            let mut record = test_record(7, "run");
            change(&mut record);
            state(&Entry { record, live }, 10_000).0
        };
        assert_eq!(of(true, &|r| r.state = Phase::Ready), "ready");
        let unhealthy = |r: &mut Record| (r.state, r.healthy) = (Phase::Ready, Some(false));
        assert_eq!(of(true, &unhealthy), "unhealthy");
        assert_eq!(of(true, &|r| (r.state, r.next_start_at) = (Phase::Backoff, Some(13_500))), "backoff 4s");
        let never = |r: &mut Record| (r.state, r.next_start_at) = (Phase::Backoff, Some(u64::MAX));
        assert!(of(true, &never).starts_with("backoff "), "a record made by hand");
        let crashed = |r: &mut Record| (r.state, r.exit) = (Phase::Crashed, Some(RecordedExit::Signal(11)));
        assert_eq!(of(false, &crashed), "crashed, signal 11");
        assert_eq!(of(false, &|r| r.state = Phase::Ready), "crashed", "devrun was killed");
        assert_eq!(of(false, &|_| {}), "stopped");
    }
}
