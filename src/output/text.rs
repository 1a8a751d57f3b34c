//! Output made safe to show: no control sequence, control character or bidirectional override is left.

/// The text of a piece of output, without everything that steers a terminal. Line ends become `\n`.
pub(crate) fn strip_control(bytes: &[u8]) -> String {
    strip(bytes, false)
}

/// The same for whole lines on a terminal: colours and the like stay, and end with their line.
pub(crate) fn strip_all_but_colours(bytes: &[u8]) -> String {
    strip(bytes, true)
}

fn strip(bytes: &[u8], colours: bool) -> String {
    const RESET: &str = "\x1b[0m";
    let mut coloured = false;
    let text = String::from_utf8_lossy(bytes);
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '\x1b' => {
                if let Some(colour) = skip_escape(&mut rest).filter(|_| colours) {
                    coloured = !matches!(colour.as_str(), "" | "0");
                    clean.push_str(&format!("\x1b[{colour}m"));
                }
            }
            '\u{9b}' => drop(skip_control_sequence(&mut rest)),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut rest),
            '\r' | '\n' => {
                if char == '\r' {
                    rest.next_if_eq(&'\n');
                }
                if std::mem::take(&mut coloured) {
                    clean.push_str(RESET);
                }
                clean.push('\n');
            }
            '\t' => clean.push(char),
            _ if char.is_control() || is_bidi(char) => {}
            _ => clean.push(char),
        }
    }
    if coloured {
        clean.push_str(RESET);
    }
    clean
}

/// The last lines of a piece of output, for an error that shows them.
pub(crate) fn last_lines(bytes: &[u8]) -> String {
    const LINES: usize = 20;
    let text = strip_control(bytes);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// What stood between `ESC [` and `m`, if it was that.
fn skip_escape(rest: &mut Rest) -> Option<String> {
    match rest.peek() {
        Some('[') => {
            rest.next();
            return skip_control_sequence(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            rest.next();
            skip_string(rest);
        }
        Some(' '..='~') => {
            while rest.next_if(|char| (' '..='/').contains(char)).is_some() {}
            rest.next_if(|char| ('0'..='~').contains(char));
        }
        _ => {}
    }
    None
}

/// `ESC [` parameters, intermediates, one final character. The parameters of a colour.
fn skip_control_sequence(rest: &mut Rest) -> Option<String> {
    let mut parameters = String::new();
    while let Some(char) = rest.next_if(|char| (' '..='?').contains(char)) {
        parameters.push(char);
    }
    let last = rest.next_if(|char| ('@'..='~').contains(char));
    let is_colour = parameters.chars().all(|char| matches!(char, '0'..='9' | ';' | ':'));
    (last == Some('m') && is_colour).then_some(parameters)
}

/// `ESC ]` and its like: up to BEL or `ESC \`; a line end ends it too, so that a torn one hides one line at most.
fn skip_string(rest: &mut Rest) {
    while let Some(char) = rest.next_if(|char| *char != '\n') {
        match char {
            '\x07' | '\u{9c}' => return,
            '\x1b' => {
                rest.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

fn is_bidi(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_text_is_left() {
        let cases: &[(&[u8], &str)] = &[
            (b"plain \xc3\xa4\ttab\nnext", "plain \u{e4}\ttab\nnext"),
            (b"\x1b[32mgreen\x1b[0m \x1b[1;38;5;4mblue\x1b[m", "green blue"),
            (b"a\x1b]0;title\x07b\x1b]52;c;aGk=\x1b\\c", "abc"),
            (b"a\x1bPq...\x1b\\b\x1b(Bc\x1b7d\x1b=e", "abcde"),
            (b"one\r\ntwo\rthree", "one\ntwo\nthree"),
            (b"bell\x07 back\x08 nul\x00 del\x7f", "bell back nul del"),
            ("\u{9b}31mc1\u{9d}0;t\u{9c}!".as_bytes(), "c1!"),
            ("ab\u{202e}cd\u{2069}".as_bytes(), "abcd"),
            (b"torn \x1b]0;never ends\nnext line", "torn \nnext line"),
            (b"cut \x1b[3", "cut "),
            (b"cut \x1b", "cut "),
            (b"bad \xff utf-8", "bad \u{fffd} utf-8"),
            ("\x1b\u{e4}".as_bytes(), "\u{e4}"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(strip_control(bytes), *expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn colours_stay_where_they_are_shown_and_end_with_their_line() {
        let cases: &[(&[u8], &str)] = &[
            (b"\x1b[32mgreen\x1b[0m plain", "\x1b[32mgreen\x1b[0m plain"),
            (b"\x1b[1;38;5;4mto the end\nnext", "\x1b[1;38;5;4mto the end\x1b[0m\nnext"),
            (b"\x1b[31mwindows\r\nnext", "\x1b[31mwindows\x1b[0m\nnext"),
            (b"\x1b[31mno end", "\x1b[31mno end\x1b[0m"),
            (b"\x1b[2J\x1b[H\x1b]52;c;aGk=\x07\x1b[?25lclear", "clear"),
            (b"\x1b[>4;2mno colour", "no colour"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(strip_all_but_colours(bytes), *expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    proptest! {
        #![proptest_config(crate::testing::properties())]

        #[test]
        fn nothing_that_steers_is_left_of_any_output(
            bytes in prop_oneof![
                any::<Vec<u8>>(),
                "([\x1b\u{9b}\u{90}\u{9d}\\[\\]P_X0-9;m\\\\\x07\r\n\ta-z\u{202e}\u{61c}\u{2028}]){0,40}".prop_map(String::into_bytes),
            ],
        ) {
            let steers = |c: char| (c.is_control() && !"\n\t".contains(c)) || is_bidi(c);
            let clean = strip_control(&bytes);
            prop_assert!(!clean.contains(steers), "{clean:?}");
            prop_assert_eq!(&strip_control(clean.as_bytes()), &clean);
            let coloured = strip_all_but_colours(&bytes);
            prop_assert_eq!(&strip_all_but_colours(coloured.as_bytes()), &coloured);
            for line in coloured.split('\n') {
                let mut parts = line.split('\x1b');
                prop_assert!(!parts.next().unwrap_or_default().contains(steers), "{line:?}");
                for part in parts {
                    let (colour, text) = part.split_once('m').expect("a colour");
                    prop_assert!(colour.starts_with('[') && !text.contains(steers), "{line:?}");
                    prop_assert!(colour[1..].chars().all(|c| c.is_ascii_digit() || ";:".contains(c)), "{line:?}");
                }
                let last = line.rfind("\x1b[").map(|at| &line[at..]);
                prop_assert!(last.is_none_or(|last| last.starts_with("\x1b[0m") || last.starts_with("\x1b[m")), "{line:?} stays coloured");
            }
            prop_assert!(last_lines(&bytes).lines().count() <= 20);
            let _ = crate::output::diagnose(&bytes);
        }
    }
}
