//! Promise 44: the library and the program that uses it: whose the terminal is, who ends whom, what a listener may do.
//! The programs are run as those of `library` are.

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::library::{COMMAND, builder};
use crate::support::{Pty, SOON, Scratch};

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
