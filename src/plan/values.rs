//! The values of options as they are written on the command line, in the environment and in files: the same
//! everywhere. Nothing here knows where a value came from.

use std::time::Duration;

use super::{IfRunning, Owner, ReadyCheck, RestartPolicy, StopSignal};

/// The longest name of a server, in characters.
pub(crate) const NAME_MAX: usize = 100;

/// A further variable that gets a port (`--port-env VAR[=NAME]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PortVariable {
    pub(crate) variable: String,
    /// Of a second port; `None`: the server's own.
    pub(crate) name: Option<String>,
}

/// A name: short, on one line, without `/`.
pub(crate) fn name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("a name is not empty".into());
    }
    if text.chars().count() > NAME_MAX {
        return Err(format!("a name has at most {NAME_MAX} characters"));
    }
    match text.chars().find(|&letter| unfit(letter)) {
        Some('/') => Err("a name has no `/`".into()),
        Some(letter) => Err(format!("a name has no control characters (here {})", letter.escape_unicode())),
        None => Ok(text.to_string()),
    }
}

/// Letters that a name can't have.
pub(crate) fn unfit(letter: char) -> bool {
    letter == '/' || steers(letter)
}

/// Letters that change how a line or a page reads: control characters, marks of direction, separators of lines and
/// paragraphs.
pub(crate) fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A duration: a whole number and a unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a duration is a number with a unit: 500ms, 30s, 2m, 1h".to_string();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit_ms: u64 = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" => return Err(format!("{text} has no unit: write {text}s or {text}ms")),
        _ => return Err(wrong()),
    };
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(wrong)
}

/// When the server counts as ready.
pub(crate) fn ready(text: &str) -> Result<ReadyCheck, String> {
    match text {
        "tcp" => Ok(ReadyCheck::Tcp),
        "none" => Ok(ReadyCheck::None),
        _ if text.starts_with('/') => Ok(ReadyCheck::Path(text.to_string())),
        _ if text.starts_with("http://") || text.starts_with("https://") => {
            Ok(ReadyCheck::Url(text.to_string()))
        }
        _ => match text.strip_prefix("log:") {
            Some("") => Err("log: needs a regular expression".into()),
            Some(pattern) => match regex_lite::Regex::new(pattern) {
                Ok(_) => Ok(ReadyCheck::Log(pattern.to_string())),
                Err(error) => Err(format!("`{pattern}` is no regular expression: {error}")),
            },
            None => Err("expected a URL, a /path, tcp, log:REGEX or none".into()),
        },
    }
}

/// What a server that is ready is asked from then on: as readiness, but nothing that is only said once.
pub(crate) fn health(text: &str) -> Result<ReadyCheck, String> {
    match ready(text)? {
        ReadyCheck::Log(_) | ReadyCheck::None => Err("expected a URL, a /path or tcp".into()),
        check @ (ReadyCheck::Path(_) | ReadyCheck::Url(_) | ReadyCheck::Tcp) => Ok(check),
    }
}

/// The time between two probes: not so short that they would be a load.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        short if short < Duration::from_millis(100) => Err("an interval is at least 100ms".into()),
        interval => Ok(interval),
    }
}

/// How often, at least once.
pub(crate) fn count(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count) if (1..=1000).contains(&count) => Ok(count),
        _ => Err("expected a number from 1 to 1000".into()),
    }
}

/// What to do when the same server runs already.
pub(crate) fn if_running(text: &str) -> Result<IfRunning, String> {
    match text {
        "url" => Ok(IfRunning::Url),
        "replace" => Ok(IfRunning::Replace),
        "error" => Ok(IfRunning::Error),
        "new" => Ok(IfRunning::New),
        _ => Err("expected url, replace, error or new".into()),
    }
}

/// How many quick failures in a row end the restarts.
const QUICK_FAILURES: u32 = 5;

/// Whether a server that ended is started again.
pub(crate) fn restart(text: &str) -> Result<RestartPolicy, String> {
    match text.split_once(':') {
        None if text == "never" => Ok(RestartPolicy::Never),
        None if text == "always" => Ok(RestartPolicy::Always),
        None if text == "on-failure" => Ok(RestartPolicy::OnFailure(QUICK_FAILURES)),
        Some(("on-failure", times)) => count(times).map(RestartPolicy::OnFailure),
        _ => Err("expected never, on-failure, on-failure:N or always".into()),
    }
}

/// A command line for a shell.
pub(crate) fn command(text: &str) -> Result<String, String> {
    match text.trim().is_empty() || text.contains('\0') {
        true => Err("expected a command".into()),
        false => Ok(text.to_string()),
    }
}

/// A signal, with or without SIG.
pub(crate) fn stop_signal(text: &str) -> Result<StopSignal, String> {
    let upper = text.to_ascii_uppercase();
    match upper.strip_prefix("SIG").unwrap_or(&upper) {
        "TERM" => Ok(StopSignal::Term),
        "INT" => Ok(StopSignal::Int),
        "HUP" => Ok(StopSignal::Hup),
        "QUIT" => Ok(StopSignal::Quit),
        "USR1" => Ok(StopSignal::Usr1),
        "USR2" => Ok(StopSignal::Usr2),
        "KILL" => Ok(StopSignal::Kill),
        _ => Err("expected SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 or SIGKILL".into()),
    }
}

