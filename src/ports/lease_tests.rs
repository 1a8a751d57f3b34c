use super::*;
use crate::plan::{ExtraPort, PortRange, Wanted};
use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::sync::Barrier;

fn id(number: u64) -> ServerId {
    ServerId(format!("{number:016x}"))
}

fn registry() -> (tempfile::TempDir, Registry) {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::at(&folder.path().join("state")).unwrap();
    (folder, registry)
}

/// A range of its own for each test, since they run beside each other and in worktrees beside this one. All below
/// 24,000: no framework's default is there.
fn range(length: u16) -> PortRange {
    let first = 12_000 + (std::process::id() % 300) as u16 * 40;
    let base = std::sync::LazyLock::force(&NEXT).fetch_add(length, std::sync::atomic::Ordering::Relaxed);
    PortRange::new(Port::new(first + base).unwrap(), Port::new(first + base + length - 1).unwrap()).unwrap()
}

static NEXT: std::sync::LazyLock<std::sync::atomic::AtomicU16> = std::sync::LazyLock::new(Default::default);

fn wish(range: &PortRange) -> PortWish {
    let derived = Port::new(*range.numbers().start()).unwrap();
    PortWish { wanted: None, derived, strict: false, range: range.clone(), extra: Vec::new() }
}

fn wanted(range: &PortRange, strict: bool) -> PortWish {
    let wish = wish(range);
    PortWish { wanted: Some(Wanted { port: wish.derived, by: WantedBy::User }), strict, ..wish }
}

#[test]
fn a_port_held_on_any_address_is_skipped() {
    for address in ["127.0.0.1", "0.0.0.0", "[::1]", "[::]"] {
        for registry in [None, Some(registry())] {
            let range = range(2);
            let first = *range.numbers().start();
            let listener = TcpListener::bind(format!("{address}:{first}")).unwrap();
            let registry = registry.as_ref().map(|(_, registry)| registry);
            let leases = acquire(registry, &id(1), &wanted(&range, false), None).unwrap();
            assert_eq!(leases.main.port().get(), first + 1, "{address}");
            assert_eq!(leases.busy.unwrap().wanted.get(), first);
            let error = acquire(registry, &id(1), &wanted(&range, true), None).unwrap_err();
            assert_eq!((error.kind(), error.what()), (Kind::PortTaken, &*format!("port {first} is taken")));
            drop(listener);
        }
    }
}

#[test]
fn a_port_that_a_stranger_has_is_not_written_down_as_ours() {
    let (_folder, registry) = registry();
    let range = range(2);
    let [first, second] = [0, 1].map(|more| Port::new(range.numbers().start() + more).unwrap());
    let _stranger = TcpListener::bind(("127.0.0.1", first.get())).unwrap();
    acquire(Some(&registry), &id(1), &wanted(&range, true), None).unwrap_err();
    let leases = acquire(Some(&registry), &id(1), &wanted(&range, false), None).unwrap();
    assert_eq!(leases.main.port(), second);
    assert_eq!([first, second].map(|port| registry.port_owner(port)), [None, Some(id(1))]);
}

#[test]
fn servers_bind_over_the_reservation_on_every_address() {
    let (_folder, registry) = registry();
    let range = range(1);
    let leases = acquire(Some(&registry), &id(1), &wish(&range), None).unwrap();
    let port = leases.main.port().get();
    for address in ["127.0.0.1", "0.0.0.0", "[::1]", "[::]"] {
        // The standard library sets SO_REUSEADDR, as servers do.
        TcpListener::bind(format!("{address}:{port}")).unwrap_or_else(|e| panic!("{address}: {e}"));
    }
    let plain = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let refused = plain.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AddrInUse, "one that does not set it is kept away");
}

#[test]
fn without_the_reservation_the_lease_stays() {
    let (_folder, registry) = registry();
    let range = range(1);
    let mut leases = acquire(Some(&registry), &id(1), &wish(&range), None).unwrap();
    leases.drop_reservations();
    assert!(!leases.main.is_reserved());
    let error = acquire(Some(&registry), &id(2), &wish(&range), None).unwrap_err();
    assert_eq!(error.what(), format!("no port is free in {range}"));
    drop(leases);
    crate::testing::eventually("free again", || {
        acquire(Some(&registry), &id(2), &wish(&range), None).is_ok()
    });
}

