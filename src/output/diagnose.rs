//! Why a server does not come up, as far as its own words tell. Reads text only, never the machine.

use super::strip_control;

/// What the output says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Diagnosis {
    /// It found its port taken; with the line that says so.
    PortInUse(String),
    /// It asks something and waits; with the question.
    Question(String),
}

/// Looks through the end of the output. A question counts only as the last thing said.
pub(crate) fn diagnose(tail: &[u8]) -> Option<Diagnosis> {
    let text = strip_control(tail);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).rev();
    let last = lines.next()?;
    if is_question(last) {
        return Some(Diagnosis::Question(shorten(last)));
    }
    std::iter::once(last)
        .chain(lines)
        .find(|line| is_port_in_use(line))
        .map(|line| Diagnosis::PortInUse(shorten(line)))
}

fn is_question(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    ["(y/n)", "[y/n]", "(yes/no)", "[yes/no]", "(y)es", "› no / yes"].iter().any(|mark| line.contains(mark))
        || (line.contains("another port") || line.contains("different port")) && line.contains('?')
}

fn is_port_in_use(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let says = |word: &str| line.contains(word);
    says("eaddrinuse")
        || says("address already in use")
        || says("address in use")
        || says("already running on port")
        || says("port") && (says("already in use") || says("is in use") || says("already allocated"))
}

/// Quoted in a message: one line of bounded length.
fn shorten(line: &str) -> String {
    line.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_found_in_the_last_words() {
        let in_use = |line: &str| Some(Diagnosis::PortInUse(line.to_string()));
        let question = |line: &str| Some(Diagnosis::Question(line.to_string()));
        let cases = [
            ("", None),
            ("listening on 3000\n", None),
            ("it is in use by nobody\n", None),
            (
                "Error: listen EADDRINUSE: address already in use :::3000\n    at Server.setupListenHandle\n",
                in_use("Error: listen EADDRINUSE: address already in use :::3000"),
            ),
            (
                "\x1b[31merror\x1b[0m Something is already running on port 3000.\n",
                in_use("error Something is already running on port 3000."),
            ),
            (
                "OSError: [Errno 98] Address already in use\n",
                in_use("OSError: [Errno 98] Address already in use"),
            ),
            ("Error: Port 5173 is already in use\n\n", in_use("Error: Port 5173 is already in use")),
            (
                "Port 3000 is in use.\n? Would you like to run the app on another port instead? \u{203a} (Y/n)",
                question("? Would you like to run the app on another port instead? \u{203a} (Y/n)"),
            ),
            ("Use port 8082 instead? [y/N] ", question("Use port 8082 instead? [y/N]")),
            ("Proceed (Y/n) y\nok\n", None),
        ];
        for (tail, expected) in cases {
            assert_eq!(diagnose(tail.as_bytes()), expected, "{tail}");
        }
    }
}
