//! Tables and colours on stdout. Nothing here knows what a server is; cells come escaped.

use std::io::{self, IsTerminal, Write};

use crate::output::printable;

/// The room on stdout, and whether it shows colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    /// `None`: no terminal, lines are as long as they are.
    columns: Option<usize>,
    colour: bool,
}

/// How a cell looks on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Plain,
    Dim,
    Bold,
    Green,
    Yellow,
    Red,
}

impl Screen {
    /// What stdout is.
    pub(crate) fn stdout() -> Self {
        let terminal = io::stdout().is_terminal();
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let size = terminal.then(|| terminal_size::terminal_size_of(io::stdout())).flatten();
        Self {
            // A terminal that does not know its size says 0.
            columns: size.map(|(width, _)| width.0.into()).filter(|columns| *columns > 0),
            colour: terminal && wanted,
        }
    }

    pub(crate) fn has_colour(self) -> bool {
        self.colour
    }

    pub(crate) fn paint(self, look: Look, text: &str) -> String {
        let code = match look {
            Look::Plain => return text.to_string(),
            Look::Dim => "2",
            Look::Bold => "1",
            Look::Green => "32",
            Look::Yellow => "33",
            Look::Red => "31",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// A reader that has enough is no failure.
pub(crate) fn print(text: &str) {
    let _ = write(text);
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// The same for JSON, in one line.
pub(crate) fn print_json(json: &impl ToString) {
    let _ = write_json(json);
}

/// The same for who goes on until nobody reads any more, which is told.
pub(crate) fn write_json(json: &impl ToString) -> io::Result<()> {
    write(&format!("{}\n", printable(json.to_string())))
}

/// A column: its head, and what becomes of it where there is little room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) head: &'static str,
    /// It goes when there is not enough room, the highest number first; 0 stays.
    pub(crate) goes: u8,
    pub(crate) cut: Cut,
}

/// What of a cell may be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Never,
    /// The end, down to so many columns.
    End(usize),
    /// The beginning, as of a path, down to so many columns.
    Start(usize),
}

/// A row, with the look of each cell.
pub(crate) type Row<const N: usize> = [(String, Look); N];

const GAP: usize = 2;

/// The table, in the room there is: cells are cut, then columns left out; no line is longer than the screen unless
/// the columns that stay are.
pub(crate) fn table<const N: usize>(screen: Screen, columns: &[Column; N], rows: &[Row<N>]) -> String {
    let widest = |at: usize| rows.iter().map(|row| width(&row[at].0)).max().unwrap_or(0);
    // A column without content is left out.
    let mut shown: Vec<(usize, usize)> = (0..N)
        .filter(|at| widest(*at) > 0)
        .map(|at| (at, widest(at).max(columns[at].head.chars().count())))
        .collect();
    if let Some(room) = screen.columns {
        fit(columns, &mut shown, room);
    }
    let heads = std::array::from_fn(|at| (columns[at].head.to_string(), Look::Dim));
    std::iter::once(&heads).chain(rows).fold(String::new(), |mut out, row| {
        for (index, (at, width)) in shown.iter().enumerate() {
            let (text, look) = &row[*at];
            let text = cut(text, *width, columns[*at].cut);
            let padding = if index + 1 < shown.len() { width + GAP - self::width(&text) } else { 0 };
            out.push_str(&screen.paint(*look, &text));
            out.extend(std::iter::repeat_n(' ', padding));
        }
        while out.ends_with(' ') {
            out.pop();
        }
        out.push('\n');
        out
    })
}

/// Narrows and leaves out columns until they fit.
fn fit<const N: usize>(columns: &[Column; N], shown: &mut Vec<(usize, usize)>, room: usize) {
    loop {
        let wanted = shown.iter().map(|(_, width)| width + GAP).sum::<usize>().saturating_sub(GAP);
        let mut over = wanted.saturating_sub(room);
        for (at, width) in shown.iter_mut() {
            let least = match columns[*at].cut {
                Cut::Never => *width,
                Cut::End(least) | Cut::Start(least) => least,
            };
            let given = width.saturating_sub(least).min(over);
            *width -= given;
            over -= given;
        }
        if over == 0 {
            return;
        }
        let Some(last) = shown.iter().enumerate().max_by_key(|(_, (at, _))| columns[*at].goes) else {
            return;
        };
        if columns[last.1.0].goes == 0 {
            return;
        }
        shown.remove(last.0);
        // Those that stay may have more room now.
    }
}

fn cut(text: &str, room: usize, how: Cut) -> String {
    if width(text) <= room {
        return text.to_string();
    }
    let fitting = |chars: &mut dyn Iterator<Item = char>| {
        let mut left = room.saturating_sub(1);
        chars
            .take_while(|c| {
                let fits = columns(*c) <= left;
                left = left.saturating_sub(columns(*c));
                fits
            })
            .collect::<String>()
    };
    match how {
        Cut::Never => text.to_string(),
        Cut::End(_) => format!("{}…", fitting(&mut text.chars())),
        Cut::Start(_) => {
            let end = fitting(&mut text.chars().rev());
            format!("…{}", end.chars().rev().collect::<String>())
        }
    }
}

/// How many columns a terminal gives the text.
fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// Combining marks have no column, most of East Asia's letters and the emoji two.
fn columns(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column { head: "NAME", goes: 0, cut: Cut::End(6) },
        Column { head: "URL", goes: 0, cut: Cut::Never },
        Column { head: "FOLDER", goes: 1, cut: Cut::Start(6) },
        Column { head: "BRANCH", goes: 2, cut: Cut::End(6) },
    ];

    fn row(cells: [&str; 4]) -> Row<4> {
        cells.map(|cell| (cell.to_string(), Look::Plain))
    }

    fn shown(columns: Option<usize>) -> String {
        let rows = [
            row(["shop", "http://localhost:3100", "~/code/shop", "main"]),
            row(["straße-日本", "http://localhost:3200", "~", "fix/cart-total"]),
        ];
        table(Screen { columns, colour: false }, &COLUMNS, &rows)
    }

    #[test]
    fn columns_are_aligned_and_lines_end_where_their_text_does() {
        assert_eq!(
            shown(None),
            "NAME         URL                    FOLDER       BRANCH\n\
             shop         http://localhost:3100  ~/code/shop  main\n\
             straße-日本  http://localhost:3200  ~            fix/cart-total\n"
        );
        let empty = [row(["a", "x", "", "b"])];
        assert_eq!(
            table(Screen { columns: None, colour: false }, &COLUMNS, &empty),
            "NAME  URL  BRANCH\na     x    b\n"
        );
    }

    #[test]
    fn a_narrow_screen_cuts_cells_then_leaves_out_columns() {
        for columns in 29..80 {
            let table = shown(Some(columns));
            assert!(table.lines().all(|line| width(line) <= columns), "{columns}:\n{table}");
        }
        assert_eq!(
            shown(Some(45)),
            "NAME    URL                    FOLDER  BRANCH\n\
             shop    http://localhost:3100  …/shop  main\n\
             straß…  http://localhost:3200  ~       fix/c…\n"
        );
        assert_eq!(
            shown(Some(10)),
            "NAME    URL\n\
             shop    http://localhost:3100\n\
             straß…  http://localhost:3200\n"
        );
    }

    #[test]
    fn colours_are_for_terminals_and_change_no_width() {
        let rows = [[("a".to_string(), Look::Green), ("b".to_string(), Look::Plain)]];
        let columns = [COLUMNS[0], COLUMNS[1]];
        let coloured = table(Screen { columns: Some(80), colour: true }, &columns, &rows);
        assert_eq!(coloured, "\x1b[2mNAME\x1b[0m  \x1b[2mURL\x1b[0m\n\x1b[32ma\x1b[0m     b\n");
    }
}
