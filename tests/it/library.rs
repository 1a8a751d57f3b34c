//! Promises 15 and 44: the library in a plain program. The program is this test binary, run anew with the name of
//! one of the `program_*` tests below, so that it can panic, end its threads or exit without a word.

use crate::support::{Fixture, LIMIT, Running, SOON, Scratch, eventually, get};

/// Set for a run anew: the fixture's command line.
const COMMAND: &str = "DEVRUN_TEST_COMMAND";

/// Starts the program of that name; it prints the URL of its server as `url=...`.
fn program(scratch: &Scratch, fixture: &Fixture, name: &str) -> Running {
    let mut command = scratch.command(std::env::current_exe().unwrap());
    command.args([&format!("library::{name}"), "--exact", "--nocapture", "--test-threads=1"]);
    command.env(COMMAND, fixture.line());
    Running::spawn(command)
}

fn url(run: &Running) -> String {
    eventually(SOON, || {
        let said = run.stdout();
        // Past the test runner's own words, which may stand on the same line.
        let url = said.lines().find_map(|line| line.split_once("url=").map(|(_, url)| url.to_string()));
        url.ok_or(format!("no URL; {said}{}", run.stderr()))
    })
}

/// The server, if this is a run anew; a plain run of all tests passes by.
fn start() -> Option<devrun::Server> {
    let command = std::env::var(COMMAND).ok()?;
    let words: Vec<_> = command.split(' ').collect();
    Some(devrun::Server::command(words[0]).args(&words[1..]).start().expect("it starts"))
}

#[test]
fn program_whose_starting_thread_ends() {
    if let Some(server) = std::thread::spawn(start).join().unwrap() {
        println!("url={}", server.url());
        std::thread::park();
    }
}

#[test]
fn program_that_panics() {
    if let Some(server) = start() {
        println!("url={}", server.url());
        std::io::stdin().read_line(&mut String::new()).unwrap();
        panic!("as users' programs do");
    }
}

#[test]
fn program_that_exits_without_a_word() {
    if let Some(server) = start() {
        println!("url={}", server.url());
        std::io::stdin().read_line(&mut String::new()).unwrap();
        std::mem::forget(server);
        std::process::exit(0);
    }
}

#[test]
fn program_that_stops_twice() {
    if let Some(server) = start() {
        println!("url={}", server.url());
        std::io::stdin().read_line(&mut String::new()).unwrap();
        server.stop().unwrap();
        server.stop().unwrap();
        std::thread::park();
    }
}

#[test]
fn program_that_drops() {
    if let Some(server) = start() {
        println!("url={}", server.url());
        std::io::stdin().read_line(&mut String::new()).unwrap();
        drop(server);
        std::thread::park();
    }
}

#[test]
fn program_that_starts_nothing() {
    if std::env::var_os(COMMAND).is_some() {
        let error = devrun::Server::command("no-such-program-here").start().expect_err("it is not there");
        println!("kind={:?}", error.kind());
    }
}

#[test]
fn a_server_outlives_the_thread_that_started_it() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=own-session");
    let run = program(&scratch, &fixture, "program_whose_starting_thread_ends");
    assert_eq!(get(&url(&run)), scratch.mark);
    run.signal(crate::support::Signal::KILL);
    eventually(LIMIT, || scratch.dead().and_then(|()| fixture.gone()));
}

#[test]
fn a_panic_or_a_silent_exit_of_the_librarys_user_leaves_nothing() {
    for name in ["program_that_panics", "program_that_exits_without_a_word"] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=daemon-clearenv");
        let mut run = program(&scratch, &fixture, name);
        assert_eq!(get(&url(&run)), scratch.mark, "{name}");
        run.input(b"now\n");
        run.ended(LIMIT);
        eventually(LIMIT, || scratch.dead().map_err(|seen| format!("{name}: {seen}")));
    }
}

#[test]
fn stop_and_drop_leave_nothing_and_stop_may_be_called_twice() {
    for name in ["program_that_stops_twice", "program_that_drops"] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=own-session");
        let mut run = program(&scratch, &fixture, name);
        assert_eq!(get(&url(&run)), scratch.mark, "{name}");
        run.input(b"now\n");
        eventually(LIMIT, || fixture.gone().map_err(|seen| format!("{name}: {seen}")));
        assert!(!run.has_ended(), "{name}: the server is gone before its user is");
    }
}

#[test]
fn a_program_that_is_not_there_is_an_error_of_its_kind() {
    let scratch = Scratch::new();
    let mut command = scratch.command(std::env::current_exe().unwrap());
    command.args(["library::program_that_starts_nothing", "--exact", "--nocapture"]).env(COMMAND, "none");
    let outcome = Running::spawn(command).outcome(SOON);
    assert!(outcome.stdout.contains("kind=NotFound"), "{outcome}");
}
