//! A server as the API shows it: as `ls --json` does, and what only a page wants to know. Nothing here is of an
//! environment.

use serde_json::json;

use crate::manage;
use crate::registry::Entry;

/// The server as JSON that can be shown in a terminal.
pub(super) fn server(entry: &Entry) -> String {
    let mut shown = manage::as_json(entry);
    let record = &entry.record;
    // Only what a browser may follow from a list of servers.
    if !record.url.starts_with("http://") && !record.url.starts_with("https://") {
        shown["url"] = json!(null);
    }
    // Who is killed can't write down a reason.
    if entry.phase() != record.state {
        shown["reason"] = json!("its devrun was killed");
    }
    shown["folder_exists"] = json!(record.folder().try_exists().unwrap_or(true));
    crate::output::printable(shown.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{Phase, test_record};

    #[test]
    fn a_devrun_that_was_killed_is_told_of() {
        let mut record = test_record(7, "run");
        record.state = Phase::Ready;
        for (live, state, reason) in
            [(true, "ready", json!(null)), (false, "crashed", json!("its devrun was killed"))]
        {
            let shown = server(&Entry { record: record.clone(), live });
            let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
            assert_eq!((&shown["state"], &shown["reason"]), (&json!(state), &reason));
        }
    }

    #[test]
    fn what_comes_from_outside_is_data() {
        let mut record = test_record(7, "run");
        record.name = "<script>\u{202e}\x1b]52;c;AA\x07\"".into();
        record.url = "javascript:alert(1)".into();
        let text = server(&Entry { record: record.clone(), live: true });
        assert!(text.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["name"], record.name);
        assert_eq!(value["url"], serde_json::Value::Null);
    }
}
