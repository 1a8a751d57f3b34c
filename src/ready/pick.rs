//! Which of the ports that a tree listens on is the server. Pure: reads neither sockets nor clocks.

use std::time::Duration;

/// A port that a process of the tree listens on, and what came of asking it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) port: u16,
    /// From the range that the kernel hands out to those who ask for any port.
    pub(super) ephemeral: bool,
    /// Since it was first seen.
    pub(super) age: Duration,
    pub(super) standing: Standing,
}

/// What a port has said for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing yet: not asked, or the answer is still out.
    Pending,
    /// An answer that a server gives, with this HTTP status.
    Answered(u16),
    /// Nothing that a server that is up would say.
    Refused,
}

/// Ports that are never the server unless asked for: Node's inspector and Vite's old hot-reload socket.
pub(super) const NEVER_A_SERVER: [u16; 2] = [9229, 24678];

/// The index of the one that is the server, once that can be told.
///
/// The port asked for goes first, and while somebody listens on it no other one is taken. Another one has to
/// stay for a while first, the longer the less it looks like a server, since helpers of a server (hot-reload
/// sockets, admin pages, debuggers) come up before it does.
pub(super) fn pick(wanted: u16, candidates: &[Candidate]) -> Option<usize> {
    let answered = |candidate: &Candidate| match candidate.standing {
        Standing::Answered(status) => Some(status),
        Standing::Pending | Standing::Refused => None,
    };
    let on_wanted = || candidates.iter().enumerate().filter(|(_, candidate)| candidate.port == wanted);
    if on_wanted().next().is_some() {
        return on_wanted().find(|(_, candidate)| answered(candidate).is_some()).map(|(index, _)| index);
    }
    let a_better_one_is_silent =
        candidates.iter().any(|other| !other.ephemeral && other.standing == Standing::Pending);
    let sole = candidates.iter().all(|other| other.port == candidates[0].port);
    candidates
        .iter()
        .enumerate()
        .filter_map(|(index, candidate)| Some((index, candidate, rank(answered(candidate)?))))
        .filter(|(_, candidate, _)| !(candidate.ephemeral && a_better_one_is_silent))
        .filter(|(_, candidate, rank)| candidate.age >= settled_after(*rank, candidate.ephemeral, sole))
        .min_by_key(|(_, candidate, rank)| (candidate.ephemeral, *rank, candidate.port))
        .map(|(index, ..)| index)
}

/// How much an answer looks like that of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Page,
    NoPageHere,
    Odd,
}

fn rank(status: u16) -> Rank {
    match status {
        200..=399 => Rank::Page,
        401 | 404 | 405 => Rank::NoPageHere,
        _ => Rank::Odd,
    }
}

fn settled_after(rank: Rank, ephemeral: bool, sole: bool) -> Duration {
    let settled = match (rank, sole) {
        (Rank::Page, true) => Duration::from_millis(300),
        (Rank::Page, false) => Duration::from_secs(1),
        (Rank::NoPageHere, _) => Duration::from_secs(3),
        (Rank::Odd, _) => Duration::from_secs(10),
    };
    if ephemeral { settled + Duration::from_secs(3) } else { settled }
}

#[cfg(test)]
mod tests {
    use super::Standing::{Answered, Pending, Refused};
    use super::*;

    /// (port, age in ms, what it said); 40000 and above are ephemeral.
    type Row = (u16, u64, Standing);

    #[test]
    fn the_server_is_told_from_its_helpers() {
        let cases: &[(&str, &[Row], Option<u16>)] = &[
            ("nothing listens", &[], None),
            ("the wanted port, at once", &[(4000, 0, Answered(200))], Some(4000)),
            ("the wanted port, whatever it answers", &[(4000, 0, Answered(403))], Some(4000)),
            ("the wanted port is silent", &[(4000, 900, Pending)], None),
            (
                "the wanted port is silent, an admin page answers (browser-sync)",
                &[(4000, 5000, Pending), (3001, 5000, Answered(200))],
                None,
            ),
            ("both answer", &[(3001, 9000, Answered(200)), (4000, 1, Answered(404))], Some(4000)),
            (
                "wanted on two addresses, one silent",
                &[(4000, 900, Pending), (4000, 900, Answered(200))],
                Some(4000),
            ),
            ("moved, too new", &[(5173, 200, Answered(200))], None),
            ("moved", &[(5173, 300, Answered(200))], Some(5173)),
            ("moved on two addresses", &[(5173, 300, Answered(200)), (5173, 300, Pending)], Some(5173)),
            ("moved, with a helper", &[(5173, 900, Answered(200)), (3001, 900, Answered(200))], None),
            (
                "moved, with a helper, settled",
                &[(5174, 1000, Answered(200)), (3001, 1000, Answered(404))],
                Some(5174),
            ),
            (
                "hot-reload sockets before the server (vinxi)",
                &[(41001, 4000, Refused), (41002, 4000, Refused), (3000, 1000, Answered(200))],
                Some(3000),
            ),
            ("only hot-reload sockets", &[(41001, 60_000, Refused), (41002, 60_000, Refused)], None),
            (
                "an ephemeral helper answers first (wrangler)",
                &[(41001, 2000, Answered(200)), (8787, 500, Pending)],
                None,
            ),
            (
                "an ephemeral port while the server compiles (next)",
                &[(41001, 20_000, Answered(200)), (3000, 18_000, Pending)],
                None,
            ),
            ("the server went to a random port (serve), too new", &[(41001, 2000, Answered(200))], None),
            ("the server went to a random port", &[(41001, 3300, Answered(200))], Some(41001)),
            ("ephemeral and not", &[(41001, 9000, Answered(200)), (8787, 9000, Answered(404))], Some(8787)),
            ("page before no page", &[(3000, 9000, Answered(404)), (5173, 9000, Answered(200))], Some(5173)),
            ("lowest", &[(5174, 9000, Answered(200)), (5173, 9000, Answered(302))], Some(5173)),
            ("an interface without pages, too new", &[(8000, 2000, Answered(404))], None),
            ("an interface without pages", &[(8000, 3000, Answered(404))], Some(8000)),
            ("something odd, too new", &[(8000, 5000, Answered(400))], None),
            ("fails for ever", &[(8000, 60_000, Refused)], None),
        ];
        for (what, rows, expected) in cases {
            let candidates: Vec<_> = rows
                .iter()
                .map(|&(port, age, standing)| Candidate {
                    port,
                    ephemeral: port >= 40000,
                    age: Duration::from_millis(age),
                    standing,
                })
                .collect();
            let picked = pick(4000, &candidates).map(|index| candidates[index].port);
            assert_eq!(picked, *expected, "{what}");
        }
    }
}
