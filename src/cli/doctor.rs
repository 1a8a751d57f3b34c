//! `devrun doctor`: looks at this machine and at the project here, tries the promises with this very program, and says
//! what it found. What is looked at stands in `checks`, what is tried in `trials`; nothing is left behind, and nothing
//! is mended.

mod checks;
mod trials;

use std::process::ExitCode;

use serde_json::json;

use super::escape::escape_line;
use super::render::Style;
use super::table::{print, print_json};

/// What one look, or one try, has found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Check {
    what: &'static str,
    state: State,
    /// In words.
    found: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    /// devrun works, with less than it could have; or there is nothing to look at.
    Limited,
    Failed,
}

impl Check {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, state: State::Good, found: found.into() }
    }

    fn limited(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, state: State::Limited, found: found.into() }
    }

    fn failed(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, state: State::Failed, found: found.into() }
    }
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Good => "ok",
            State::Limited => "limited",
            State::Failed => "failed",
        }
    }
}

/// The dev server that the trials run; a hidden option of this verb.
pub(crate) fn serve() -> ExitCode {
    ExitCode::from(u8::from(trials::serve().is_err()))
}

/// Prints what was found, each as soon as it is known; the status is 1 if anything failed.
pub(crate) fn run(json: bool, style: Style) -> ExitCode {
    let mut all = Vec::new();
    for look in checks::ALL.iter().chain(trials::ALL) {
        let found = look();
        if !json {
            found.iter().for_each(|check| print(&line(style, check)));
        }
        all.extend(found);
    }
    let failed = all.iter().any(|check| check.state == State::Failed);
    if json {
        let each =
            |check: &Check| json!({ "check": check.what, "state": check.state.word(), "found": check.found });
        print_json(&json!({ "ok": !failed, "checks": all.iter().map(each).collect::<Vec<_>>() }));
    }
    ExitCode::from(u8::from(failed))
}

fn line(style: Style, check: &Check) -> String {
    let colour = match check.state {
        State::Good => "32",
        State::Limited => "33",
        State::Failed => "1;31",
    };
    let state = style.paint(colour, &format!("{:7}", check.state.word()));
    format!("{state}  {:24}  {}\n", check.what, escape_line(&check.found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_state_check_and_finding() {
        let style = Style { json: false, quiet: false, colour: false };
        let check = Check::limited("loopback ::1", "switched off\u{1b}");
        assert_eq!(line(style, &check), "limited  loopback ::1              switched off\\u{1b}\n");
    }
}
