//! Promises 2 and 29 where nobody can see who has a socket: of a process of another user, or one with capabilities of its
//! own, the descriptors can't be read.

use crate::limits::run_of_ordinary_user;
use crate::support::{Ended, LIMIT, Scratch, answer_200, get, held_port, is_root};

#[test]
fn what_another_users_strangers_serve_is_no_readiness_whoever_is_in_the_tree() {
    if !is_root("a set-uid program under an ordinary user") {
        return;
    }
    let (port, stranger) = held_port("127.0.0.1");
    answer_200(stranger);
    let scratch = Scratch::new();
    let options = "--ready-timeout 4s --stop-timeout 300ms";
    let (_, mut run) = run_of_ordinary_user(&scratch, options, "shape=setuid-away serve=no", 0o4755);
    assert_eq!(run.ended(LIMIT * 2), Ended::Status(124), "{}", run.stderr());
    let said = run.stderr();
    assert!(!said.contains("devrun ready") && !said.contains(&port.to_string()), "{said}");
}

#[test]
fn a_server_whose_descriptors_cant_be_read_becomes_ready_on_its_port() {
    if !is_root("an ordinary user") {
        return;
    }
    let scratch = Scratch::new();
    let options = "--ready-timeout 10s --stop-timeout 300ms";
    let (_, mut run) = run_of_ordinary_user(&scratch, options, "shape=plain dumpable=no", 0o755);
    let ready = run.ready();
    assert_eq!(get(&ready.url), scratch.mark);
    run.stop();
    scratch.assert_dead(LIMIT);
}
