//! Keeps secrets in arguments out of what is written and shown. Only the copy is changed, never what is run.

use std::ffi::OsString;

const HIDDEN: &str = "***";

/// The arguments with the values of what is named like a secret replaced by `***`: `--token=x`, `--token x`,
/// `API_KEY=x`, `Authorization: x`, `{"password":"x"}`, `?token=x` and `://me:x@host`, wherever in an argument
/// they stand, since `sh -c` has a whole script in one.
pub(crate) fn redacted(argv: &[OsString]) -> Vec<OsString> {
    let mut value_follows = false;
    argv.iter()
        .map(|arg| {
            let text = arg.to_string_lossy();
            if std::mem::take(&mut value_follows) && !text.starts_with('-') && !is_harmless(&text) {
                return HIDDEN.into();
            }
            value_follows = text.starts_with('-') && text.chars().all(is_of_name) && is_secret(&text);
            let shown = match text.split_once('=') {
                // One argument with one value, whatever blanks and quotes are in it.
                Some((name, value)) if names_secret(name) && !is_harmless(value) => {
                    format!("{name}={HIDDEN}")
                }
                _ => without_passwords(&without_values(&text)),
            };
            if shown == text { arg.clone() } else { shown.into() }
        })
        .collect()
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn names_secret(name: &str) -> bool {
    name.chars().all(is_of_name) && is_secret(name)
}

/// `--token`, `API_KEY`, `db.password`, `--authToken`.
fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    let anywhere = [
        "token",
        "secret",
        "password",
        "passwd",
        "passphrase",
        "apikey",
        "accesskey",
        "privatekey",
        "credential",
        "authorization",
        "cookie",
    ];
    let whole_word = ["key", "auth", "pass", "pwd", "jwt"];
    anywhere.iter().any(|word| name.contains(word))
        || name.split(|c: char| !c.is_alphanumeric()).any(|word| whole_word.contains(&word))
}

/// Nothing, the name of a variable, or the name of a file: what these stand for is somewhere else.
fn is_harmless(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']);
    let variable = value.strip_prefix('$').map(|name| name.trim_start_matches('{').trim_end_matches('}'));
    value.is_empty()
        || variable.is_some_and(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
        || [".pem", ".key", ".crt"].iter().any(|suffix| value.ends_with(suffix))
}

/// The text without the values that follow a secret's name.
fn without_values(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_of_name) {
        let name_length = rest[start..].find(|c| !is_of_name(c)).unwrap_or(rest.len() - start);
        let (before, after) = rest.split_at(start + name_length);
        let name = &before[start..];
        out.push_str(before);
        rest = after;
        if is_secret(name)
            && let Some((between, value)) = value_after(name, after)
            && !is_harmless(value)
        {
            out.push_str(between);
            out.push_str(HIDDEN);
            rest = &after[between.len() + value.len()..];
        }
    }
    out + rest
}

/// What stands between a name and its value, and the value, if the text after the name has one.
fn value_after<'a>(name: &str, after: &'a str) -> Option<(&'a str, &'a str)> {
    let unquoted = after.strip_prefix(['"', '\'']).unwrap_or(after);
    let quoted = unquoted.len() < after.len();
    let next = unquoted.trim_start();
    let is_header = next.starts_with(": ") && !quoted;
    let value = if let Some(value) = next.strip_prefix('=') {
        value.trim_start()
    } else if is_header || (quoted && next.starts_with(':')) {
        next[1..].trim_start()
    } else {
        let value = next.strip_prefix(',').unwrap_or(next).trim_start();
        let is_value = name.starts_with('-') && value.len() < unquoted.len() && !value.starts_with('-');
        is_value.then_some(value)?
    };
    let length = match value.chars().next() {
        // `Authorization: Bearer x` has blanks in its value.
        _ if is_header => value.find(['"', '\'', '\n']),
        Some(quote @ ('"' | '\'')) => value[1..].find(quote).map(|end| end + 2),
        _ => value.find(|c: char| c.is_whitespace() || matches!(c, '&' | ';' | '|')),
    };
    Some((&after[..after.len() - value.len()], &value[..length.unwrap_or(value.len())]))
}

