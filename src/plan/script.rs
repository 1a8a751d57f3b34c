//! Splits a shell script into simple commands, conservatively, and rewrites the one command in it that is a known
//! server. Anything not understood leaves the script as it is: nothing here guesses, or runs a shell.

use super::frameworks::{Role, Server};
use super::inject::Told;
use super::look::{Edit, Look, look};

/// A word with its place in the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    start: usize,
    end: usize,
    /// What the shell makes of it, with `$` for what depends on variables or on files.
    text: String,
}

/// What a script runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) commands: Vec<Vec<Word>>,
    /// Something of it goes on in the background while another command runs.
    pub(crate) at_once: bool,
}

/// A rewritten script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rewritten {
    pub(crate) script: String,
    /// Whether scripts that this one runs may be rewritten in their turn.
    pub(crate) pass_on: bool,
}

/// Gives the server in the script its port.
pub(crate) fn rewrite(script: &str, told: Told) -> Rewritten {
    let untouched = |pass_on| Rewritten { script: script.to_string(), pass_on };
    let Some(Script { commands, .. }) = split(script) else { return untouched(true) };
    let looks: Vec<_> = commands.iter().map(|command| look(&texts(command))).collect();
    if looks.iter().any(|look| look.server.is_some_and(|server| server.role != Role::Server)) {
        return untouched(false);
    }
    let Some(one) = the_one(&looks) else { return untouched(true) };
    let (words, look) = (&commands[one], &looks[one]);
    let mut script = apply(script, words, look.edits(&texts(words), told.port, told.written));
    if let Some(first) = words.iter().find(|word| !introduces(word))
        && told.beside
        && look.reads_port()
        // A keyword of some shells, which is one only without a variable before it.
        && first.text != "time"
        && !words.iter().any(|word| word.text.starts_with("PORT="))
    {
        script.insert_str(first.start, &format!("PORT={} ", told.port));
    }
    Rewritten { script, pass_on: true }
}

/// The one command that is a known server, else the one with a port in it.
pub(crate) fn the_one(looks: &[Look]) -> Option<usize> {
    one_of(looks, |look| look.server, |look| !look.spots.is_empty())
}

/// The same of anything that may have a server and a port.
pub(crate) fn one_of<T>(
    all: &[T],
    server: impl Fn(&T) -> Option<&'static Server>,
    has_port: impl Fn(&T) -> bool,
) -> Option<usize> {
    let is_known = |one: &T| server(one).is_some();
    let is_sure = |one: &T| server(one).is_some_and(|server| !server.runs_files);
    let ways: [&dyn Fn(&T) -> bool; 3] = [&is_sure, &is_known, &has_port];
    let is = ways.into_iter().find(|is| all.iter().any(is))?;
    let mut found = all.iter().enumerate().filter(|(_, one)| is(one)).map(|(at, _)| at);
    found.next().filter(|_| found.next().is_none())
}

/// The words as `look` wants them.
pub(crate) fn texts(words: &[Word]) -> Vec<Option<&str>> {
    words.iter().map(|word| Some(word.text.as_str())).collect()
}

/// Applies edits, of which the last in the script comes first.
fn apply(script: &str, words: &[Word], edits: Vec<Edit>) -> String {
    let mut script = script.to_string();
    for edit in edits {
        match edit {
            Edit::Insert(at, new) => {
                let end = words[at - 1].end;
                let new: String = new.iter().map(|word| format!(" {}", quoted(word))).collect();
                // `4100>log` would be a descriptor.
                let apart = if script[end..].starts_with(['<', '>']) { " " } else { "" };
                script.insert_str(end, &(new + apart));
            }
            Edit::Replace(at, new) => script.replace_range(words[at].start..words[at].end, &quoted(&new)),
        }
    }
    script
}

/// The word as a shell reads it back.
pub(super) fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
    match !word.is_empty() && word.bytes().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// The simple commands of a script; `None` if there is anything in it that is not understood.
