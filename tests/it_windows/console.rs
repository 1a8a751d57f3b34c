//! Ctrl-C in a console that devrun and its command share.

use std::os::windows::process::CommandExt;

use windows_sys::Win32::System::Threading::CREATE_NO_WINDOW;

use crate::fixture;
use crate::support::{Running, Scratch, eventually};

#[test]
fn ctrl_c_ends_all_of_it() {
    let scratch = Scratch::new();
    let argv = fixture::argv();
    let mut command = scratch.command(&argv[0], "ctrl-c");
    // With a console of its own that nobody sees.
    command.args(&argv[1..]).creation_flags(CREATE_NO_WINDOW);
    let mut caller = Running::spawn(command);
    let members = scratch.members(5);
    eventually("devrun has ended", || scratch.file("ended").exists());
    caller.ended();
    let ended = std::fs::read_to_string(scratch.file("ended")).unwrap();
    // STATUS_CONTROL_C_EXIT. Under Wine its last words don't always come through before that.
    assert!(ended.starts_with("true 3221225786\n"), "{ended}");
    members.assert_dead(1);
}