/// `postgres://me:secret@host` without what stands before the `@`.
fn without_passwords(text: &str) -> String {
    let mut parts = text.split("://");
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        out.push_str("://");
        let end = part.find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\''));
        let (authority, after) = part.split_at(end.unwrap_or(part.len()));
        match authority.rsplit_once('@') {
            Some((user, host)) if user.contains(':') => out += &format!("{HIDDEN}@{host}"),
            _ => out.push_str(authority),
        }
        out.push_str(after);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(argv: &[&str]) -> Vec<String> {
        let argv: Vec<OsString> = argv.iter().map(OsString::from).collect();
        redacted(&argv).iter().map(|arg| arg.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn secrets_are_hidden_and_nothing_else() {
        let table = [
            ("serve --token=abc", "serve --token=***"),
            ("serve --api-key abc --port 1", "serve --api-key *** --port 1"),
            ("cross-env API_KEY=abc vite", "cross-env API_KEY=*** vite"),
            ("x --authToken=a=b --AUTH=1", "x --authToken=*** --AUTH=***"),
            ("x --db postgres://me:pw@host:5/db?x=1", "x --db postgres://***@host:5/db?x=1"),
            ("x --keep-alive=5 --keyboard=de --author=me", "x --keep-alive=5 --keyboard=de --author=me"),
            ("x --token --port=1", "x --token --port=1"),
            ("x http://localhost:1/@a", "x http://localhost:1/@a"),
            ("x --ready http://localhost/?token=abc&x=1", "x --ready http://localhost/?token=***&x=1"),
            ("x http://token.example/?a=1", "x http://token.example/?a=1"),
            ("npm run token:watch", "npm run token:watch"),
            ("x --experimental-https-key cert/own.pem", "x --experimental-https-key cert/own.pem"),
        ];
        for (argv, expected) in table {
            assert_eq!(shown(&argv.split(' ').collect::<Vec<_>>()).join(" "), expected);
        }
    }

    #[test]
    fn secrets_inside_one_argument_are_hidden_too() {
        let table = [
            ("x --token=abc; y", "x --token=***; y"),
            ("x --token abc && y", "x --token *** && y"),
            ("x --token 'a b c' y", "x --token *** y"),
            ("x --password=\"a b\" y", "x --password=*** y"),
            ("x --keep --token abc", "x --keep --token ***"),
            ("x '--token' 'a b'", "x '--token' ***"),
            ("x --password 'never closed", "x --password ***"),
            ("NODE_ENV=development API_KEY=abc vite", "NODE_ENV=development API_KEY=*** vite"),
            ("--token=a b c", "--token=***"),
            ("curl -H 'Authorization: Bearer a.b' u", "curl -H 'Authorization: ***' u"),
            ("Cookie: a=b; c=d", "Cookie: ***"),
            (r#"{"token":"abc","b":1}"#, r#"{"token":***,"b":1}"#),
            (r#"{"password" : "a b"}"#, r#"{"password" : ***}"#),
            (r#"["--token","abc"]"#, r#"["--token",***]"#),
            ("x http://a:b@c http://d:e@f/g", "x http://***@c http://***@f/g"),
            ("x 'http://a/?token=abc&b=c'", "x 'http://a/?token=***&b=c'"),
            // What a variable holds is not in the argument.
            ("x --token=$TOKEN --key ${KEY} \"$A_KEY\"", "x --token=$TOKEN --key ${KEY} \"$A_KEY\""),
            ("echo the token is not here", "echo the token is not here"),
            ("tokenize --all; keystone start", "tokenize --all; keystone start"),
        ];
        for (arg, expected) in table {
            assert_eq!(shown(&["sh", "-c", arg])[2], expected);
        }
    }

    #[test]
    fn a_long_argument_takes_no_time_and_an_odd_one_stays_as_it_is() {
        for long in
            ["a=".repeat(100_000), "token ".repeat(50_000), "--token".repeat(50_000), "://".repeat(99)]
        {
            let start = std::time::Instant::now();
            shown(&[&long]);
            assert!(start.elapsed().as_secs() < 2, "{:.9} {:?}", long, start.elapsed());
        }
        let odd = crate::sys::testing::not_utf8();
        assert_eq!(redacted(std::slice::from_ref(&odd)), [odd]);
    }
}
