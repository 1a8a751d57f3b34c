//! What is made of anything that could stand in /proc or come from netlink. Nothing of the machine is read.

use super::process::{arguments, values_in};
use super::stat::Stat;
use super::tcp_table::{read_messages, read_rows};
use super::walk::{each_word, parent_in};

/// Every reader of /proc; what a process chooses itself (its name, its arguments) changes no other field.
pub(crate) fn read_proc(bytes: &[u8]) {
    let stat = Stat::parse(bytes);
    let parent = parent_in(bytes).map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    // The kernel parts fields by one blank.
    let kernels = bytes.trim_ascii_end().iter().all(|byte| *byte == b' ' || !byte.is_ascii_whitespace());
    if let (Some(stat), Some(parent), true) = (stat, parent, kernels) {
        assert_eq!(stat.ppid, parent, "front and guard read the same parent");
    }
    let stat = [b"7 (", bytes, b") S 5 6 7 0 0 0 0 0 0 0 1 2 3 4 0 0 0 0 42 0"].concat();
    let (parsed, parent) = (Stat::parse(&stat).expect("it is whole"), parent_in(&stat));
    assert_eq!((parsed.ppid, parsed.start, parsed.ticks), (5, 42, 10));
    assert_eq!(parent.map(|pid| pid.as_raw_nonzero().get()), Some(5));
    let mut found = Vec::new();
    let _ = read_rows(bytes, &mut found);
    read_messages(bytes, &mut found);
    let joined: Vec<u8> =
        arguments(bytes).iter().flat_map(|arg| [arg.as_encoded_bytes(), b"\0"].concat()).collect();
    assert_eq!(joined.strip_suffix(b"\0").unwrap_or_default(), bytes.strip_suffix(b"\0").unwrap_or(bytes));
    let environ = [bytes, b"\0DEVRUN_ID=abc\0"].concat();
    assert!(values_in(&environ, "DEVRUN_ID").contains(&"abc".to_string()));
    assert!(!values_in(bytes, "DEVRUN_ID").contains(&"\0".to_string()));
    children(bytes);
}

/// A list of children says the same wherever the pieces end in which it is read.
fn children(bytes: &[u8]) {
    let list: Vec<u16> = bytes.chunks_exact(2).map(|two| u16::from_ne_bytes([two[0], two[1]])).collect();
    let text: String = list.iter().map(|pid| format!("{pid} ")).collect();
    let file = rustix::fs::memfd_create("children", rustix::fs::MemfdFlags::CLOEXEC).expect("a file");
    rustix::io::pwrite(&file, text.as_bytes(), 0).expect("it is written");
    let mut read = Vec::new();
    each_word(&file, &mut |pid| read.push(pid.as_raw_nonzero().get()));
    let expected: Vec<i32> = list.into_iter().map(i32::from).filter(|pid| *pid != 0).collect();
    assert_eq!(read, expected);
}
