//! Promise 35 with a real test runner and a real browser: Playwright as the command of `--then`, and devrun as
//! Playwright's own `webServer`, whose whole process group it kills.

use std::process::Command;
use std::time::Duration;

use crate::support::{Ended, LIMIT, Outcome, Running, Scratch, Signal, apps, eventually, free_port, listens};

const DEVRUN: &str = env!("CARGO_BIN_EXE_devrun");

/// A browser takes its time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

fn in_app(scratch: &Scratch, mut command: Command) -> Command {
    command.current_dir(apps("playwright")).env("RESULTS", scratch.dir().join("results")).env_remove("CI");
    command
}

fn chained(scratch: &Scratch) -> Command {
    in_app(scratch, scratch.devrun(["--then", "playwright test", "--", "node", "server.js"]))
}

fn browser_is_up(scratch: &Scratch) {
    eventually(PATIENCE, || {
        let browsers = scratch.alive().into_iter().filter(|found| found.comm.starts_with("chrom")).count();
        if browsers > 2 { Ok(()) } else { Err(format!("{browsers} processes of a browser")) }
    });
}

#[test]
fn a_test_run_that_passes_or_fails_says_so_and_leaves_no_server_and_no_browser() {
    for (title, ended, said) in
        [("seen by a browser", Ended::Status(0), "1 passed"), ("another", Ended::Status(1), "1 failed")]
    {
        let scratch = Scratch::new();
        let mut command = chained(&scratch);
        command.env("TITLE", title);
        let outcome: Outcome = Running::spawn(command).outcome(PATIENCE);
        assert_eq!(outcome.ended, ended, "{outcome}");
        assert!(outcome.stdout.contains(said), "{outcome}");
        scratch.assert_dead(LIMIT);
    }
}

#[test]
fn a_test_run_that_is_interrupted_or_killed_leaves_no_server_and_no_browser() {
    for signal in [Signal::INT, Signal::KILL] {
        let scratch = Scratch::new();
        let mut command = chained(&scratch);
        command.env("TITLE", "never").env("PATIENCE", "60000");
        let mut run = Running::spawn(command);
        browser_is_up(&scratch);
        run.signal(signal);
        run.ended(LIMIT * 2);
        scratch.assert_dead(LIMIT);
    }
}

#[test]
fn playwrights_own_web_server_is_gone_after_playwright_however_that_ends() {
    for signal in [None, Some(Signal::INT), Some(Signal::TERM), Some(Signal::KILL)] {
        let scratch = Scratch::new();
        let port = free_port();
        let title = if signal.is_none() { "seen by a browser" } else { "never" };
        let mut command =
            in_app(&scratch, scratch.command(apps("playwright").join("node_modules/.bin/playwright")));
        command
            .arg("test")
            .env("WEB_SERVER_COMMAND", format!("{DEVRUN} -p {port} -- node server.js"))
            .env("BASE_URL", format!("http://localhost:{port}"))
            .env("TITLE", title)
            .env("PATIENCE", "60000");
        let mut run = Running::spawn(command);
        if let Some(signal) = signal {
            browser_is_up(&scratch);
            run.signal(signal);
            run.ended(LIMIT * 2);
        } else {
            let ended = run.ended(PATIENCE);
            assert_eq!(ended, Ended::Status(0), "{}{}", run.stdout(), run.stderr());
        }
        // Its browser is Playwright's own to end; what devrun started is ours.
        eventually(LIMIT, || {
            let ours: Vec<_> =
                scratch.alive().into_iter().filter(|found| found.argv.contains("server.js")).collect();
            if ours.is_empty() && !listens("127.0.0.1", port) {
                Ok(())
            } else {
                Err(format!("{signal:?}: {} of the server are left", ours.len()))
            }
        });
    }
}
