//! Reading the log of a server: its last part, and what is added to it. Of a log of any size no more than the two
//! files of a bounded one hold is read. Nothing here writes or waits.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::sys::files::{self, Access};

/// More than a bounded log holds; what a log made by hand has before that is not looked at.
const MOST_BYTES: u64 = 16 << 20;
const BLOCK: u64 = 64 << 10;

/// Which part of what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Part {
    /// So many last lines.
    pub(crate) lines: Option<usize>,
    /// Not older than this: milliseconds since 1970.
    pub(crate) since: Option<u64>,
}

/// A log that is being read: it stays with the output over rotations.
#[derive(Debug)]
pub(crate) struct LogReader {
    path: PathBuf,
    /// The newer file, read to its position; `None` until there is one.
    file: Option<File>,
}

impl LogReader {
    /// That part of the log in this folder of a server, and a reader for what comes after it.
    pub(crate) fn open(folder: &Path, part: Part) -> io::Result<(Self, Vec<u8>)> {
        let path = folder.join("log");
        let Some(mut newer) = existing(&path)? else {
            return Ok((Self { path, file: None }, Vec::new()));
        };
        // The newer one first: if it becomes the older one meanwhile, it is seen twice and not missed.
        let older = existing(&with_suffix(&path, ".1"))?.filter(|older| !files::same(older, &newer));
        let end = newer.metadata()?.len();
        let mut bytes = Vec::new();
        let mut begins = 0;
        if let Some(since) = part.since {
            begins = first_since(&path, &newer, since);
        }
        let wanted = part.lines.unwrap_or(usize::MAX);
        let whole = tail(&mut newer, begins..end, wanted, &mut bytes)?;
        if let (Some(mut older), true) = (older, whole && begins == 0) {
            let end = older.metadata()?.len();
            let begins = part.since.map_or(0, |since| first_since(&with_suffix(&path, ".1"), &older, since));
            // The newer file begins within a line where the older one ends within it.
            let shared = usize::from(!bytes.is_empty() && wanted > 0 && ends_within_a_line(&mut older, end)?);
            let missing = wanted.saturating_sub(lines(&bytes)).saturating_add(shared);
            let mut before = Vec::new();
            tail(&mut older, begins..end, missing, &mut before)?;
            before.append(&mut bytes);
            bytes = before;
        }
        newer.seek(SeekFrom::Start(end))?;
        Ok((Self { path, file: Some(newer) }, bytes))
    }