pub(crate) fn split(script: &str) -> Option<Script> {
    let bytes = script.as_bytes();
    let (mut commands, mut words) = (Vec::new(), Vec::new());
    let (mut at, mut target) = (0, false);
    let (mut background, mut at_once) = (false, false);
    while at < bytes.len() {
        match bytes[at] {
            b' ' | b'\t' => at += 1,
            b'\\' if bytes.get(at + 1) == Some(&b'\n') => at += 2,
            b'#' => at += bytes[at..].iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len() - at),
            b'<' if bytes.get(at + 1) == Some(&b'<') => return None,
            // A redirection: its target is no argument (`2>&1` and `>&2` have theirs in the operator).
            b'<' | b'>' => {
                at += bytes[at..].iter().take_while(|byte| b"<>&|".contains(byte)).count();
                target = true;
            }
            // A function, of which nobody knows when it runs; or what only some shells know.
            b'(' if words.iter().any(|word| !introduces(word)) => return None,
            b'&' | b'|' | b';' | b'\n' | b'(' | b')' => {
                at_once |= background && !words.is_empty();
                let part_of_another = at > 0 && b"&|".contains(&bytes[at - 1]);
                let next = bytes.get(at + 1);
                background |= bytes[at] == b'&' && !part_of_another && !matches!(next, Some(b'&' | b'>'));
                commands.push(std::mem::take(&mut words));
                at += 1;
            }
            _ => {
                let word = read_word(script, at)?;
                at = word.end;
                let number = script[word.start..word.end].bytes().all(|byte| byte.is_ascii_digit());
                let descriptor = number && matches!(bytes.get(at), Some(b'<' | b'>'));
                if !std::mem::take(&mut target) && !descriptor {
                    words.push(word);
                }
            }
        }
    }
    at_once |= background && !words.is_empty();
    commands.push(words);
    commands.retain(|words| !words.is_empty());
    let opaque = |words: &Vec<Word>| {
        let first = words.iter().find(|word| !introduces(word));
        first.is_some_and(|word| matches!(word.text.as_str(), "case" | "function" | "eval" | "[["))
    };
    (!commands.iter().any(opaque)).then_some(Script { commands, at_once })
}

/// Whether a command comes after this word.
fn introduces(word: &Word) -> bool {
    matches!(word.text.as_str(), "if" | "then" | "elif" | "else" | "while" | "until" | "do" | "{" | "!")
}

/// Reads one word; `None` for a substitution or an open quote.
fn read_word(script: &str, start: usize) -> Option<Word> {
    let bytes = script.as_bytes();
    let (mut at, mut text) = (start, Vec::new());
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\n' | b'&' | b'|' | b';' | b'(' | b')' | b'<' | b'>' => break,
            b'`' => return None,
            // Shells disagree where it ends.
            b'$' if bytes.get(at + 1) == Some(&b'\'') => return None,
            b'\\' if bytes.get(at + 1) == Some(&b'\n') => at += 2,
            b'\'' => {
                let length = bytes[at + 1..].iter().position(|&byte| byte == b'\'')?;
                text.extend(&bytes[at + 1..at + 1 + length]);
                at += length + 2;
            }
            b'"' => at = read_double(bytes, at + 1, &mut text)?,
            b'\\' => {
                text.push(*bytes.get(at + 1)?);
                at += 2;
            }
            b'$' => {
                text.push(b'$');
                at = skip_variable(bytes, at)?;
            }
            b'*' | b'?' | b'[' | b'~' => {
                text.push(b'$');
                at += 1;
            }
            _ => {
                text.push(byte);
                at += 1;
            }
        }
    }
    Some(Word { start, end: at, text: String::from_utf8(text).ok()? })
}

/// Reads up to the closing double quote; gives the place behind it.
fn read_double(bytes: &[u8], mut at: usize, text: &mut Vec<u8>) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'`' => return None,
            b'$' => {
                text.push(b'$');
                at = skip_variable(bytes, at)?;
            }
            b'\\' => {
                let next = *bytes.get(at + 1)?;
                match next {
                    b'\n' => {}
                    b'$' | b'`' | b'"' | b'\\' => text.push(next),
                    _ => text.extend([b'\\', next]),
                }
                at += 2;
            }
            byte => {
                text.push(byte);
                at += 1;
            }
        }
    }
}

/// The place behind `$X` or `${X:-y}`; `None` for `$(...)` and for anything nested.
fn skip_variable(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at + 1) {
        Some(b'(') => None,
        Some(b'{') => {
            let length = bytes[at..].iter().position(|&byte| byte == b'}')?;
            let nested = bytes[at + 2..at + length].iter().any(|byte| b"${`'\"\\".contains(byte));
            (!nested).then_some(at + length + 1)
        }
        _ => Some(at + 1),
    }
}

#[cfg(test)]
mod shell_tests;
#[cfg(test)]
mod tests;
