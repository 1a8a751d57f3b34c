//! In which order ports are tried. Pure: nothing here knows whether a port is free.

use std::ops::RangeInclusive;

use crate::plan::frameworks::{browsers_open, given_unasked};
use crate::plan::{Port, PortRange};

/// Ports that the operating system keeps for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct System {
    /// Handed out to outgoing connections and to `bind(0)`.
    pub(crate) ephemeral: RangeInclusive<u16>,
    pub(crate) reserved: Vec<RangeInclusive<u16>>,
}

impl System {
    /// What Linux says in `ip_local_port_range` and `ip_local_reserved_ports`.
    pub(crate) fn parse(port_range: &str, reserved_ports: &str) -> Self {
        let mut bounds = port_range.split_ascii_whitespace().map_while(|bound| bound.parse().ok());
        let ephemeral = match (bounds.next(), bounds.next()) {
            (Some(first), Some(last)) => first..=last,
            _ => 32768..=60999,
        };
        let reserved = reserved_ports.trim().split(',').filter_map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some(first.parse().ok()?..=last.parse().ok()?)
        });
        Self { ephemeral, reserved: reserved.collect() }
    }

    fn keeps(&self, port: u16) -> bool {
        self.ephemeral.contains(&port) || self.reserved.iter().any(|range| range.contains(&port))
    }
}

/// What is known before the first try.
#[derive(Debug, Clone)]
pub(crate) struct Search<'a> {
    /// Asked for: comes first, whatever port it is.
    pub(crate) wanted: Option<Port>,
    /// What the server had last.
    pub(crate) last: Option<Port>,
    /// Where the search starts otherwise.
    pub(crate) derived: Port,
    pub(crate) range: &'a PortRange,
    pub(crate) system: &'a System,
}

impl<'a> Search<'a> {
    /// All ports to try, in order; those that other projects had come last.
    pub(crate) fn candidates<F>(&'a self, others: &'a F) -> impl Iterator<Item = Port> + 'a
    where
        F: Fn(Port) -> bool,
    {
        let last = self.last.filter(|last| self.may_be_had_again(*last) && Some(*last) != self.wanted);
        let first = self.wanted.into_iter().chain(last);
        let rest = move || {
            self.starting_there().filter(move |port| Some(*port) != self.wanted && Some(*port) != last)
        };
        first.chain(rest().filter(move |port| !others(*port))).chain(rest().filter(move |port| others(*port)))
    }

    /// Whether the port is given to a server that did not ask for it.
    fn is_given_unasked(&self, port: Port) -> bool {
        given_unasked(port) && !self.system.keeps(port.get())
    }

    /// A port outside the default range was asked for once; outside a range of the user's own it is no longer.
    fn may_be_had_again(&self, port: Port) -> bool {
        let in_range = self.range.contains(port) || *self.range == PortRange::default();
        in_range && browsers_open(port) && !self.system.keeps(port.get())
    }

    /// The whole range, beginning at the start of the search.
    fn starting_there(&self) -> impl Iterator<Item = Port> {
        let inside = |port: &Port| self.range.contains(*port);
        let start = [self.wanted, self.last, Some(self.derived)].into_iter().flatten().find(inside);
        let (first, last) = (*self.range.numbers().start(), *self.range.numbers().end());
        let start = start.map_or(first, Port::get);
        (start..=last).chain(first..start).filter_map(Port::new).filter(|port| self.is_given_unasked(*port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(number: u16) -> Port {
        Port::new(number).unwrap()
    }

    fn linux() -> System {
        System::parse("32768\t60999\n", "\n")
    }

    fn first(search: &Search, others: &[u16], count: usize) -> Vec<u16> {
        search.candidates(&|port: Port| others.contains(&port.get())).take(count).map(Port::get).collect()
    }

    #[test]
    fn what_linux_keeps_for_itself() {
        let system = System::parse("1024 2000\n", "8080,9148,10000-10002\n");
        assert_eq!(system.ephemeral, 1024..=2000);
        assert_eq!(system.reserved, [8080..=8080, 9148..=9148, 10000..=10002]);
        assert_eq!(System::parse("", "x-y,,3").reserved, [3..=3]);
        assert_eq!(System::parse("", "").ephemeral, 32768..=60999);
    }

    #[test]
    fn wanted_then_last_then_on_from_there() {
        let (range, system) = ("3000-3100".parse().unwrap(), linux());
        let base = Search { wanted: None, last: None, derived: port(3050), range: &range, system: &system };
        let wanted = |number| Search { wanted: Some(port(number)), ..base.clone() };
        let last = |number| Search { last: Some(port(number)), ..base.clone() };
        let table = [
            ("derived", base.clone(), vec![], vec![3050, 3051]),
            ("last", last(3020), vec![], vec![3020, 3021, 3022]),
            ("last of another range", last(8080), vec![], vec![3050, 3051]),
            ("wanted", wanted(3060), vec![], vec![3060, 3061]),
            ("wanted: a framework's default", wanted(3000), vec![], vec![3000, 3010]),
            ("wanted: out of the range", wanted(8080), vec![], vec![8080, 3050]),
            ("wanted: ephemeral and blocked", wanted(40000), vec![], vec![40000, 3050]),
            (
                "wanted and last",
                Search { last: Some(port(3077)), ..wanted(3060) },
                vec![],
                vec![3060, 3077, 3061],
            ),
            ("wanted is last", Search { last: Some(port(3060)), ..wanted(3060) }, vec![], vec![3060, 3061]),
            ("others last", base.clone(), vec![3050, 3052], vec![3051, 3053]),
            ("round", last(3099), vec![], vec![3099, 3100, 3010, 3011]),
        ];
        for (case, search, others, expected) in table {
            assert_eq!(first(&search, &others, expected.len()), expected, "{case}");
        }
        let all = first(&base, &[3050, 3051], 200);
        assert_eq!(all.len(), 91, "each once, 3000-3009 left out");
        assert_eq!(all[89..], [3050, 3051]);
    }

    #[test]
    fn a_range_of_ports_that_are_never_given_is_empty() {
        let (range, system) = ("40000-40100".parse().unwrap(), linux());
        let search = Search {
            wanted: None,
            last: Some(port(40001)),
            derived: port(3050),
            range: &range,
            system: &system,
        };
        assert_eq!(first(&search, &[], 9), [0; 0]);
    }

    #[test]
    fn blocked_and_ephemeral_ports_never_in_a_million_choices() {
        let (range, system) = ("1-65535".parse().unwrap(), linux());
        let mut choices = 0;
        for start in (1..=32_700).chain((32_701..=65_535).step_by(1000)) {
            let start = port(start);
            let search =
                Search { wanted: None, last: Some(start), derived: start, range: &range, system: &system };
            for choice in search.candidates(&|_| false).take(31) {
                assert!(browsers_open(choice) && !(32768..=60999).contains(&choice.get()), "{choice}");
                choices += 1;
            }
        }
        assert!(choices > 1_000_000, "{choices}");
    }
}
