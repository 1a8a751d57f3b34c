//! Promises 15 and 44: the library in a plain program. The program is this test binary, run anew with the name of
//! one of the `program_*` tests below, so that it can panic, end its threads or exit without a word.

use crate::support::{Fixture, LIMIT, Running, SOON, Scratch, eventually, get};

/// Set for a run anew: the fixture's command line.
pub(crate) const COMMAND: &str = "DEVRUN_TEST_COMMAND";

/// Starts the program of that name; it prints the URL of its server as `url=...`.
pub(crate) fn program(scratch: &Scratch, fixture: &Fixture, name: &str) -> Running {
    let mut command = scratch.command(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(COMMAND, fixture.line());
    Running::spawn(command)
}

pub(crate) fn url(run: &Running) -> String {
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
    let run = program(&scratch, &fixture, "library::program_whose_starting_thread_ends");
    assert_eq!(get(&url(&run)), scratch.mark);
    run.signal(crate::support::Signal::KILL);
    eventually(LIMIT, || scratch.dead().and_then(|()| fixture.gone()));
}

#[test]
fn the_setup_hook_of_a_desktop_app_leaves_nothing_when_it_is_closed_or_killed() {
    let examples = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples");
    for closed in [true, false] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=own-session");
        let mut command = scratch.command(examples.join("setup_hook"));
        command.args(fixture.line().split(' '));
        let mut app = Running::spawn(command);
        let url = eventually(SOON, || {
            let shown = app.stdout();
            let url = shown.split_once("a window shows ").and_then(|(_, rest)| rest.split_once(';'));
            url.map(|(url, _)| url.to_string()).ok_or(format!("no window; {shown}{}", app.stderr()))
        });
        assert_eq!(get(&url), scratch.mark);
        if closed {
            app.input(b"\n");
        } else {
            app.signal(crate::support::Signal::KILL);
        }
        app.ended(LIMIT);
        eventually(LIMIT, || scratch.dead().and_then(|()| fixture.gone()));
    }
}

#[test]
fn a_panic_or_a_silent_exit_of_the_librarys_user_leaves_nothing() {
    for name in ["library::program_that_panics", "library::program_that_exits_without_a_word"] {
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
    for name in ["library::program_that_stops_twice", "library::program_that_drops"] {
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

/// A library call here in the test itself, under a state folder of the scratch's own, which its processes must find
/// in the environment: so each runs in a process of its own.
pub(crate) fn run_anew(name: &str, options: &str) -> (Scratch, Fixture, String) {
    let scratch = Scratch::new();
    let fixture = scratch.fixture(options);
    let outcome = program(&scratch, &fixture, name).outcome(LIMIT * 2);
    assert!(outcome.stdout.contains("test result: ok. 1 passed"), "{outcome}");
    scratch.assert_dead(LIMIT);
    (scratch, fixture, outcome.stdout)
}

pub(crate) fn builder() -> Option<devrun::Builder> {
    let command = std::env::var(COMMAND).ok()?;
    let words: Vec<_> = command.split(' ').collect();
    Some(devrun::Server::command(words[0]).args(&words[1..]))
}

#[test]
fn program_that_is_async() {
    let Some(builder) = builder() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (builder, mut events) = builder.extra_port("API_PORT", "api").events();
        let server = builder.start_async().await.unwrap();
        assert_ne!(server.extra_port("api").unwrap(), server.port());
        assert_eq!(server.extra_port("other"), None);
        server.restart();
        let mut names = Vec::new();
        while names.iter().filter(|name| *name == "Ready").count() < 2 {
            let event = events.recv().await.expect("it goes on");
            names.push(format!("{event:?}").split([' ', '{']).next().unwrap().to_string());
        }
        assert_eq!(names, ["Started", "Ready", "Stopping", "Restarting", "Started", "Ready"]);
        assert!(server.is_running());
        server.stop_async().await.unwrap();
        assert!(!server.is_running());
        server.wait_async().await.unwrap();
        let mut last = None;
        while let Some(event) = events.recv().await {
            last = Some(event);
        }
        assert!(matches!(last, Some(devrun::Event::Ended { .. })), "{last:?}");
    });
}

#[test]
fn async_code_starts_restarts_hears_and_stops() {
    let (_scratch, fixture, _) = run_anew("library::program_that_is_async", "shape=daemon");
    assert_eq!(fixture.notes().lines().filter(|line| line.starts_with("leader ")).count(), 2);
}

#[test]
fn program_that_drops_the_start() {
    let Some(builder) = builder() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (builder, mut events) = builder.events();
    runtime.block_on(async {
        let started = async { while !matches!(events.recv().await, Some(devrun::Event::Started { .. })) {} };
        tokio::select! {
            server = builder.start_async() => panic!("it never gets ready: {server:?}"),
            () = started => {}
        }
    });
    let last = events.last();
    assert!(matches!(last, Some(devrun::Event::Ended { .. })), "{last:?}");
}

#[test]
fn a_start_that_is_not_waited_for_leaves_nothing() {
    run_anew("library::program_that_drops_the_start", "shape=daemon serve=no");
}

#[test]
fn program_that_is_refused_and_then_replaces() {
    let Some(first) = builder() else { return };
    let first = first.restart(devrun::RestartPolicy::Always).start().unwrap();
    let refused = builder().unwrap().start().unwrap_err();
    assert!(refused.to_string().contains(&first.url()), "{refused}");
    let second = builder().unwrap().replace_running().start().unwrap();
    assert_eq!(second.port(), first.port());
    first.wait().unwrap();
    second.stop().unwrap();
}

#[test]
fn a_server_that_runs_is_refused_or_replaced() {
    run_anew("library::program_that_is_refused_and_then_replaces", "shape=plain");
}

#[test]
fn program_without_limits() {
    let Some(builder) = builder() else { return };
    let no_limit = std::time::Duration::MAX;
    let builder = builder.ready_timeout(no_limit).health_interval(no_limit).stop_timeout(no_limit);
    let server = builder.start().unwrap();
    server.stop().unwrap();
}

#[test]
fn the_longest_time_there_is_means_no_limit() {
    run_anew("library::program_without_limits", "shape=plain");
}
