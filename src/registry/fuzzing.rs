//! What is made of any file in the state folder, and of arguments with a secret in them. No file is opened.

use std::ffi::OsString;

use super::claim::{Marker, held_by};
use super::record::Record;
use super::redact::redacted;
use super::store::{Entry, read_owner};
use crate::plan::ServerId;

/// A record is refused, or can be written and read again; the entry that a list has of it.
pub(crate) fn record(bytes: &[u8]) -> Option<Entry> {
    let id = ServerId("0000000000000007".into());
    let record = Record::from_json(bytes, &id).ok()?;
    assert_eq!(Record::from_json(&record.to_json(), &id).as_ref(), Ok(&record));
    let _ = (record.folder(), record.ports(), record.stop_timeout());
    Some(Entry { live: record.restarts % 2 == 1, record })
}

/// The small files: a port's owner is an id or nobody, a lock and a marker say something or nothing.
pub(crate) fn notes(bytes: &[u8]) {
    if let Some(ServerId(id)) = read_owner(bytes) {
        assert!(id.len() == 16 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
    }
    if let (Some(run), _) = held_by(bytes) {
        assert!(!run.contains(' ') && run.len() < 100);
    }
    if let Some(marker) = Marker::parse(bytes) {
        let again = serde_json::to_vec(&marker).expect("plain fields");
        assert!(Marker::parse(&again).is_some());
    }
}

/// A value that is named like a secret never comes out, and what is redacted stays as it is.
pub(crate) fn secrets(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text.split('\0').collect();
    let once = redacted(&words.iter().map(OsString::from).collect::<Vec<_>>());
    assert_eq!(once.len(), words.len());
    assert_eq!(redacted(&once), once, "of {words:?}");
    let [name, value, rest @ ..] = words.as_slice() else { return };
    let name = ["--token", "--api-key", "DB_PASSWORD", "authToken", "jwt"][name.len() % 5];
    // Marked, so that it is found whatever stands around it.
    let inner: String = value.chars().filter(|c| !c.is_alphanumeric() && !c.is_control()).take(20).collect();
    let secret = format!("QZ{inner}ZQ");
    let json = serde_json::to_string(&secret).expect("a text");
    let shell = format!("'{}'", secret.replace('\'', r"'\''"));
    let lines = [
        vec![format!("{name}={secret}")],
        vec![format!("{{\"a\":1,\"{name}\":{json}}}")],
        vec![format!("x {name}={shell}; y")],
        vec![format!("x -H 'Authorization: Bearer {}' y", secret.replace(['\'', '"'], "_"))],
        vec![format!(
            "http://me:{}@host/",
            secret.replace(['/', '?', '#', '"', '\''], "_").replace(' ', "_")
        )],
    ];
    for line in lines {
        let around = rest.iter().filter(|word| !word.contains("QZ") && !word.contains("ZQ"));
        let line: Vec<OsString> =
            line.iter().map(String::as_str).chain(around.copied()).map(OsString::from).collect();
        let seen: Vec<_> = redacted(&line).iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
        assert!(!seen[0].contains("QZ") && !seen[0].contains("ZQ"), "{line:?} became {seen:?}");
    }
}