#[test]
fn sixty_at_once_get_sixty_ports() {
    let (_folder, registry) = registry();
    let range = range(60);
    let together = Barrier::new(60);
    for round in 0..5 {
        let leases: Vec<Leases> = std::thread::scope(|scope| {
            let start = |number| {
                let (registry, range, together) = (&registry, &range, &together);
                scope.spawn(move || {
                    together.wait();
                    acquire(Some(registry), &id(number), &wish(range), None).unwrap()
                })
            };
            let threads: Vec<_> = (0..60).map(|number| start(round * 100 + number)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let ports: BTreeSet<Port> = leases.iter().map(|leases| leases.main.port()).collect();
        assert_eq!(ports.len(), 60);
        let exhausted = std::time::Instant::now();
        assert!(acquire(Some(&registry), &id(999), &wish(&range), None).is_err());
        assert!(exhausted.elapsed().as_secs() < 1);
        drop(leases);
        crate::testing::eventually("all free again", || {
            range.numbers().all(|port| bound(Port::new(port).unwrap(), false).is_ok())
        });
    }
}

#[test]
fn a_port_is_kept_through_what_is_left_of_its_connections() {
    let (_folder, registry) = registry();
    let range = range(2);
    let leases = acquire(Some(&registry), &id(1), &wish(&range), None).unwrap();
    let port = leases.main.port().get();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    drop(listener.accept().unwrap()); // the server closes first: TIME_WAIT is on its port
    drop((client, listener, leases));
    crate::testing::eventually("the connection is closed", || ports::has_only_closed_connections(port));
    let last = PortSet { main: Port::new(port).unwrap(), extra: Vec::new() };
    let mut again = None;
    crate::testing::eventually("the same port again", || {
        again = None;
        again = Some(acquire(Some(&registry), &id(1), &wish(&range), Some(&last)).unwrap());
        again.as_ref().is_some_and(|again| again.main.port().get() == port)
    });
    // Another user knows nothing of this lease, and has no claim to the port for that.
    let (_folder, anothers) = self::registry();
    let other = acquire(Some(&anothers), &id(2), &wish(&range), Some(&last)).unwrap();
    assert_ne!(other.main.port().get(), port);
}

#[test]
fn ports_of_other_projects_are_last_and_extra_ports_come_back() {
    let (_folder, registry) = registry();
    let range = range(4);
    let numbers: Vec<u16> = range.numbers().collect();
    let extra = ["api", "db"].map(|name| ExtraPort { name: name.into(), variables: Vec::new() }).to_vec();
    let with_extra = PortWish { extra, ..wish(&range) };
    let first = acquire(Some(&registry), &id(1), &with_extra, None).unwrap().ports();
    assert_eq!(first.main.get(), numbers[0]);
    crate::testing::eventually("closed in children of other tests too", || {
        let again = acquire(Some(&registry), &id(1), &with_extra, Some(&first));
        again.is_ok_and(|leases| leases.ports() == first)
    });
    crate::testing::eventually("the one port that is nobody's", || {
        acquire(Some(&registry), &id(2), &wish(&range), None).unwrap().main.port().get() == numbers[3]
    });
}

#[test]
fn two_thousand_owned_ports_are_passed_by_soon_and_its_own_is_found_without_a_record() {
    let (_folder, registry) = registry();
    let numbers = 29_000..=31_010;
    let wide = PortRange::new(Port::new(29_000).unwrap(), Port::new(31_010).unwrap()).unwrap();
    let system = System::parse("32768\t32768\n", "");
    for number in numbers.clone().take(2000) {
        let owner = if number == 29_007 { 1 } else { 10_000 + u64::from(number) };
        std::fs::write(registry.port_file(Port::new(number).unwrap()), format!("{}\n", id(owner).0)).unwrap();
    }
    let free = |number| {
        let id = id(number);
        let from = Source { registry: Some(&registry), id: &id, system: &system, writes: true };
        let (last, derived) = (None, Port::new(29_000).unwrap());
        let search = Search { wanted: None, last, derived, range: &wide, system: &system };
        let mut found = 0;
        crate::testing::takes_at_most(std::time::Duration::from_millis(200), || {
            found = from.first_free(&search, &[]).unwrap().port().get();
        });
        found
    };
    assert_eq!(free(1), 29_007);
    assert!((31_000..=31_010).contains(&free(2)), "nobody's before others'");
    // A thing in the place of a port's file is nobody's, and costs the lease and not the run.
    let odd = registry.port_file(Port::new(29_003).unwrap());
    std::fs::remove_file(&odd).unwrap();
    std::fs::create_dir(&odd).unwrap();
    assert_eq!(free(3), 29_003);
}

#[test]
fn inside_another_devrun_nothing_is_taken() {
    let range = range(1);
    let outer = acquire(None, &id(1), &wish(&range), None).unwrap();
    let port = outer.main.port();
    let wish = PortWish { wanted: Some(Wanted { port, by: WantedBy::OuterDevrun }), ..wish(&range) };
    let inner = acquire(None, &id(2), &wish, None).unwrap();
    assert_eq!((inner.main.port(), inner.main.is_reserved()), (port, false));
}

#[test]
fn the_variables_of_a_devrun_that_is_gone_give_no_port_away() {
    let (_folder, registry) = registry();
    let range = range(1);
    let outer = acquire(Some(&registry), &id(1), &wish(&range), None).unwrap();
    let port = outer.main.port();
    let wish = PortWish { wanted: Some(Wanted { port, by: WantedBy::OuterDevrun }), ..wish(&range) };
    let inside = acquire(Some(&registry), &id(2), &wish, None).unwrap();
    assert!(!inside.main.is_reserved(), "the outer one has it");
    drop((outer, inside));
    // A child that another test is just starting may hold a copy of the lock until it executes its program.
    crate::testing::eventually("the port is leased and reserved like any other", || {
        acquire(Some(&registry), &id(2), &wish, None)
            .is_ok_and(|leases| leases.main.port() == port && leases.main.is_reserved())
    });
}
