//! JSON made safe to show: what it means stays the same. Nothing here makes or reads JSON.

/// JSON whose strings can be shown in a terminal: what steers one, or turns the direction of writing, is escaped.
pub(crate) fn printable(json: String) -> String {
    if !json.contains(steers) {
        return json;
    }
    json.chars().fold(String::with_capacity(json.len()), |mut out, c| {
        match steers(c) {
            true => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => out.push(c),
        }
        out
    })
}

fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_safe_to_print_and_means_the_same() {
        let text = "a\u{202e}b\u{9b}2J\x1b]52;c;AA\x07 \"\\ \u{2028} é日";
        let shown = printable(serde_json::Value::from(text).to_string());
        assert!(shown.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
    }
}
