//! Promise 44: the library and the program that uses it: whose the terminal is, who ends whom, what a listener may do.
//! The programs are run as those of `library` are.

use std::process::Command;
use std::sync::{Arc, Mutex};

use devrun::{Event, Kind, Server};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::library::{COMMAND, builder, program, run_anew, url};
use crate::support::{LIMIT, Pty, SOON, Scratch, Signal, eventually};

fn exe() -> String {
    std::env::current_exe().unwrap().into_os_string().into_string().unwrap()
}

fn is_raw(modes: &Termios) -> bool {
    !modes.local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
}

#[test]
fn program_that_changes_its_terminal() {
    if builder().is_none() {
        return;
    }
    let terminal = rustix::stdio::stdin();
    let cooked = tcgetattr(terminal).unwrap();
    let mut raw = cooked.clone();
    raw.make_raw();
    for (at_start, later) in [(&cooked, &raw), (&raw, &cooked)] {
        tcsetattr(terminal, OptionalActions::Now, at_start).unwrap();
        let server = builder().unwrap().ready_at_once().start().unwrap();
        tcsetattr(terminal, OptionalActions::Now, later).unwrap();
        server.stop().unwrap();
        let now = tcgetattr(terminal).unwrap();
        tcsetattr(terminal, OptionalActions::Now, &cooked).unwrap();
        assert_eq!(is_raw(&now), is_raw(later), "started raw: {}", is_raw(at_start));
    }
    println!("as the program left it");
}

#[test]
fn the_terminal_of_the_librarys_user_keeps_the_modes_that_its_program_gives_it() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    let command = format!("{COMMAND}={}", fixture.line());
    let name = "library_host::program_that_changes_its_terminal";
    let mut pty = Pty::spawn(&scratch, &["env", &command, &exe(), name, "--exact", "--nocapture"]);
    let ended = pty.ended(SOON).unwrap();
    let screen = pty.screen();
    assert!(screen.contains("as the program left it"), "{ended:?}; {screen}");
}

#[test]
fn program_that_restarts_when_told() {
    let Some(builder) = builder() else { return };
    let (builder, events) = builder.events();
    let server = builder.start().unwrap();
    println!("url={}", server.url());
    std::io::stdin().read_line(&mut String::new()).unwrap();
    server.restart();
    let mut ready = events.filter(|event| matches!(event, Event::Ready { .. }));
    assert!(ready.nth(1).is_some());
    println!("ready again");
}

#[test]
fn program_below_another() {
    if builder().is_some() {
        let name = "library_host::program_that_restarts_when_told";
        Command::new(exe()).args([name, "--exact", "--nocapture"]).status().unwrap();
    }
}

#[test]
fn a_server_outlives_the_parent_of_the_program_that_started_it() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=plain");
    let mut parent = program(&scratch, &fixture, "library_host::program_below_another");
    url(&parent);
    parent.signal(Signal::KILL);
    parent.ended(LIMIT);
    parent.input(b"\n");
    eventually(SOON, || match parent.stdout() {
        said if said.contains("ready again") => Ok(()),
        said => Err(format!("it ended with the parent; {said}{}", parent.stderr())),
    });
    scratch.assert_dead(LIMIT);
}

#[test]
fn program_whose_listener_stops() {
    let Some(builder) = builder() else { return };
    let (builder, events) = builder.events();
    let server: Arc<Mutex<Option<Server>>> = Arc::default();
    let its_server = Arc::clone(&server);
    let builder = builder.on_event(move |event| {
        if let Event::Restarting { .. } = event {
            let server = its_server.lock().unwrap();
            let server = server.as_ref().unwrap();
            server.stop().unwrap();
            assert_eq!(server.wait().unwrap_err().kind(), Kind::Internal);
        }
    });
    let started = builder.start().unwrap();
    server.lock().unwrap().insert(started).restart();
    // The listener's is the last one: the server is dropped with it, on the thread that supervises.
    drop(server);
    let last = events.last();
    assert!(matches!(last, Some(Event::Ended { .. })), "{last:?}");
}

#[test]
fn a_listener_may_stop_and_drop_its_server() {
    run_anew("library_host::program_whose_listener_stops", "shape=daemon");
}

#[test]
fn program_whose_listener_panics() {
    let Some(builder) = builder() else { return };
    let builder = builder.on_event(|event| assert!(!matches!(event, Event::Stopping { .. }), "as users' do"));
    let server = builder.start().unwrap();
    assert_eq!(server.stop().unwrap_err().kind(), Kind::Internal);
    println!("stopped");
    // Longer than whoever looks at what is left then.
    std::thread::park();
}

#[test]
fn stop_waits_for_the_tree_though_a_listener_panics() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone cleanup=1000");
    let run = program(&scratch, &fixture, "library_host::program_whose_listener_panics");
    eventually(SOON, || match run.stdout() {
        said if said.contains("stopped") => Ok(()),
        said => Err(format!("not stopped; {said}{}", run.stderr())),
    });
    fixture.gone().unwrap();
}

#[test]
fn program_that_asks_for_what_cannot_be() {
    type Asks = fn(devrun::Builder) -> devrun::Builder;
    let asks: [(&str, Asks); 9] = [
        ("health", |builder| builder.ready_path("health")),
        ("tcp", |builder| builder.ready_path("tcp")),
        ("localhost:80", |builder| builder.ready_url("localhost:80")),
        ("alive", |builder| builder.health_path("alive")),
        ("a name has no `/`", |builder| builder.name("apps/web")),
        ("1A", |builder| builder.port_variable("1A")),
        ("A=b", |builder| builder.port_variable("A=b")),
        ("API PORT", |builder| builder.extra_port("API PORT", "api")),
        ("the name of a port", |builder| builder.extra_port("API_PORT", "a=b")),
    ];
    for (told, ask) in asks {
        let Some(builder) = builder() else { return };
        let error = ask(builder.ready_timeout(SOON)).start().expect_err(told);
        assert_eq!(error.kind(), Kind::Usage, "{error}");
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[test]
fn what_the_command_line_refuses_the_library_refuses() {
    let (_scratch, fixture, _) =
        run_anew("library_host::program_that_asks_for_what_cannot_be", "shape=plain");
    assert_eq!(fixture.notes(), "", "nothing was started");
}
