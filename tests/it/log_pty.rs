//! Promises 1, 5, 9 and 10 with `--log`: a terminal between, and nothing that tells it from the real one, but for the
//! log. A real bash in a real pseudo-terminal. Job control stands in `log_jobs`.

use std::time::{Duration, Instant};

use crate::support::{
    Fixture, LIMIT, Proc, Pty, SOON, Scratch, Signal, eventually, get, heard, kill, takes_at_most,
};

const DEVRUN: &str = env!("CARGO_BIN_EXE_devrun");

pub fn line(options: &str, fixture: &Fixture) -> String {
    format!("{DEVRUN} --log --ready none {options} -- {}", fixture.line())
}

pub fn front(scratch: &Scratch) -> Proc {
    scratch.alive().into_iter().find(|found| found.comm == "devrun").expect("the front")
}

fn log(scratch: &Scratch) -> String {
    let folder = std::fs::read_dir(scratch.state().join("servers")).unwrap().next().unwrap().unwrap().path();
    std::fs::read_to_string(folder.join("log")).unwrap()
}

/// Waits until keys go through to the command: our terminal is in raw mode.
#[track_caller]
pub fn is_raw(pty: &Pty) {
    eventually(SOON, || if pty.is_sane() { Err(format!("not raw: {}", pty.screen())) } else { Ok(()) });
}

#[track_caller]
fn is_sane(pty: &Pty) {
    eventually(SOON, || if pty.is_sane() { Ok(()) } else { Err(format!("not sane: {}", pty.screen())) });
}

#[test]
fn all_three_streams_are_a_terminal_of_the_same_size_and_what_is_written_is_in_the_log() {
    let scratch = Scratch::new();
    let script = "[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo tty-all; stty size; tty </dev/tty >/dev/null && echo own-tty; \
                  stty -a | grep -o ' echo ' ; printf '\\033[32mgreen\\033[0m\\n'; echo to-stderr >&2; exit 3";
    let pty = Pty::bash(&scratch);
    pty.type_in(&format!("{DEVRUN} --log -q --ready none -- sh -c \"{script}\"; echo status-$?\n"));
    pty.shows("status-3");
    let log = log(&scratch);
    assert_eq!(
        log,
        "tty-all\r\n24 80\r\nown-tty\r\n echo \r\n\u{1b}[32mgreen\u{1b}[0m\r\nto-stderr\r\n",
        "{}",
        pty.screen()
    );
    let screen = pty.screen();
    assert!(screen.contains(&log), "byte for byte: {screen:?}");
    assert!(!screen.contains("\r\r\n"), "{screen:?}");
    is_sane(&pty);
}

#[test]
fn the_terminal_is_sane_after_the_command_or_devrun_itself_was_killed() {
    for (victim, raw) in [("leader", "raw=yes"), ("front", "raw=yes"), ("front", ""), ("guard", "")] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture(&format!("shape=daemon {raw}"));
        // Not an interactive shell: that would repair the terminal itself.
        let script = format!("{}; echo over; exec sleep 600", line("--stop-timeout 500ms", &fixture));
        let pty = Pty::spawn(&scratch, &["sh", "-c", &script]);
        fixture.stands();
        is_raw(&pty);
        let pid = match victim {
            "leader" => fixture.leader(),
            "front" => front(&scratch).pid,
            _ => Proc::of(fixture.leader()).unwrap().ppid,
        };
        kill(pid, Signal::KILL);
        pty.shows("over");
        eventually(LIMIT, || {
            fixture.gone()?;
            if pty.is_sane() { Ok(()) } else { Err(format!("not sane after the {victim} was killed")) }
        });
    }
}

#[test]
fn the_command_hears_of_the_size() {
    let scratch = Scratch::new();
    let seen = scratch.dir().join("signals");
    let fixture = scratch.fixture(&format!("shape=alone signals={}", seen.display()));
    let pty = Pty::spawn(&scratch, &["sh", "-c", &line("", &fixture)]);
    fixture.stands();
    is_raw(&pty);
    pty.resize(132);
    heard(&seen, "WINCH");
}

#[test]
fn what_is_typed_reaches_the_command_and_is_echoed_once() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone ask=yes");
    let pty = Pty::spawn(&scratch, &["sh", "-c", &line("", &fixture)]);
    pty.shows("(Y/n)");
    is_raw(&pty);
    pty.type_in("yes\n");
    pty.shows("answer 4: yes");
    assert_eq!(pty.screen().matches("yes\r\n").count(), 2, "the echo and the answer: {}", pty.screen());
}

#[test]
fn a_long_paste_arrives_whole() {
    let scratch = Scratch::new();
    let pty = Pty::bash(&scratch);
    pty.type_in(&format!(
        "{DEVRUN} --log -q --ready none -- sh -c 'stty raw -echo; echo set-$((40+2)); head -c 300000 | cksum; stty sane'\n"
    ));
    pty.shows("set-42");
    let block = "0123456789".repeat(1000);
    for _ in 0..30 {
        pty.type_in(&block);
    }
    let expected = std::process::Command::new("sh")
        .args(["-c", "yes 0123456789 | tr -d '\\n' | head -c 300000 | cksum"])
        .output()
        .unwrap();
    pty.shows(String::from_utf8_lossy(&expected.stdout).trim());
}

