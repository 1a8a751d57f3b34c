//! Promise 36: restart, start, open, logs and wait, for a server that is not ready yet and for one that has crashed.

use crate::support::{Ended, Running, SOON, Scratch, Signal, eventually, get, kill, write_program};
use crate::verbs::{fails, succeeds};

/// A server that starts until there is a file `go` in its folder.
fn starting(scratch: &Scratch) -> Running {
    let fixture = scratch.fixture("shape=alone");
    let waits = "echo Hello; echo once >>starts; until [ -e go ]; do sleep 0.02; done; exec";
    let script = format!("{waits} {}", fixture.line());
    let run = Running::spawn(scratch.devrun(["-n", "web", "--", "sh", "-c", &script]));
    eventually(SOON, || match scratch.listed(true).first().map(|server| server["state"].to_string()) {
        Some(state) if state == r#""starting""# && starts(scratch) == 1 => Ok(()),
        state => Err(format!("{state:?}")),
    });
    run
}

/// How many times its command was started.
fn starts(scratch: &Scratch) -> usize {
    std::fs::read_to_string(scratch.project().join("starts")).unwrap_or_default().lines().count()
}

/// `devrun open web`, with a browser that notes what it is to show.
fn open(scratch: &Scratch) -> Running {
    let browser = scratch.project().join("browser");
    write_program(&browser, "printf '%s\\n' \"$1\" >> opened");
    let mut command = scratch.devrun(["open", "web"]);
    command.env("BROWSER", &browser);
    Running::spawn(command)
}

fn opened(scratch: &Scratch) -> String {
    std::fs::read_to_string(scratch.project().join("opened")).unwrap_or_default()
}

/// Waits until the browser has been asked, and checks what for.
#[track_caller]
fn has_opened(scratch: &Scratch, url: &str) {
    eventually(SOON, || if opened(scratch).ends_with('\n') { Ok(()) } else { Err("nothing".to_string()) });
    assert_eq!(opened(scratch), format!("{url}\n"), "once");
}

#[test]
fn the_log_of_a_server_that_starts_is_shown() {
    let scratch = Scratch::new();
    let _run = starting(&scratch);
    eventually(SOON, || match succeeds(&scratch, "logs web").0 {
        log if log.contains("Hello\n") => Ok(()),
        log => Err(log),
    });
}

#[test]
fn start_and_open_wait_for_a_server_that_starts_and_start_nothing() {
    let scratch = Scratch::new();
    let mut run = starting(&scratch);
    let mut waiting = [Running::spawn(scratch.devrun(["start", "web"])), open(&scratch)];
    fails(&scratch, "wait --timeout 300ms web", 124, "not ready in time");
    assert!(!waiting.iter_mut().any(Running::has_ended) && opened(&scratch).is_empty());
    scratch.write("go", "");
    let url = run.ready().url;
    let [start, open] = waiting.map(|waiting| waiting.outcome(SOON));
    assert_eq!((start.ended, open.ended), (Ended::Status(0), Ended::Status(0)), "{start} {open}");
    assert!(start.stderr.contains(&format!("web runs already (pid {}): {url}", run.pid())), "{start}");
    has_opened(&scratch, &url);
    assert_eq!((starts(&scratch), scratch.names(false).len()), (1, 1));
}

#[test]
fn a_server_that_starts_is_restarted_and_is_one_that_is_ready() {
    let scratch = Scratch::new();
    let mut run = starting(&scratch);
    let restart = Running::spawn(scratch.devrun(["restart", "web"]));
    let again = || if starts(&scratch) == 2 { Ok(()) } else { Err(run.stderr()) };
    eventually(SOON, again);
    scratch.write("go", "");
    let restart = restart.outcome(SOON);
    assert_eq!(restart.ended, Ended::Status(0), "{restart}");
    let ready = run.ready();
    assert!(restart.stderr.contains(&format!("devrun ready {} ", ready.url)), "{restart}");
    let all = scratch.listed(true);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!((&all[0]["state"], &all[0]["devrun_pid"]), (&"ready".into(), &run.pid().into()));
    assert_eq!(starts(&scratch), 2);
    assert_eq!(get(&ready.url), scratch.mark);
}

#[test]
fn what_has_crashed_tells_its_last_words_and_is_tried_again() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("");
    let script = format!("echo last words; test -e fine && exec {}; exit 3", fixture.line());
    let run = Running::spawn(scratch.devrun(["-n", "web", "--", "sh", "-c", &script])).outcome(SOON);
    assert_eq!(run.ended, Ended::Status(3), "{run}");
    assert!(succeeds(&scratch, "logs web").0.ends_with("last words\n"));
    fails(&scratch, "wait web", 1, "cause: web ended before it was ready (status 3)");
    fails(&scratch, "restart web", 1, "ended before it was ready");
    let failed = open(&scratch).outcome(SOON);
    assert_eq!((failed.ended, opened(&scratch).as_str()), (Ended::Status(1), ""), "{failed}");
    assert!(failed.stderr.contains("ended before it was ready"), "{failed}");
    assert_eq!(succeeds(&scratch, "logs web").0.matches("last words\n").count(), 3, "each was a try");

    scratch.write("fine", "");
    let (_, said) = succeeds(&scratch, "restart web");
    let url = succeeds(&scratch, "url web").0;
    assert!(said.contains(&format!("devrun ready {} ", url.trim())), "{said}");
    assert_eq!(get(url.trim()), scratch.mark);
    kill(fixture.leader(), Signal::KILL);
    eventually(SOON, || match scratch.listed(true)[0]["state"].as_str() {
        Some("crashed") => Ok(()),
        state => Err(format!("{state:?}")),
    });
    let again = open(&scratch).outcome(SOON);
    assert_eq!(again.ended, Ended::Status(0), "{again}");
    has_opened(&scratch, url.trim());
    assert_eq!(get(url.trim()), scratch.mark);
    succeeds(&scratch, "stop web");
}
