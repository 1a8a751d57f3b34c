//! A rewritten script, read by a parser of shell scripts that is not devrun's: it is the same but for the words that
//! one command got. What that parser refuses before is not looked at.
#![no_main]

use brush_parser::{Parser, ParserOptions};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|bytes: &[u8]| {
    let script = String::from_utf8_lossy(bytes);
    for replace in [true, false] {
        let rewritten = devrun::fuzzing::rewritten(&script, replace);
        if rewritten != script
            && let Some(before) = parsed(&script)
        {
            let after =
                parsed(&rewritten).unwrap_or_else(|| panic!("{script:?} became no script: {rewritten:?}"));
            is_the_same_but_for_the_port(before, after, &format!("{script:?} became {rewritten:?}"));
        }
    }
});

fn is_the_same_but_for_the_port(before: Value, after: Value, what: &str) {
    let (mut old, mut new) = (Vec::new(), Vec::new());
    assert_eq!(without_words(before, &mut old), without_words(after, &mut new), "{what}");
    assert_eq!(old.len(), new.len(), "{what}");
    let changed: Vec<_> = old.iter().zip(&new).filter(|(old, new)| old != new).collect();
    assert!(matches!(changed.as_slice(), [(old, new)] if is_given_a_port(old, new)), "{what}: {changed:?}");
}

fn parsed(script: &str) -> Option<Value> {
    // The parser panics at a descriptor that is no number it has room for.
    if script.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 9) {
        return None;
    }
    let options = ParserOptions { sh_mode: true, posix_mode: true, ..ParserOptions::default() };
    let program = Parser::new(script.as_bytes(), &options).parse_program().ok()?;
    serde_json::to_value(program).ok()
}

/// What is left of a script without its places and without the words of its simple commands, which go to the list.
fn without_words(value: Value, commands: &mut Vec<Vec<String>>) -> Value {
    match value {
        Value::Object(fields) if fields.contains_key("start") && fields.contains_key("end") => Value::Null,
        Value::Object(mut fields) => match fields.remove("Simple") {
            Some(command) => {
                let (words, others) = words_of(command);
                commands.push(words);
                json!({ "Simple": without_words(others.into(), commands) })
            }
            None => fields.into_iter().map(|(name, value)| (name, without_words(value, commands))).collect(),
        },
        Value::Array(all) => all.into_iter().map(|value| without_words(value, commands)).collect(),
        other => other,
    }
}

/// The words of a simple command as they are written, and what else is in it.
fn words_of(mut command: Value) -> (Vec<String>, Vec<Value>) {
    let mut items: Vec<Value> = serde_json::from_value(command["prefix"].take()).unwrap_or_default();
    items.push(json!({ "Word": command["word_or_name"].take() }));
    items.extend(serde_json::from_value::<Vec<_>>(command["suffix"].take()).unwrap_or_default());
    let (mut words, mut others) = (Vec::new(), Vec::new());
    for item in items {
        let word = if item["Word"].is_null() { &item["AssignmentWord"][1] } else { &item["Word"] };
        match word["value"].as_str() {
            Some(word) => words.push(word.to_string()),
            None if item["Word"].is_null() && item.get("Word").is_some() => {} // no name
            None => others.push(item),
        }
    }
    (words, others)
}

/// Whether the second command is the first but for words that give it its port.
fn is_given_a_port(old: &[String], new: &[String]) -> bool {
    let is_added = |word: &str| word.starts_with('-') || word.ends_with("4100") || word == "127.0.0.1";
    match (old, new) {
        ([], []) => true,
        ([first, old @ ..], [word, new @ ..]) if is_same(first, word) && is_given_a_port(old, new) => true,
        (_, [word, new @ ..]) => is_added(word) && is_given_a_port(old, new),
        (_, []) => false,
    }
}

/// Whether the words are the same but for the number at their end, or behind a switch that can stand without one.
fn is_same(old: &str, new: &str) -> bool {
    let bare = |word: &str| word.replace(['\'', '"', '\\', '\n'], "");
    let (bare_old, bare_new) = (bare(old), bare(new));
    let head = bare_new.strip_suffix("4100").unwrap_or(&bare_new);
    let is_port = bare_old.strip_prefix(head).is_some_and(|port| port.parse::<u16>().is_ok());
    old == new || is_port || head.strip_prefix(&bare_old).is_some_and(|rest| rest.starts_with('='))
}