#[test]
fn a_flood_arrives_whole_and_the_last_words_too() {
    let scratch = Scratch::new();
    let pty = Pty::bash(&scratch);
    pty.type_in(&format!(
        "{DEVRUN} --log -q --ready none -- sh -c 'seq 1 200000; echo last words; kill -KILL $$'; echo status-$?\n"
    ));
    pty.shows("status-137");
    let log = log(&scratch);
    assert!(log.ends_with("\r\n200000\r\nlast words\r\n"), "{} bytes", log.len());
    let expected: String = (1..=200_000).map(|n| format!("{n}\r\n")).collect();
    assert!(log == expected + "last words\r\n", "{} bytes", log.len());
    assert!(pty.screen().contains(&log), "the screen has what the log has");
}

#[test]
fn ctrl_c_is_one_interrupt_and_the_second_ends_it_at_once() {
    // 200 ms alone.
    takes_at_most(Duration::from_millis(600), || {
        let scratch = Scratch::new();
        let seen = scratch.dir().join("signals");
        let fixture = scratch.fixture(&format!("shape=alone cleanup=60000 signals={}", seen.display()));
        scratch.package_json(&[("dev", line("--stop-timeout 60s", &fixture))]);
        let bash = Pty::bash(&scratch);
        bash.type_in("npm run dev\n");
        fixture.noted("complete").unwrap_or_else(|missing| panic!("{missing}; {}", bash.screen()));
        is_raw(&bash);
        bash.type_in("\x03");
        heard(&seen, "INT\n");
        assert_eq!(std::fs::read_to_string(&seen).unwrap(), "INT\n");
        assert!(Proc::of(fixture.leader()).is_some(), "it cleans up");
        let start = Instant::now();
        bash.type_in("\x03");
        eventually(LIMIT, || fixture.gone());
        let took = start.elapsed();
        assert!(std::fs::read_to_string(&seen).unwrap().len() <= "INT\nINT\n".len(), "no other signal");
        took
    });
}

#[test]
fn in_raw_mode_ctrl_c_is_the_commands_own_key() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    let script = format!(
        "stty raw -echo; echo set-$((40+2)); head -c 1 | od -An -c; stty sane; exec {}",
        fixture.line()
    );
    let pty = Pty::spawn(&scratch, &[DEVRUN, "--log", "--ready", "none", "--", "sh", "-c", &script]);
    pty.shows("set-42");
    pty.type_in("\x03");
    pty.shows("003");
    fixture.stands();
    assert!(!pty.screen().contains("stopped"), "{}", pty.screen());
}

#[test]
fn readiness_by_a_line_of_output_keeps_the_terminal() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    let script = format!("[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo tty-all; exec {}", fixture.line());
    let pty = Pty::spawn(&scratch, &[DEVRUN, "--ready", "log:listening on", "--", "sh", "-c", &script]);
    pty.shows("tty-all");
    pty.shows("devrun ready ");
    let screen = pty.screen();
    assert_eq!(screen.matches('\n').count(), screen.matches("\r\n").count(), "no stairs: {screen:?}");
}

#[test]
fn a_command_that_cant_bind_over_the_reservation_is_started_once_more() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone reuse=no");
    let pty = Pty::spawn(&scratch, &["sh", "-c", &format!("{DEVRUN} --log -- {}", fixture.line())]);
    pty.shows("devrun ready ");
    assert_eq!(get(&format!("http://127.0.0.1:{}", fixture.port().unwrap())), scratch.mark);
    is_raw(&pty);
}

#[test]
fn a_command_that_leaves_its_server_behind_is_no_hang_up_to_it() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=leader-leaves");
    let script = format!("{DEVRUN} --log -- {}; exec sleep 600", fixture.line());
    let pty = Pty::spawn(&scratch, &["sh", "-c", &script]);
    pty.shows("goes on serving");
    pty.shows("devrun ready ");
    assert_eq!(get(&format!("http://127.0.0.1:{}", fixture.port().unwrap())), scratch.mark);
    is_raw(&pty);
    pty.type_in("\x03");
    eventually(LIMIT, || fixture.gone());
    is_sane(&pty);
}

#[test]
fn nothing_survives_a_terminal_that_closes_a_front_killed_or_a_typed_ctrl_c() {
    let shapes =
        ["npm", "daemon-clearenv", "own-session", "ignore-signals", "all-stopped", "respawn", "wide:50"];
    for shape in shapes {
        for cause in ["close", "kill", "ctrl-c"] {
            let scratch = Scratch::new();
            let fixture = scratch.fixture(&format!("shape={}", if shape == "npm" { "plain" } else { shape }));
            scratch.package_json(&[("serve", fixture.line())]);
            let command = if shape == "npm" { "npm run --silent serve".into() } else { fixture.line() };
            let script = format!("{DEVRUN} --log --ready none --stop-timeout 500ms -- {command}; exit $?");
            let mut pty = Pty::spawn(&scratch, &["sh", "-c", &script]);
            fixture.noted("complete").unwrap_or_else(|seen| panic!("{shape} x {cause}: {seen}"));
            is_raw(&pty);
            match cause {
                "close" => pty.close(),
                "kill" => kill(front(&scratch).pid, Signal::KILL),
                _ => pty.type_in("\x03"),
            }
            eventually(LIMIT, || {
                scratch.dead().map_err(|seen| format!("{shape} x {cause}: {seen}"))?;
                fixture.gone()
            });
        }
    }
}
