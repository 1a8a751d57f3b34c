//! Files that are read whole and replaced whole. What they hold is not known here.

use std::io::{self, Read, Write};
use std::path::Path;

use crate::sys::files::{self, Access};

/// No record comes near this size; a file that is larger is none.
const LARGEST_RECORD: u64 = 1 << 20;

/// The content of a file that is regular, and small enough for a record.
pub(crate) fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = files::open_regular(path, Access::Read)?;
    // Nearly all of them fit into one read, and lists are long. Less than asked for is the end of a regular file.
    let mut first = [0; 4096];
    let length = loop {
        match file.read(&mut first) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    let mut json = first[..length].to_vec();
    if length == first.len() {
        file.take(LARGEST_RECORD).read_to_end(&mut json)?;
    }
    if json.len() as u64 > LARGEST_RECORD {
        let text = format!("more than {LARGEST_RECORD} bytes are too many");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(json)
}

/// How the name of a file begins that is being written.
pub(super) const UNFINISHED: &str = ".server.json.";

/// A name that only this user can read, on the same file system, renamed over the old one. After a loss of power
/// there is one of the two, whole; which of them, nobody waits for.
pub(crate) fn replace(folder: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    file.write_all(content)?;
    files::before_rename(file.as_file())?;
    file.persist(path)?;
    Ok(())
}
