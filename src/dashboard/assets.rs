//! The files of the page, as they are in the program. Nothing is read from disk.

/// The schema of the API.
pub(super) const SCHEMA: &str = include_str!("assets/openapi.json");
/// The page.
pub(super) const PAGE: &str = include_str!("assets/index.html");
/// The page for whoever has no token.
pub(super) const DOOR: &str = include_str!("assets/door.html");

/// Name, type, text, whether it is needed at the door.
const FILES: &[(&str, &str, &str, bool)] = &[
    ("style.css", CSS, include_str!("assets/style.css"), true),
    ("door.js", JS, include_str!("assets/door.js"), true),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg"), true),
    ("app.js", JS, include_str!("assets/app.js"), false),
    ("api.js", JS, include_str!("assets/api.js"), false),
    ("dom.js", JS, include_str!("assets/dom.js"), false),
    ("chart.js", JS, include_str!("assets/chart.js"), false),
    ("list.js", JS, include_str!("assets/list.js"), false),
    ("row.js", JS, include_str!("assets/row.js"), false),
    ("detail.js", JS, include_str!("assets/detail.js"), false),
    ("log.js", JS, include_str!("assets/log.js"), false),
    ("open.js", JS, include_str!("assets/open.js"), false),
];

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// One of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asset(usize);

impl Asset {
    pub(super) fn named(name: &str) -> Option<Self> {
        FILES.iter().position(|(known, ..)| *known == name).map(Self)
    }

    /// Needed by the page that has no token yet.
    pub(super) fn is_open(self) -> bool {
        FILES[self.0].3
    }

    /// Its type and its text.
    pub(super) fn content(self) -> (&'static str, &'static str) {
        let (_, kind, text, _) = FILES[self.0];
        (kind, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_asks_nobody_else_and_has_nothing_inline() {
        let pages = [PAGE, DOOR].into_iter().chain(FILES.iter().map(|(_, _, text, _)| *text));
        for text in pages {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for foreign in
                ["http://", "https://", "//cdn", "@import", "style=\"", "onclick", "innerHTML", "eval("]
            {
                let found = text.lines().find(|line| line.contains(foreign));
                assert_eq!(found, None, "{foreign}");
            }
            assert!(!text.contains("<script>") && !text.contains("<style"));
        }
    }
}
