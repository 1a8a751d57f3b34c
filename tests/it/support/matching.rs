//! Comparing whole output with what a test expects. `[..]` stands for anything within a line, a line `...` for any
//! lines; all else must be there to the letter.

/// Whether all of `text` is what `pattern` says.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<_> = pattern.lines().collect();
    let text: Vec<_> = text.lines().collect();
    lines_match(&pattern, &text)
}

fn lines_match(pattern: &[&str], text: &[&str]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((&"...", rest)) => (0..=text.len()).any(|skipped| lines_match(rest, &text[skipped..])),
        Some((first, rest)) => text
            .split_first()
            .is_some_and(|(line, more)| line_matches(first, line) && lines_match(rest, more)),
    }
}

fn line_matches(pattern: &str, line: &str) -> bool {
    match pattern.split_once("[..]") {
        None => pattern == line,
        Some((before, after)) => line.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(i, _)| i).chain([rest.len()]).any(|i| line_matches(after, &rest[i..]))
        }),
    }
}

#[test]
fn patterns_match_whole_output_and_nothing_less() {
    for (pattern, text, expected) in [
        ("", "", true),
        ("", "x\n", false),
        ("a [..] c", "a b c\n", true),
        ("a [..] c", "a b c d\n", false),
        ("...\nend", "1\n2\nend\n", true),
        ("...\nend", "1\nend\n2\n", false),
        ("...", "", true),
        ("error: [..]é[..]\n...", "error: né\nhint: x\n", true),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern:?} on {text:?}");
    }
}
