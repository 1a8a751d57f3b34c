//! Keeps secrets in arguments out of the record. Only what is written is changed, never what is run.

use std::ffi::{OsStr, OsString};

const HIDDEN: &str = "***";

/// The arguments with the values of those that are named like a secret replaced by `***`.
pub(crate) fn redacted(argv: &[OsString]) -> Vec<OsString> {
    let mut value_follows = false;
    argv.iter()
        .map(|arg| {
            let text = arg.to_string_lossy();
            if std::mem::take(&mut value_follows) && !text.starts_with('-') {
                return OsString::from(HIDDEN);
            }
            match text.split_once('=') {
                Some((name, _)) if is_secret(name) => format!("{name}={HIDDEN}").into(),
                _ => {
                    value_follows = text.starts_with('-') && !text.contains('=') && is_secret(&text);
                    without_password(arg, &text)
                }
            }
        })
        .collect()
}

/// `--token`, `API_KEY`, `db.password`, `--authToken`.
fn is_secret(name: &str) -> bool {
    if name.contains(char::is_whitespace) {
        return false;
    }
    let name = name.to_lowercase();
    let anywhere = ["token", "secret", "password", "passwd", "apikey", "credential"];
    let whole_word = ["key", "auth", "pass", "pwd"];
    anywhere.iter().any(|word| name.contains(word))
        || name.split(|c: char| !c.is_alphanumeric()).any(|word| whole_word.contains(&word))
}

/// `postgres://me:secret@host` without what stands before the `@`.
fn without_password(arg: &OsStr, text: &str) -> OsString {
    let Some((scheme, rest)) = text.split_once("://") else { return arg.to_os_string() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    match authority.rsplit_once('@') {
        Some((user, host)) if user.contains(':') => {
            let after = &rest[authority.len()..];
            format!("{scheme}://{HIDDEN}@{host}{after}").into()
        }
        _ => arg.to_os_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ];
        for (argv, expected) in table {
            let argv: Vec<OsString> = argv.split(' ').map(OsString::from).collect();
            let shown =
                redacted(&argv).iter().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>();
            assert_eq!(shown.join(" "), expected);
        }
    }
}