    /// Appends what was added since.
    pub(crate) fn more(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        loop {
            if let Some(file) = &mut self.file {
                let position = file.stream_position()?;
                if file.metadata()?.len() < position {
                    // Emptied by hand.
                    file.seek(SeekFrom::Start(0))?;
                }
                file.read_to_end(into)?;
            }
            let Some(current) = existing(&self.path)? else { return Ok(()) };
            let Some(file) = &self.file else {
                self.file = Some(current);
                continue;
            };
            if files::same(file, &current) {
                return Ok(());
            }
            // What was written between the last read and the rotation, and a file that came and went meanwhile.
            self.file.as_mut().map_or(Ok(0), |file| file.read_to_end(into))?;
            let older = existing(&with_suffix(&self.path, ".1"))?;
            let skipped =
                older.filter(|older| self.file.as_ref().is_some_and(|file| !files::same(file, older)));
            if let Some(mut skipped) = skipped.filter(|skipped| !files::same(skipped, &current)) {
                skipped.read_to_end(into)?;
            }
            self.file = Some(current);
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    name.into()
}

fn existing(path: &Path) -> io::Result<Option<File>> {
    match files::open_regular(path, Access::Read) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads so many last lines of this range of the file, block by block from its end. Whether it came to the
/// beginning of the range and could have taken more.
fn tail(
    file: &mut File,
    range: std::ops::Range<u64>,
    wanted: usize,
    bytes: &mut Vec<u8>,
) -> io::Result<bool> {
    let least = range.end.saturating_sub(MOST_BYTES).max(range.start);
    let (mut at, mut seen) = (range.end, 0);
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    // A line more than wanted, to know that the first one is whole.
    while at > least && seen <= wanted {
        let from = at.saturating_sub(BLOCK).max(least);
        file.seek(SeekFrom::Start(from))?;
        let mut block = vec![0; usize::try_from(at - from).unwrap_or_default()];
        let read = read_full(file, &mut block)?;
        block.truncate(read);
        seen += newlines(&block);
        blocks.push(block);
        at = from;
    }
    let text: Vec<u8> = blocks.into_iter().rev().flatten().collect();
    let whole = at == range.start && seen <= wanted && lines(&text) <= wanted;
    bytes.extend_from_slice(last_lines(&text, wanted));
    Ok(whole)
}

fn ends_within_a_line(file: &mut File, end: u64) -> io::Result<bool> {
    let mut last = [b'\n'];
    file.seek(SeekFrom::Start(end.saturating_sub(1)))?;
    read_full(file, &mut last)?;
    Ok(last != [b'\n'])
}

/// A file that was cut short meanwhile gives less.
fn read_full(file: &mut File, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match file.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// How many lines, a last one without an end included.
fn lines(bytes: &[u8]) -> usize {
    newlines(bytes) + usize::from(bytes.last().is_some_and(|byte| *byte != b'\n'))
}

fn last_lines(bytes: &[u8], wanted: usize) -> &[u8] {
    if wanted == 0 {
        return &[];
    }
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let ends = text.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    match ends.map(|(at, _)| at).nth(wanted - 1) {
        Some(end) => &bytes[end + 1..],
        None => bytes,
    }
}

/// From which byte of the file on its content is not older than this, by the times that were kept beside it; by
/// the time of its last change where none were.
fn first_since(path: &Path, file: &File, since: u64) -> u64 {
    let end = file.metadata().map_or(0, |about| about.len());
    let times = existing(&with_suffix(path, ".times")).ok().flatten().and_then(|mut file| {
        let mut text = String::new();
        file.by_ref().take(MOST_BYTES).read_to_string(&mut text).ok()?;
        Some(text).filter(|text| !text.is_empty())
    });
    match times {
        Some(times) => {
            let moments = times.lines().filter_map(|line| {
                let (offset, ms) = line.split_once(' ')?;
                Some((offset.parse::<u64>().ok()?, ms.parse::<u64>().ok()?))
            });
            moments.into_iter().find(|(_, ms)| *ms >= since).map_or(end, |(offset, _)| offset.min(end))
        }
        None => {
            let changed = file.metadata().and_then(|about| about.modified()).ok();
            let changed = changed.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            let old = changed.is_some_and(|at| at.as_millis() < u128::from(since));
            if old { end } else { 0 }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use std::fs;

    fn read(folder: &Path, lines: Option<usize>, since: Option<u64>) -> String {
        let (_, bytes) = LogReader::open(folder, Part { lines, since }).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_last_lines_of_both_files_are_read_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(read(folder, None, None), "", "no log yet");
        fs::write(folder.join("log"), "c\nd\n").unwrap();
        assert_eq!(read(folder, None, None), "c\nd\n");
        fs::write(folder.join("log.1"), "a\nb\nc-").unwrap();
        let table = [
            (0, ""),
            (1, "d\n"),
            (2, "c-c\nd\n"),
            (3, "b\nc-c\nd\n"),
            (4, "a\nb\nc-c\nd\n"),
            (9, "a\nb\nc-c\nd\n"),
        ];
        for (lines, expected) in table {
            assert_eq!(read(folder, Some(lines), None), expected, "{lines}");
        }
        fs::write(folder.join("log"), "x\nno end").unwrap();
        assert_eq!(read(folder, Some(1), None), "no end");
        assert_eq!(read(folder, Some(2), None), "c-x\nno end");
    }

    #[test]
    fn of_a_huge_log_only_the_end_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = File::create(folder.path().join("log")).unwrap();
        file.set_len(2 << 30).unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        io::Write::write_all(&mut file, b"\nlast but one\nlast\n").unwrap();
        crate::testing::takes_at_most(std::time::Duration::from_millis(100), || {
            assert_eq!(read(folder.path(), Some(2), None), "last but one\nlast\n");
        });
        let (_, all) = LogReader::open(folder.path(), Part::default()).unwrap();
        assert_eq!(all.len() as u64, MOST_BYTES);
    }

    #[test]
    fn a_time_selects_what_is_not_older() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("log.1", "one\ntwo\n");
        write("log.1.times", "0 1000\n4 2000\n");
        write("log", "three\nfour\n");
        write("log.times", "0 3000\n6 4000\ndamaged\n");
        let from = |since| read(folder.path(), None, Some(since));
        assert_eq!(from(0), "one\ntwo\nthree\nfour\n");
        assert_eq!(from(1001), "two\nthree\nfour\n");
        assert_eq!(from(3000), "three\nfour\n");
        assert_eq!(from(3001), "four\n");
        assert_eq!(from(5000), "");
        fs::remove_file(folder.path().join("log.times")).unwrap();
        assert_eq!(from(5000), "three\nfour\n", "by the time of the file");
        assert_eq!(from(u64::MAX), "");
    }

    #[test]
    fn what_is_added_is_read_once_over_any_number_of_rotations() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut reader = LogReader::open(folder.path(), Part::default()).unwrap().0;
        let mut got = Vec::new();
        let append = |text: &str| {
            let file = fs::OpenOptions::new().append(true).create(true).open(&path);
            io::Write::write_all(&mut file.unwrap(), text.as_bytes()).unwrap();
        };
        let rotate = || fs::rename(&path, folder.path().join("log.1")).unwrap();
        let mut expect = |expected: &str| {
            got.clear();
            reader.more(&mut got).unwrap();
            assert_eq!(String::from_utf8_lossy(&got), expected);
        };
        expect("");
        append("1");
        expect("1");
        expect("");
        append("2");
        rotate();
        append("3");
        expect("23");
        append("4");
        rotate();
        append("5");
        rotate();
        append("6");
        expect("456");
        rotate();
        expect("");
        append("7");
        expect("7");
        fs::write(&path, "").unwrap();
        expect("");
        append("8");
        expect("8");
    }

    proptest! {
        #![proptest_config(crate::testing::properties())]

        #[test]
        fn the_last_lines_are_those_of_the_whole_text(older in "[ab\n]{0,30}", newer in "[ab\n]{1,30}", wanted in 0_usize..12) {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("log.1"), &older).unwrap();
            fs::write(folder.path().join("log"), &newer).unwrap();
            let all = older + &newer;
            let lines: Vec<&str> = all.split_inclusive('\n').collect();
            let expected = lines[lines.len().saturating_sub(wanted)..].concat();
            prop_assert_eq!(read(folder.path(), Some(wanted), None), expected);
        }

        #[test]
        fn any_times_beside_a_log_select_an_end_of_it(times in "([0-9]{1,20} [0-9]{1,20}\n|[0-9a-z \n]){0,6}", since: u64, text in "[ab\n]{0,30}") {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("log"), &text).unwrap();
            fs::write(folder.path().join("log.times"), times).unwrap();
            prop_assert!(text.ends_with(&read(folder.path(), None, Some(since))));
        }
    }
}