/// With whom the server dies.
pub(crate) fn owner(text: &str) -> Result<Owner, String> {
    match text {
        "auto" => Ok(Owner::Auto),
        "none" => Ok(Owner::None),
        _ => match text.parse() {
            Ok(pid) if (1..=i32::MAX as u32).contains(&pid) => Ok(Owner::Pid(pid)),
            _ => Err("expected auto, none or a pid".into()),
        },
    }
}

/// `VAR` or `VAR=NAME`.
pub(crate) fn port_variable(text: &str) -> Result<PortVariable, String> {
    let (variable, name) = match text.split_once('=') {
        Some((variable, name)) => (variable, Some(name)),
        None => (text, None),
    };
    let word = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    if !word(variable, b"_") || variable.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(format!("`{variable}` can't be the name of a variable"));
    }
    if name.is_some_and(|name| !word(name, b"_-")) {
        return Err("the name of a port has letters, digits, - and _ only".into());
    }
    Ok(PortVariable { variable: variable.to_string(), name: name.map(str::to_string) })
}

/// A switch.
pub(crate) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" | "" => Ok(false),
        _ => Err("expected true or false".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("5"), Err("5 has no unit: write 5s or 5ms".into()));
        for wrong in ["", "s", "-1s", "1.5s", "5 s", "5d", "99999999999999999999s", "18446744073709551615h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_stay_on_one_line() {
        assert_eq!(name("my app@x:dev"), Ok("my app@x:dev".into()));
        for wrong in ["", " ", "a/b", "a\nb", "a\u{1b}[31m", "a\u{202e}b", "a\0", &"x".repeat(4096)] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
        assert!(name(&"ä".repeat(100)).is_ok());
    }

    #[test]
    fn values_are_checked() {
        assert_eq!(ready("/health"), Ok(ReadyCheck::Path("/health".into())));
        assert_eq!(ready("log:listening on \\d+"), Ok(ReadyCheck::Log("listening on \\d+".into())));
        for wrong in ["", "log:", "log:(", "udp", "localhost:3000"] {
            assert!(ready(wrong).is_err(), "{wrong}");
        }
        assert_eq!(stop_signal("int"), Ok(StopSignal::Int));
        assert_eq!(stop_signal("SIGTERM"), Ok(StopSignal::Term));
        assert!(stop_signal("9").is_err());
        assert_eq!(owner("12"), Ok(Owner::Pid(12)));
        for wrong in ["0", "-1", "me", "4294967295"] {
            assert!(owner(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            port_variable("API_PORT=api"),
            Ok(PortVariable { variable: "API_PORT".into(), name: Some("api".into()) })
        );
        for wrong in ["", "1A", "A B", "A=", "A=x y"] {
            assert!(port_variable(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_word_that_an_option_knows_means_what_it_says() {
        for (text, expected) in [
            ("tcp", ReadyCheck::Tcp),
            ("none", ReadyCheck::None),
            ("http://x:1/", ReadyCheck::Url("http://x:1/".into())),
            ("https://x", ReadyCheck::Url("https://x".into())),
        ] {
            assert_eq!(ready(text), Ok(expected), "{text}");
        }
        assert_eq!(health("tcp"), Ok(ReadyCheck::Tcp));
        assert!(health("none").is_err() && health("log:x").is_err(), "said once, or never");
        for (text, expected) in [
            ("url", IfRunning::Url),
            ("replace", IfRunning::Replace),
            ("error", IfRunning::Error),
            ("new", IfRunning::New),
        ] {
            assert_eq!(if_running(text), Ok(expected), "{text}");
        }
        for (text, expected) in [
            ("never", RestartPolicy::Never),
            ("always", RestartPolicy::Always),
            ("on-failure", RestartPolicy::OnFailure(5)),
            ("on-failure:3", RestartPolicy::OnFailure(3)),
        ] {
            assert_eq!(restart(text), Ok(expected), "{text}");
        }
        for (text, expected) in [
            ("TERM", StopSignal::Term),
            ("SIGHUP", StopSignal::Hup),
            ("quit", StopSignal::Quit),
            ("USR1", StopSignal::Usr1),
            ("USR2", StopSignal::Usr2),
            ("KILL", StopSignal::Kill),
        ] {
            assert_eq!(stop_signal(text), Ok(expected), "{text}");
        }
        assert_eq!((owner("auto"), owner("none")), (Ok(Owner::Auto), Ok(Owner::None)));
        assert_eq!(["true", "1", "yes", "on"].map(switch), [const { Ok(true) }; 4]);
        assert_eq!(["false", "0", "no", "off", ""].map(switch), [const { Ok(false) }; 5]);
        for wrong in ["sometimes", "", "on-failure:", "on-failure:0", "always:3"] {
            assert!(restart(wrong).is_err() && if_running(wrong).is_err(), "{wrong}");
        }
        assert!(switch("maybe").is_err());
        assert!(command("npm test").is_ok() && command(" ").is_err() && command("a\0").is_err());
    }

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(
            ["0", "1", "1000", "1001", "x"].map(|text| count(text).is_ok()),
            [false, true, true, false, false]
        );
        assert_eq!(["99ms", "100ms", "1h"].map(|text| interval(text).is_ok()), [false, true, true]);
        assert_eq!(["1", "2147483647", "2147483648"].map(|text| owner(text).is_ok()), [true, true, false]);
        assert!(name(&"x".repeat(NAME_MAX)).is_ok() && name(&"x".repeat(NAME_MAX + 1)).is_err());
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
    }
}
