//! What the kernel's answers mean, and who descends from whom. Pure, so that it is tested on every platform.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The length of `struct socket_fdinfo` of <sys/proc_info.h>.
pub(in crate::sys) const SOCKET_BYTES: usize = 792;

/// The arguments and the environment of a process.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::sys) struct Arguments {
    pub(in crate::sys) argv: Vec<Vec<u8>>,
    pub(in crate::sys) environment: Vec<Vec<u8>>,
}

/// Reads an answer to KERN_PROCARGS2: the number of arguments, the path of the executable, zeroes up to the next
/// word, the arguments, the environment, each ended by a zero.
pub(in crate::sys) fn arguments(answer: &[u8]) -> Option<Arguments> {
    let (count, rest) = answer.split_first_chunk()?;
    let count = usize::try_from(i32::from_ne_bytes(*count)).ok()?;
    let path = rest.iter().position(|byte| *byte == 0)?;
    let start = path + rest[path..].iter().position(|byte| *byte != 0).unwrap_or(rest.len() - path);
    let mut words = rest[start..].split(|byte| *byte == 0).map(<[u8]>::to_vec);
    let argv = words.by_ref().take(count).collect();
    // After the environment come empty words and the kernel's own.
    Some(Arguments { argv, environment: words.take_while(|word| !word.is_empty()).collect() })
}

/// The address and port of a listening TCP socket from a `struct socket_fdinfo`; `None` for any other socket.
pub(in crate::sys) fn listening(answer: &[u8; SOCKET_BYTES]) -> Option<(IpAddr, u16)> {
    // Offsets in the structure: 24 bytes of proc_fileinfo, then socket_info, whose union starts after 240.
    const KIND: usize = 24 + 232;
    const PROTOCOL: usize = 24 + 240;
    const LOCAL_PORT: usize = PROTOCOL + 4;
    const VERSION: usize = PROTOCOL + 24;
    const LOCAL_ADDRESS: usize = PROTOCOL + 48;
    const STATE: usize = PROTOCOL + 80;
    const SOCKINFO_TCP: i32 = 2;
    const TSI_S_LISTEN: i32 = 1;
    const INI_IPV4: u8 = 1;
    let number = |at: usize| Some(i32::from_ne_bytes(*answer[at..].first_chunk()?));
    if number(KIND)? != SOCKINFO_TCP || number(STATE)? != TSI_S_LISTEN {
        return None;
    }
    // In network order, in the first two bytes of an int.
    let port = u16::from_be_bytes(*answer[LOCAL_PORT..].first_chunk()?);
    let address: [u8; 16] = *answer[LOCAL_ADDRESS..].first_chunk()?;
    let [.., a, b, c, d] = address;
    // A socket for both is an IPv6 one whose address is `::`.
    let ip = match answer[VERSION] {
        INI_IPV4 => Ipv4Addr::new(a, b, c, d).into(),
        _ => Ipv6Addr::from(address).into(),
    };
    Some((ip, port))
}

/// A process by its unique id, which is never given twice, and that of the process that forked it, which stays
/// the same when that one is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sys) struct Birth {
    pub(in crate::sys) pid: u32,
    pub(in crate::sys) id: u64,
    pub(in crate::sys) parent: u64,
}

/// Unique ids, in room that was made before: adding one allocates nothing, so the guard can do it. A full set takes
/// no more.
#[derive(Debug)]
pub(in crate::sys) struct Ids(Vec<u64>);

impl Ids {
    pub(in crate::sys) fn with_room(room: usize) -> Self {
        Self(Vec::with_capacity(room))
    }

    /// Whether it was new.
    pub(in crate::sys) fn add(&mut self, id: u64) -> bool {
        match self.0.binary_search(&id) {
            Err(at) if self.0.len() < self.0.capacity() => self.0.insert(at, id),
            Ok(_) | Err(_) => return false,
        }
        true
    }

    pub(in crate::sys) fn has(&self, id: u64) -> bool {
        self.0.binary_search(&id).is_ok()
    }

    pub(in crate::sys) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in crate::sys) fn clear(&mut self) {
        self.0.clear();
    }

    /// Forgets the dead. To be called when all their living children are known.
    pub(in crate::sys) fn keep_living(&mut self, all: &[Birth]) {
        self.0.retain(|id| all.iter().any(|birth| birth.id == *id));
    }
}

/// Adds to `known` whoever of `all` descends from one of them.
///
/// A process whose parent lived and died between two looks is missed here, and is known by its environment.
pub(in crate::sys) fn descend(known: &mut Ids, all: &[Birth]) {
    let mut before = usize::MAX;
    while known.len() != before {
        before = known.len();
        for birth in all {
            if known.has(birth.parent) {
                known.add(birth.id);
            }
        }
    }
}

