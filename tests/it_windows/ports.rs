//! One port, one project, no races.

use std::net::TcpListener;

use crate::support::{Running, Scratch};

#[test]
fn two_at_once_have_two_ports_and_keep_them() {
    let scratch = Scratch::new();
    let (mut one, first) = scratch.server(&["-n", "one"]);
    let (mut two, second) = scratch.server(&["-n", "two"]);
    assert_ne!(first, second);
    one.kill();
    two.kill();
    assert_eq!(scratch.server(&["-n", "two"]).1, second);
    assert_eq!(scratch.server(&["-n", "one"]).1, first);
}

#[test]
fn ten_at_once_have_ten_ports() {
    let scratch = Scratch::new();
    let start = |name: usize| {
        scratch.run(&["-n", &name.to_string(), "-p", "4300", "--ready", "log:listening"], "serve")
    };
    let mut all: Vec<Running> = (0..10).map(start).collect();
    let mut ports: Vec<u16> = all.iter_mut().map(Running::ready).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 10, "{ports:?}");
}

#[test]
fn a_port_that_is_taken_is_passed_over_or_an_error() {
    for address in ["127.0.0.1:0", "0.0.0.0:0"] {
        let scratch = Scratch::new();
        let holder = TcpListener::bind(address).unwrap();
        let taken = holder.local_addr().unwrap().port().to_string();
        let (_devrun, port) = scratch.server(&["-n", "polite", "-p", &taken]);
        assert_ne!(port.to_string(), taken);
        let mut strict = scratch.run(&["-n", "strict", "-p", &taken, "--strict-port"], "serve");
        assert_eq!(strict.ended(), 75, "{}", strict.stderr());
    }
}
