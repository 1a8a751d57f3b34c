//! Whose exit ends the run, with which code.

use crate::support::{Running, Scratch, wine_cannot_show};

#[test]
fn the_exit_code_is_handed_on_with_all_its_bits() {
    for code in [0, 3, 0xC000_0005, u32::MAX] {
        let scratch = Scratch::new();
        scratch.go();
        let mut devrun = scratch.run(&["--ready", "none"], &format!("exit={code}"));
        assert_eq!(devrun.ended(), code, "{}", devrun.stderr());
    }
}

#[test]
fn devrun_has_codes_of_its_own() {
    let scratch = Scratch::new();
    let ends = |mut devrun: Running| (devrun.ended(), devrun.stderr());
    let (code, said) = ends(scratch.devrun(&["--", "no-such-program-here"]));
    assert_eq!(code, 127, "{said}");
    let (code, said) = ends(scratch.devrun(&["--no-such-option"]));
    assert_eq!(code, 2, "{said}");
    let (code, said) = ends(scratch.run(&["--ready-timeout", "500ms", "--ready", "log:never"], "below=2"));
    assert_eq!(code, 124, "{said}");
    scratch.members(3);
}

#[test]
fn a_server_is_ready_when_it_answers() {
    if wine_cannot_show("readiness by HTTP: its table of sockets knows no owner") {
        return;
    }
    let scratch = Scratch::new();
    scratch.run(&[], "serve").ready();
}
