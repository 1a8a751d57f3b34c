//! One process's line in /proc. Nothing here trusts the name in it, which is the program's own choice.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The part of /proc/PID/stat that devrun uses.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) comm: String,
    pub(super) state: char,
    pub(super) ppid: u32,
    pub(super) pgid: u32,
    pub(super) sid: u32,
    /// The device number of the controlling terminal, 0 for none.
    pub(super) terminal: i64,
    pub(super) start: u64,
    /// Its processor time and that of its children that were waited for, in clock ticks.
    pub(super) ticks: u64,
}

impl Stat {
    pub(super) fn read(pid: u32) -> Option<Self> {
        Self::parse(&read_short(format!("/proc/{pid}/stat")).ok()?)
    }

    /// `comm` is the program's own choice: it may hold spaces, parentheses and line feeds, so the last
    /// parenthesis ends it.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let open = line.iter().position(|byte| *byte == b'(')?;
        let close = line.iter().rposition(|byte| *byte == b')')?;
        let fields = std::str::from_utf8(line.get(close + 1..)?).ok()?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        // The first of these is field 3 of proc(5).
        let field = |number: usize| fields.get(number - 3).copied();
        let number = |at: usize| field(at)?.parse::<i64>().ok().map(|n| u32::try_from(n).unwrap_or(0));
        Some(Self {
            comm: String::from_utf8_lossy(line.get(open + 1..close)?).into_owned(),
            state: field(3)?.chars().next()?,
            ppid: number(4)?,
            pgid: number(5)?,
            sid: number(6)?,
            terminal: field(7)?.parse().ok()?,
            start: field(22)?.parse().ok()?,
            ticks: (14..=17).filter_map(|at| field(at)?.parse().ok()).fold(0, u64::saturating_add),
        })
    }
}

/// A short file of /proc, which says nothing of its length: by one read, where `fs::read` feels its way with seven.
pub(super) fn read_short(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let mut bytes = [0; 1024];
    let length = File::open(path)?.read(&mut bytes)?;
    Ok(bytes[..length].to_vec())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_full_of_parentheses_and_line_feeds_is_no_field() {
        let line = b"42 (a) S 1\n) (b) Z 7 8 9 0 -1 4 0 0 0 0 10 20 3 4 20 0 1 0 987654 1 2 3\n";
        let stat = Stat::parse(line).unwrap();
        assert_eq!(
            stat,
            Stat {
                comm: "a) S 1\n) (b".into(),
                state: 'Z',
                ppid: 7,
                pgid: 8,
                sid: 9,
                terminal: 0,
                start: 987_654,
                ticks: 37
            }
        );
        for cut in [&b""[..], b"42", b"42 (", b"42 (a", b"42 )a(", b"42 (a)", b"42 (a) S 1 2 3"] {
            assert_eq!(Stat::parse(cut), None, "{cut:?}");
        }
    }

    proptest! {
        #![proptest_config(crate::testing::properties())]

        #[test]
        fn no_name_changes_a_field(name: Vec<u8>, numbers in proptest::collection::vec(0..=i64::MAX as u64, 49), junk: Vec<u8>) {
            let fields: Vec<String> = numbers.iter().map(u64::to_string).collect();
            let line = [b"42 (", name.as_slice(), b") S 1 ", fields.join(" ").as_bytes(), b"\n"].concat();
            // Those that come after the name's end are the process's own.
            let expected = numbers[22 - 5];
            prop_assert_eq!(Stat::parse(&line).map(|stat| stat.start), Some(expected));
            Stat::parse(&junk);
            Stat::parse(&[b"1 (a) ", junk.as_slice()].concat());
        }
    }
}
