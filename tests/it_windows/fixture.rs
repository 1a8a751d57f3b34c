//! The program that the tests run under devrun is this test program again: told by its environment what to be.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

use crate::support::{Scratch, eventually};
use crate::sys;

/// The variables that say what to be, in words, and where its files are.
pub const SHAPE: &str = "FIXTURE_SHAPE";
pub const FOLDER: &str = "FIXTURE_FOLDER";

/// This program as the fixture.
pub fn argv() -> Vec<String> {
    let program = std::env::current_exe().unwrap().into_os_string().into_string().unwrap();
    [&program, "--exact", "fixture::fixture", "--nocapture", "--test-threads=1"].map(str::to_string).to_vec()
}

/// Without the variables there is nothing to do. With them this never returns.
#[test]
fn fixture() {
    let (Ok(shape), Some(folder)) = (std::env::var(SHAPE), std::env::var_os(FOLDER)) else { return };
    let folder = PathBuf::from(folder);
    note(&folder, &std::process::id().to_string());
    for word in shape.split(' ') {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "below" => below(value.parse().unwrap()),
            "serve" => serve(),
            // Once the test says so.
            "exit" => {
                let go = folder.join("go");
                eventually("the word to go", || go.exists());
                exit(value.parse::<u32>().unwrap().cast_signed());
            }
            "call" => call(&folder, false),
            "ctrl-c" => call(&folder, true),
            _ => panic!("no such shape: {word}"),
        }
    }
    loop {
        std::thread::park();
    }
}

/// So many generations below this one.
#[expect(clippy::zombie_processes, reason = "they are to be left behind")]
fn below(generations: u32) {
    if generations > 0 {
        let argv = argv();
        let shape = format!("below={}", generations - 1);
        Command::new(&argv[0]).args(&argv[1..]).env(SHAPE, shape).spawn().unwrap();
    }
}

/// Says 200 to everything on the port that it was given.
fn serve() {
    let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    println!("\nlistening on {port}");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        }
    });
}

/// Starts devrun with a server below it; then presses Ctrl-C, or waits to be killed.
fn call(folder: &Path, press: bool) {
    let scratch = Scratch::at(folder);
    sys::hear_ctrl_c();
    let mut devrun = scratch.run(&["--ready", "log:listening"], "below=2 serve");
    devrun.ready();
    scratch.members(4);
    note(folder, &devrun.pid().to_string());
    if press {
        let pressed = sys::press_ctrl_c();
        let code = devrun.ended();
        std::fs::write(folder.join("ended"), format!("{pressed} {code}\n{}", devrun.stderr())).unwrap();
        exit(0);
    }
    std::fs::write(folder.join("ready"), "").unwrap();
    loop {
        std::thread::park();
    }
}

fn note(folder: &Path, line: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(folder.join("record")).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}
