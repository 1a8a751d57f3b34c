//! Promises 3, 4 and 12: whoever starts devrun, and however that one dies, the tree dies with it.

use std::process::Command;

use crate::support::{Ended, Fixture, LIMIT, Running, SOON, Scratch, Signal, apps, eventually, kill};

const DEVRUN: &str = env!("CARGO_BIN_EXE_devrun");
const OPTIONS: &str = "--ready none --stop-timeout 500ms";

fn line(fixture: &Fixture) -> String {
    format!("{DEVRUN} {OPTIONS} -- {}", fixture.line())
}

/// The program of an installed app.
fn bin(app: &str, name: &str) -> String {
    apps(app).join("node_modules/.bin").join(name).into_os_string().into_string().unwrap()
}

/// Starts devrun through `caller` and ends the caller in each way.
fn dies_with(caller: impl Fn(&Scratch, &str) -> Command) {
    for signal in [Signal::TERM, Signal::KILL] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=daemon-clearenv");
        let line = line(&fixture);
        scratch.package_json(&[("dev", line.clone())]);
        let run = Running::spawn(caller(&scratch, &line));
        fixture.noted("complete").unwrap_or_else(|seen| panic!("{seen}; {}{}", run.stdout(), run.stderr()));
        run.signal(signal);
        eventually(LIMIT, || {
            scratch.dead().map_err(|seen| format!("{signal:?}: {seen}; {}", run.stderr()))?;
            fixture.gone()
        });
    }
}

#[test]
fn the_tree_dies_with_bun() {
    dies_with(|scratch, _| with_args(scratch, &bin("tools", "bun"), &["run", "dev"]));
}

#[test]
fn the_tree_dies_with_pnpm() {
    dies_with(|scratch, _| with_args(scratch, &bin("tools", "pnpm"), &["run", "dev"]));
}

#[test]
fn the_tree_dies_with_yarn() {
    dies_with(|scratch, _| with_args(scratch, &bin("tools", "yarn"), &["run", "dev"]));
}

#[test]
fn the_tree_dies_with_concurrently() {
    dies_with(|scratch, line| with_args(scratch, &bin("concurrently", "concurrently"), &[line, "cat"]));
}

#[test]
fn the_tree_dies_with_make() {
    dies_with(|scratch, line| {
        scratch.write("Makefile", &format!("dev:\n\t{line}\n"));
        with_args(scratch, "make", &["dev"])
    });
}

