//! What reaches a terminal of any text: nothing that steers it. Nothing is printed here.

use super::escape::{escape, escape_line};
use super::{ls, status};
use crate::manage::as_json;
use crate::output::{diagnose, last_lines, printable, strip_all_but_colours, strip_control};
use crate::registry::Entry;

/// Output and names.
pub(crate) fn text(bytes: &[u8]) {
    let clean = strip_control(bytes);
    is_calm(&clean, "\n\t");
    assert_eq!(strip_control(clean.as_bytes()), clean);
    let coloured = strip_all_but_colours(bytes);
    assert_eq!(strip_all_but_colours(coloured.as_bytes()), coloured);
    assert_eq!(strip_control(coloured.as_bytes()), clean, "colours are all the difference");
    for line in coloured.split('\n') {
        let mut parts = line.split('\x1b');
        is_calm(parts.next().unwrap_or_default(), "\t");
        for part in parts {
            let (colour, text) = part.split_once('m').expect("a colour");
            assert!(
                colour
                    .strip_prefix('[')
                    .is_some_and(|c| c.chars().all(|c| ";:".contains(c) || c.is_ascii_digit()))
            );
            is_calm(text, "\t");
        }
    }
    assert!(last_lines(bytes).lines().count() <= 20);
    let _ = diagnose(bytes);
    let text = String::from_utf8_lossy(bytes);
    is_calm(&escape(&text), "\n\t");
    is_calm(&escape_line(&text), "");
    let json = serde_json::Value::from(&*text).to_string();
    let shown = printable(json);
    is_calm(&shown, "");
    assert_eq!(serde_json::from_str::<String>(&shown).ok().as_deref(), Some(&*text));
}

/// A record, in every way in which it is shown.
pub(crate) fn entry(entry: &Entry) {
    let shown = printable(as_json(entry).to_string());
    is_calm(&shown, "");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).ok(), Some(as_json(entry)));
    is_calm(&ls::shown(std::slice::from_ref(entry)), "\n");
    is_calm(&status::shown(entry), "\n");
}

fn is_calm(text: &str, but_for: &str) {
    let turns = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let steers = |c: char| (c.is_control() || turns(c)) && !but_for.contains(c);
    assert!(!text.contains(steers), "{text:?}");
}
