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
            && let Some((between, value)) = value_after(before[..start].chars().next_back(), name, after)
            && !is_harmless(value)
        {
            let quote = QUOTES.into_iter().find(|quote| value.starts_with(quote)).unwrap_or_default();
            out.push_str(&format!("{between}{quote}{HIDDEN}{quote}"));
            rest = &after[between.len() + value.len()..];
        }
    }
    out + rest
}

/// What a value can be enclosed in; the first one in JSON within double quotes.
const QUOTES: [&str; 3] = [r#"\""#, "\"", "'"];

/// What stands between a name and its value, and the value with its quotes, if the text after the name has one.
/// `before` is what the name comes right after: with a quote there, the value goes on to the closing one.
fn value_after<'a>(before: Option<char>, name: &str, after: &'a str) -> Option<(&'a str, &'a str)> {
    let unquoted = QUOTES.iter().find_map(|quote| after.strip_prefix(quote)).unwrap_or(after);
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
    let length = match before {
        // `Authorization: Bearer x` has blanks in its value.
        _ if is_header => value.find(['"', '\'', '\n']),
        Some(quote @ ('"' | '\'')) if !quoted => value.find(quote),
        _ => match value.strip_prefix(QUOTES[0]) {
            Some(inner) => inner.find(QUOTES[0]).map(|end| end + 2 * QUOTES[0].len()),
            None => end_of(value),
        },
    };
    Some((&after[..after.len() - value.len()], &value[..length.unwrap_or(value.len())]))
}

/// Where a value ends that a shell or JSON reads: behind `\` and in quotes nothing ends it. A quote within an unquoted
/// one may as well be the end of what is around it.
fn end_of(value: &str) -> Option<usize> {
    let quoted = value.starts_with(['"', '\'']);
    let mut open = None;
    let mut rest = value.char_indices();
    while let Some((at, c)) = rest.next() {
        match (open, c) {
            (None | Some('"'), '\\') => drop(rest.next()),
            (Some(quote), _) if c == quote => open = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if quoted => open = Some(c),
            (None, ',' | '}' | ']' | ')') if quoted => return Some(at),
            (None, '&' | ';' | '|') => return Some(at),
            // For a shell other blanks are letters.
            (None, c) if c.is_ascii_whitespace() => return Some(at),
            (None, _) => {}
        }
    }
    None
}

/// `postgres://me:secret@host` without what stands before the `@`.
fn without_passwords(text: &str) -> String {
    let mut parts = text.split("://");
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        out.push_str("://");
        let end = part.find(|c: char| c.is_ascii_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\''));
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
    use proptest::prelude::*;

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
            ("x --token 'a b c' y", "x --token '***' y"),
            ("x --password=\"a b\" y", "x --password=\"***\" y"),
            ("x --keep --token abc", "x --keep --token ***"),
            ("x '--token' 'a b'", "x '--token' '***'"),
            ("x --password 'never closed", "x --password '***'"),
            ("NODE_ENV=development API_KEY=abc vite", "NODE_ENV=development API_KEY=*** vite"),
            ("--token=a b c", "--token=***"),
            ("curl -H 'Authorization: Bearer a.b' u", "curl -H 'Authorization: ***' u"),
            ("Cookie: a=b; c=d", "Cookie: ***"),
            (r#"{"token":"abc","b":1}"#, r#"{"token":"***","b":1}"#),
            (r#"{"password" : "a b"}"#, r#"{"password" : "***"}"#),
            (r#"["--token","abc"]"#, r#"["--token","***"]"#),
            (r#"{"token":"a\"b","c":1}"#, r#"{"token":"***","c":1}"#),
            (r#"curl -d "{\"token\":\"a b\",\"c\":1}""#, r#"curl -d "{\"token\":\"***\",\"c\":1}""#),
            (r"x --token=a\ b --token='a'\''b c' d", r"x --token=*** --token='***' d"),
            ("env 'DB_PASSWORD=a b' x", "env 'DB_PASSWORD=***' x"),
            ("x http://a:b@c http://d:e@f/g", "x http://***@c http://***@f/g"),
            ("x --token=a\u{a0}b\u{3000}c http://a:b\u{a0}c@d", "x --token=*** http://***@d"),
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

    /// How a value with blanks and quotes is written in a script, in JSON, and bare.
    fn ways_to_write(secret: &str) -> Vec<String> {
        let json = serde_json::to_string(secret).unwrap();
        let shell = format!("'{}'", secret.replace('\'', r"'\''"));
        let double = format!("\"{}\"", secret.replace(['\\', '"', '$', '`'], "_"));
        vec![json, shell, double]
    }

    fn inside_quotes(secret: &str) -> String {
        serde_json::to_string(secret).unwrap().replace('"', r#"\""#)
    }

    proptest! {
        #![proptest_config(crate::testing::properties())]

        #[test]
        fn no_secret_survives_however_it_is_written(
            inner in "[ a-z\"'\\\\;&|=,:/?#@{}\\[\\]-]{0,12}",
            name in "(--)?(api-key|token|DB_PASSWORD|authToken|jwt)",
            more in "[ a-z=-]{0,8}",
        ) {
            // What must not be seen is marked, so that it is found whatever stands around it.
            let secret = format!("QZ{inner}ZQ");
            let word = secret.replace(|c: char| !c.is_alphanumeric(), "");
            let mut lines = vec![
                vec![format!("--{name}"), secret.clone()],
                vec![format!("{name}={secret}")],
                vec![format!("x {name}={word} {more}")],
                vec![format!("x --{name} {word} {more}")],
                vec![format!("http://me:{word}@host/{more}")],
                vec![format!("http://host/?{name}={word}&x=1")],
            ];
            let plain = secret.replace(['\'', '"', '\\'], "_");
            lines.push(vec![format!("x '{name}={plain}' {more}")]);
            lines.push(vec![format!(r#"x -d "{{\"{name}\":{}}}" {more}"#, inside_quotes(&plain))]);
            for written in ways_to_write(&secret) {
                lines.push(vec![format!("{{\"a\":1,\"{name}\": {written},\"b\":2}}")]);
                lines.push(vec![format!("{{\"{name}\":{written}}}")]);
                lines.push(vec![format!("x {name}={written} {more}")]);
                lines.push(vec![format!("x --{name} {written}; {more}")]);
            }
            for line in lines {
                let line: Vec<&str> = line.iter().map(String::as_str).collect();
                let once = shown(&line);
                let seen = once.join(" ");
                prop_assert!(!seen.contains("QZ") && !seen.contains("ZQ"), "{line:?} became {seen}");
            }
        }

        #[test]
        fn what_is_redacted_stays_as_it_is(line in "([a-z=:,\"' {}&/?@-]|\"token\":\"a b\"|'--token' 'a'|token|--key|https?://|password|Cookie: ){0,20}") {
            let once = shown(&["x", &line]);
            let twice = shown(&once.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(twice, once);
        }
    }
}