#[test]
fn the_tree_dies_with_turbo() {
    dies_with(|scratch, line| {
        let root = r#"{"name":"mono","packageManager":"npm@11.0.0","workspaces":["apps/*"]}"#;
        scratch.write("package.json", root);
        scratch.write("package-lock.json", r#"{"name":"mono","lockfileVersion":3,"packages":{}}"#);
        scratch.write("turbo.json", r#"{"tasks":{"dev":{"cache":false,"persistent":true}}}"#);
        scratch.write("apps/web/package.json", &format!(r#"{{"name":"web","scripts":{{"dev":"{line}"}}}}"#));
        let mut turbo = with_args(scratch, &bin("turbo", "turbo"), &["run", "dev", "--env-mode=loose"]);
        turbo.env("TURBO_TELEMETRY_DISABLED", "1");
        turbo
    });
}

#[test]
fn the_tree_dies_with_a_script_in_python() {
    dies_with(|scratch, line| {
        let words: Vec<_> = line.split(' ').map(|word| format!("{word:?}")).collect();
        scratch.write("run.py", &format!("import subprocess\nsubprocess.call([{}])\n", words.join(",")));
        with_args(scratch, "python3", &["run.py"])
    });
}

#[test]
fn the_tree_dies_with_the_process_that_it_is_given_to() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=daemon");
    let owner = Running::spawn(with_args(&scratch, "sleep", &["600"]));
    let mut run = scratch.run(&format!("{OPTIONS} --owner {}", owner.pid()), &fixture);
    fixture.stands();
    owner.signal(Signal::KILL);
    run.ended(LIMIT);
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_caller_that_dies_between_two_starts_is_missed_at_once() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone serve=no after=1 then=3");
    let line = format!("{DEVRUN} --restart on-failure:50 -- {}", fixture.line());
    let words: Vec<_> = line.split(' ').map(|word| format!("{word:?}")).collect();
    scratch.write("run.py", &format!("import subprocess\nsubprocess.call([{}])\n", words.join(",")));
    let caller = Running::spawn(with_args(&scratch, "python3", &["run.py"]));
    // Each wait is twice as long as the one before: the fourth is two seconds.
    eventually(SOON, || match caller.stderr().matches("starting again").count() {
        count @ 4.. => Ok(count),
        count => Err(format!("{count} waits; {}", caller.stderr())),
    });
    let starts = fixture.notes();
    caller.signal(Signal::KILL);
    scratch.assert_dead(LIMIT);
    assert_eq!(fixture.notes(), starts, "nothing was started for a caller that is gone");
}

#[test]
fn an_interrupt_to_npm_alone_does_what_it_does_without_devrun() {
    // npm passes nothing on that was not typed, and waits; what ends it is the command's own exit.
    let ends = [true, false].map(|wrapped| {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=alone port=0 serve=no");
        scratch.package_json(&[("dev", if wrapped { line(&fixture) } else { fixture.line() })]);
        let mut npm = Running::spawn(with_args(&scratch, "npm", &["run", "dev"]));
        fixture.stands();
        let before = times_slept(npm.pid());
        npm.signal(Signal::INT);
        eventually(SOON, || match times_slept(npm.pid()) {
            now if now > before => Ok(()),
            now => Err(format!("npm has not woken up: {now}")),
        });
        kill(fixture.leader(), Signal::USR2);
        npm.ended(SOON)
    });
    assert_eq!(ends[0], ends[1], "with devrun, and without");
}

/// How often the process has gone to sleep: once more means that it has dealt with its signal.
fn times_slept(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

#[test]
fn the_outer_of_two_ends_the_inner_and_not_the_other_way_round() {
    for signal in [Signal::INT, Signal::TERM, Signal::KILL] {
        let scratch = Scratch::new();
        let (mut outer, fixture) = nested(&scratch, 2);
        outer.signal(signal);
        outer.ended(LIMIT);
        eventually(LIMIT, || scratch.dead().and_then(|()| fixture.gone()));
    }
    let scratch = Scratch::new();
    let (outer, fixture) = nested(&scratch, 2);
    kill(fixture.leader(), Signal::USR2);
    let outcome = outer.outcome(LIMIT);
    assert_eq!(outcome.ended, Ended::Status(3), "the inner's end is the outer's: {outcome}");
    scratch.assert_dead(LIMIT);
}

#[test]
fn twelve_nested_ones_die_with_the_outermost() {
    for signal in [Signal::TERM, Signal::KILL] {
        let scratch = Scratch::new();
        let (mut outer, fixture) = nested(&scratch, 12);
        outer.signal(signal);
        outer.ended(LIMIT * 2);
        eventually(LIMIT * 2, || scratch.dead().and_then(|()| fixture.gone()));
    }
}

fn nested(scratch: &Scratch, depth: usize) -> (Running, Fixture) {
    let fixture = scratch.fixture("shape=own-session");
    let mut words: Vec<String> = Vec::new();
    for level in 0..depth {
        words.extend([DEVRUN.into(), "--name".into(), format!("level{level}")]);
        words.extend(OPTIONS.split(' ').map(str::to_string));
        words.push("--".into());
    }
    words.extend(fixture.argv.iter().cloned());
    let run = Running::spawn(scratch.devrun(&words[1..]));
    fixture.stands();
    (run, fixture)
}

fn with_args(scratch: &Scratch, program: &str, args: &[&str]) -> Command {
    let mut command = scratch.command(program);
    command.args(args);
    command
}