/// The words in an answer to KERN_PROCARGS2, arguments and environment alike. Allocates nothing.
pub(in crate::sys) fn words(answer: &[u8]) -> impl Iterator<Item = &[u8]> {
    answer.get(4..).unwrap_or_default().split(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn arguments_and_environment_are_told_apart() {
        let mut answer = 3_i32.to_ne_bytes().to_vec();
        answer.extend(b"/bin/node\0\0\0\0node\0\0a b\0DEVRUN_ID=x\0PATH=/\xff\0\0ptr_munge=\0");
        let read = arguments(&answer).unwrap();
        assert_eq!(read.argv, [&b"node"[..], b"", b"a b"]);
        assert_eq!(read.environment, [&b"DEVRUN_ID=x"[..], b"PATH=/\xff"]);
        for cut in [&b""[..], b"abc", &[0xff; 8], &[1, 0, 0, 0]] {
            assert_eq!(arguments(cut), None, "{cut:?}");
        }
        assert_eq!(arguments(&[1, 0, 0, 0, b'/', 0]).unwrap().environment, Vec::<Vec<u8>>::new());
    }

    fn socket(kind: i32, state: i32, version: u8, port: u16, address: [u8; 16]) -> [u8; SOCKET_BYTES] {
        let mut answer = [0; SOCKET_BYTES];
        answer[256..260].copy_from_slice(&kind.to_ne_bytes());
        answer[268..270].copy_from_slice(&port.to_be_bytes());
        answer[288] = version;
        answer[312..328].copy_from_slice(&address);
        answer[344..348].copy_from_slice(&state.to_ne_bytes());
        answer
    }

    #[test]
    fn only_listening_tcp_sockets_count() {
        let mut v4 = [0; 16];
        v4[12..].copy_from_slice(&[127, 0, 0, 1]);
        let v6 = Ipv6Addr::LOCALHOST.octets();
        let table = [
            (socket(2, 1, 1, 5173, v4), Some(("127.0.0.1", 5173))),
            (socket(2, 1, 2, 80, v6), Some(("::1", 80))),
            (socket(2, 1, 3, 80, [0; 16]), Some(("::", 80))),
            (socket(2, 4, 1, 5173, v4), None), // established
            (socket(1, 1, 1, 5173, v4), None), // UDP
        ];
        for (answer, expected) in table {
            assert_eq!(listening(&answer), expected.map(|(ip, port)| (ip.parse().unwrap(), port)));
        }
    }

    #[test]
    fn descendants_are_found_through_the_dead() {
        let birth = |id: u64, parent: u64| Birth { pid: u32::try_from(id).unwrap(), id, parent };
        let mut known = Ids::with_room(10);
        known.add(10);
        descend(&mut known, &[birth(12, 11), birth(11, 10), birth(10, 1), birth(20, 1)]);
        assert_eq!(known.0, [10, 11, 12], "the stranger is none");
        // 10, 11 and 12 are gone; what 12 started is ours still.
        let living = [birth(13, 12), birth(21, 20)];
        descend(&mut known, &living);
        known.keep_living(&living);
        assert_eq!(known.0, [13]);
    }

    #[test]
    fn a_full_set_takes_no_more_and_stays_where_it_is() {
        let mut ids = Ids::with_room(4);
        let room = ids.0.capacity() as u64;
        let at = ids.0.as_ptr();
        assert!((0..room).rev().all(|id| ids.add(id)));
        assert!(!ids.add(room) && !ids.add(0) && !ids.has(room));
        assert!(ids.has(0) && ids.0.is_sorted());
        ids.clear();
        assert!(ids.add(room) && ids.len() == 1 && ids.0.as_ptr() == at);
    }

    #[test]
    fn a_variable_is_found_among_the_words() {
        let answer = b"\x01\0\0\0/bin/node\0\0node\0DEVRUN_ID=x\0A=DEVRUN_ID=y\0";
        assert!(words(answer).any(|word| word == b"DEVRUN_ID=x"));
        assert!(!words(answer).any(|word| word == b"DEVRUN_ID=y"));
        assert_eq!(words(b"ab").collect::<Vec<_>>(), [b""]);
    }

    proptest! {
        #![proptest_config(crate::testing::properties())]

        #[test]
        fn any_answer_is_read_or_none(
            junk: Vec<u8>,
            argv in proptest::collection::vec("[a-z ]{0,5}", 0..5),
            environment in proptest::collection::vec("[A-Z]{1,3}=[a-z]{0,3}", 0..5),
            count: i32,
        ) {
            arguments(&junk);
            arguments(&[&count.to_ne_bytes()[..], &junk].concat());
            let words = argv.iter().chain(&environment).map(|word| format!("{word}\0")).collect::<String>();
            // The first argument is the program's name and never empty.
            let whole = [&(argv.len() as i32 + 1).to_ne_bytes()[..], b"/bin/x\0\0\0x\0", words.as_bytes(), b"\0"].concat();
            let read = arguments(&whole).expect("whole");
            prop_assert_eq!(read.argv.len(), argv.len() + 1);
            prop_assert_eq!(read.environment, environment.iter().map(|word| word.clone().into_bytes()).collect::<Vec<_>>());
        }

        #[test]
        fn any_socket_is_read_or_none(bytes in proptest::collection::vec(any::<u8>(), SOCKET_BYTES)) {
            listening(bytes.as_slice().try_into().expect("as long"));
        }

        #[test]
        fn kinship_in_any_knot_comes_to_an_end(parents in proptest::collection::vec(0_u64..12, 0..12)) {
            let births: Vec<_> = parents.into_iter().zip(0..).map(|(parent, id)| Birth { pid: 1, id, parent }).collect();
            let mut known = Ids::with_room(16);
            known.add(3);
            descend(&mut known, &births);
            let kin = |birth: &Birth| birth.id == 3 || known.has(birth.parent);
            prop_assert!(births.iter().filter(|birth| known.has(birth.id)).all(kin));
            let before = known.len();
            descend(&mut known, &births);
            prop_assert_eq!(known.len(), before);
        }
    }
}
