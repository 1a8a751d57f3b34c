//! Makes foreign text safe for a terminal: nothing that moves the cursor, changes colours or turns the direction
//! of writing gets through, and what was there can be seen. Output of the command does not come this way.

use crate::plan::values::steers;

/// The text with control characters written out; line feeds and tabs stay, for text of several lines.
pub(crate) fn escape(text: &str) -> String {
    escaped(text, |c| c == '\n' || c == '\t')
}

/// The same for a name or a path, which must not become two lines.
pub(crate) fn escape_line(text: &str) -> String {
    escaped(text, |_| false)
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if steers(c) && !stays(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_seen_instead() {
        let table = [
            ("plain é 日本 🎉", "plain é 日本 🎉"),
            ("\x1b[31mred", r"\u{1b}[31mred"),
            ("\x1b]52;c;AAAA\x07", r"\u{1b}]52;c;AAAA\u{7}"),
            ("\u{9b}2J", r"\u{9b}2J"),
            ("a\u{202e}b\u{2066}", r"a\u{202e}b\u{2066}"),
            ("a\rb\x7f", r"a\rb\u{7f}"),
        ];
        for (text, expected) in table {
            assert_eq!(escape(text), expected);
            assert_eq!(escape_line(text), expected);
        }
        assert_eq!(escape("two\nlines"), "two\nlines");
        assert_eq!(escape_line("two\nlines\t"), r"two\nlines\t");
    }

    proptest! {
        #![proptest_config(crate::testing::properties())]

        #[test]
        fn no_text_steers_the_terminal(text in "(.|[\x00-\x1f\x7f-\u{9f}\u{61c}\u{200e}\u{2028}-\u{202e}\u{2066}-\u{2069}])*") {
            let safe = |c: char| !steers(c);
            prop_assert!(escape_line(&text).chars().all(safe));
            prop_assert!(escape(&text).chars().all(|c| safe(c) || c == '\n' || c == '\t'));
            prop_assert_eq!(escape_line(&escape_line(&text)), escape_line(&text));
        }

        #[test]
        fn a_name_that_is_allowed_is_shown_as_it_is(name in "[a-z\u{7f}-\u{9f}\u{600}-\u{61f}\u{2000}-\u{2070}]{1,8}") {
            if crate::plan::values::name(&name).is_ok() {
                prop_assert_eq!(escape_line(&name), name);
            }
        }
    }
}
