//! Promise 42: devrun from any package manager, with and without install scripts, is devrun.

use std::process::Command;

use crate::support::npm::{Project, node_that_becomes};
use crate::support::{Ended, Fixture, LIMIT, Proc, Pty, Running, SOON, Signal, eventually};

const OPTIONS: &str = "--ready none --stop-timeout 500ms";

#[test]
fn npm_gives_the_program_itself() {
    is_devrun("npm install @devrun/cli", true);
}

#[test]
fn npm_without_scripts_gives_a_launcher_that_does_the_same() {
    is_devrun("npm install --ignore-scripts @devrun/cli", false);
}

#[test]
fn pnpm_gives_a_launcher_that_does_the_same() {
    is_devrun("pnpm add @devrun/cli", false);
}

#[test]
fn pnpm_with_scripts_gives_a_launcher_that_does_the_same() {
    is_devrun("pnpm add --allow-build=@devrun/cli @devrun/cli", false);
}

#[test]
fn yarn_gives_the_program_itself() {
    is_devrun("yarn add @devrun/cli", true);
}

#[test]
fn yarn_without_scripts_gives_a_launcher_that_does_the_same() {
    is_devrun("yarn add --ignore-scripts @devrun/cli", false);
}

#[test]
fn yarn_4_gives_a_launcher_that_does_the_same() {
    is_devrun("yarn4 add @devrun/cli", false);
}

#[test]
fn bun_gives_a_launcher_that_does_the_same() {
    is_devrun("bun add @devrun/cli", false);
}

/// Installed in this way, it keeps each promise of the command; `program`: there is no launcher.
fn is_devrun(install: &str, program: bool) {
    let project = Project::new();
    project.install(install);
    assert_eq!(project.is_the_program(), program);
    let manager = install.split(' ').next().unwrap();
    hands_on_the_status(&project, manager);
    passes_on_one_ctrl_c(&project, manager);
    dies_of_the_signal_that_ends_it(&project);
    leaves_nothing_when_killed(&project);
}

/// The installed command with this fixture; its launcher, if it still is there, stays and waits.
fn started(project: &Project, fixture: &Fixture) -> Running {
    let mut command = project.scratch.command(project.devrun());
    project.waits(&mut command);
    command.args(OPTIONS.split(' ')).arg("--").args(&fixture.argv);
    let run = Running::spawn(command);
    fixture.noted("complete").unwrap_or_else(|missing| panic!("{missing}; {}", run.stderr()));
    run
}

fn hands_on_the_status(project: &Project, manager: &str) {
    let fixture = project.scratch.fixture("shape=plain after=50 then=7");
    project.scratch.package_json(&[("dev", format!("devrun {OPTIONS} -- {}", fixture.line()))]);
    let outcome = Running::spawn(project.command(&format!("{} run dev", manager))).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(7), "{outcome}");
    assert!(outcome.stderr.contains("devrun stopped (status 7)"), "{outcome}");
    project.scratch.assert_dead(LIMIT);
}

fn passes_on_one_ctrl_c(project: &Project, manager: &str) {
    let scratch = &project.scratch;
    let seen = scratch.dir().join("signals");
    let fixture = scratch.fixture(&format!("shape=alone cleanup=1500 signals={}", seen.display()));
    scratch.package_json(&[("dev", format!("devrun --ready none -- {}", fixture.line()))]);
    // A package manager's own path, since the terminal's shell starts it.
    let words = project.command(&format!("{} run dev", manager));
    let line = words.get_args().skip(1).map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ");
    let bash = Pty::bash(scratch);
    let preload = scratch.write("waits.cjs", "delete process.execve;\n");
    bash.type_in(&format!("export NODE_OPTIONS=--require={}\n", preload.display()));
    bash.type_in(&format!("{line}\n"));
    fixture.noted("complete").unwrap_or_else(|missing| panic!("{missing}; {}", bash.screen()));
    bash.type_in("\x03");
    fixture.noted("cleaned").unwrap_or_else(|missing| panic!("{missing}; {}", bash.screen()));
    eventually(LIMIT, || fixture.gone());
    assert_eq!(std::fs::read_to_string(seen).unwrap(), "INT\n", "exactly one");
    drop(bash);
    scratch.assert_dead(LIMIT);
}

fn dies_of_the_signal_that_ends_it(project: &Project) {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        let fixture = project.scratch.fixture("shape=own-session");
        let run = started(project, &fixture);
        run.signal(signal);
        let outcome = run.outcome(SOON);
        assert_eq!(outcome.ended, Ended::Signal(signal.as_raw()), "{outcome}");
        eventually(LIMIT, || fixture.gone());
    }
    project.scratch.assert_dead(LIMIT);
}

fn leaves_nothing_when_killed(project: &Project) {
    let fixture = project.scratch.fixture("shape=daemon-clearenv");
    let mut run = started(project, &fixture);
    run.signal(Signal::KILL);
    run.ended(SOON);
    eventually(LIMIT, || project.scratch.dead().and_then(|()| fixture.gone()));
}

#[test]
fn the_launcher_becomes_the_program_where_node_can() {
    let project = Project::new();
    project.install("npm install --ignore-scripts @devrun/cli");
    let fixture = project.scratch.fixture("shape=plain");
    let mut command = project.scratch.command(node_that_becomes());
    command.arg(project.devrun()).args(OPTIONS.split(' ')).arg("--").args(&fixture.argv);
    let run = Running::spawn(command);
    fixture.noted("complete").unwrap_or_else(|missing| panic!("{missing}; {}", run.stderr()));
    let process = Proc::of(run.pid()).unwrap();
    assert!(process.argv.starts_with("devrun "), "no longer Node.js: {process:?}");
    assert!(!run.stderr().contains("Warning"), "{}", run.stderr());
    let outcome = run.stop();
    assert_eq!(outcome.ended, Ended::Signal(Signal::TERM.as_raw()), "{outcome}");
    project.scratch.assert_dead(LIMIT);
}

#[test]
fn npx_runs_it_without_an_installation() {
    let project = Project::new();
    let outcome = Running::spawn(project.command("npx --yes @devrun/cli -- sh -c exit\t9")).outcome(SOON);
    let version = Running::spawn(project.command("npx --yes @devrun/cli --version")).outcome(SOON);
    assert_eq!(version.stdout, format!("devrun {}\n", env!("CARGO_PKG_VERSION")), "{version}");
    assert_eq!(outcome.ended, Ended::Status(9), "{outcome}");
}

#[test]
fn without_its_program_it_says_what_to_do() {
    let project = Project::new();
    project.install("npm install --omit=optional @devrun/cli");
    let outcome = Running::spawn(project.scratch.command(project.devrun())).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(127), "{outcome}");
    assert!(
        outcome.stderr.starts_with("error: devrun's program is not installed: the package @devrun/linux-")
    );
    assert!(outcome.stderr.contains("hint: delete node_modules and install again"), "{outcome}");
}

/// Runs this module in a project that has the package.
fn script(project: &Project, name: &str, text: &str) -> Command {
    let path = project.scratch.write(name, text);
    let mut command = project.scratch.command("node");
    command.arg(path);
    command
}

fn with_api() -> Project {
    let project = Project::new();
    project.install("npm install @devrun/cli");
    project
}

fn words(fixture: &Fixture) -> String {
    serde_json::to_string(&fixture.argv).unwrap()
}

#[test]
fn a_test_set_up_starts_and_stops_a_server() {
    let project = with_api();
    let fixture = project.scratch.fixture("shape=daemon-clearenv");
    let text = format!(
        r#"import {{ start }} from "@devrun/cli";
        const server = await start({}, {{ name: "api", env: {{ GIVEN: "yes" }} }});
        const page = await fetch(server.url);
        console.log(page.status, new URL(server.url).port == server.port, typeof server.pid);
        await server.stop();
        await server.stop();
        console.log("stopped", await fetch(server.url).catch(() => "gone"));"#,
        words(&fixture)
    );
    let outcome = Running::spawn(script(&project, "api.mjs", &text)).outcome(SOON);
    outcome.expect(Ended::Status(0), "200 true number\nstopped gone\n", "");
    eventually(LIMIT, || project.scratch.dead().and_then(|()| fixture.gone()));
}

#[test]
fn neither_a_file_of_the_project_nor_what_the_command_logs_misleads_it() {
    let project = with_api();
    let fixture = project.scratch.fixture("shape=plain delay-listen=300");
    project.scratch.write("devrun.toml", "detach = true\n");
    let line =
        format!(r#"echo '{{"event":"ready"}}' >&2; echo '{{"event":"asked"}}' >&2; exec {}"#, fixture.line());
    let text = format!(
        r#"import {{ start }} from "@devrun/cli";
        const server = await start(["sh", "-c", {line:?}], {{ output: "inherit" }});
        console.log((await fetch(server.url)).status);
        await server.stop();
        console.log(await fetch(server.url).catch(() => "gone"));"#
    );
    let outcome = Running::spawn(script(&project, "api.mjs", &text)).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(0), "{outcome}");
    assert!(outcome.stdout.ends_with("\n200\ngone\n"), "{outcome}");
    assert!(outcome.stderr.contains(r#"{"event":"asked"}"#), "{outcome}");
    eventually(LIMIT, || project.scratch.dead().and_then(|()| fixture.gone()));
}

#[test]
fn a_server_that_does_not_start_is_an_error_with_what_it_said() {
    let project = with_api();
    let text = r#"const { start } = require("@devrun/cli");
        start(["sh", "-c", "echo no such config >&2; exit 4"]).catch((error) => console.log(error.message));"#;
    let outcome = Running::spawn(script(&project, "api.cjs", text)).outcome(SOON);
    assert!(outcome.stdout.contains("status 4"), "{outcome}");
    assert!(outcome.stdout.contains("\nno such config"), "{outcome}");
}

#[test]
fn a_server_ends_with_the_program_that_started_it() {
    for (last, ended) in [("", Ended::Status(0)), ("process.kill(process.pid, 'SIGKILL')", Ended::Signal(9))]
    {
        let project = with_api();
        let fixture = project.scratch.fixture("shape=own-session");
        let text = format!(
            r#"import {{ start }} from "@devrun/cli";
            await start({});
            {last}"#,
            words(&fixture)
        );
        let mut run = Running::spawn(script(&project, "api.mjs", &text));
        assert_eq!(run.ended(SOON), ended, "a server that runs keeps no program alive: {}", run.stderr());
        eventually(LIMIT, || project.scratch.dead().and_then(|()| fixture.gone()));
    }
}

#[test]
fn where_commands_run_without_devrun_a_server_starts_all_the_same() {
    let project = with_api();
    let fixture = project.scratch.fixture("shape=alone");
    let text = format!(
        r#"import {{ start }} from "@devrun/cli";
        const server = await start({});
        console.log((await fetch(server.url)).status);
        await server.stop();"#,
        words(&fixture)
    );
    let mut command = script(&project, "api.mjs", &text);
    command.env("DEVRUN", "0");
    let outcome = Running::spawn(command).outcome(SOON);
    outcome.expect(Ended::Status(0), "200\n", "");
}

#[test]
fn a_server_that_runs_already_is_used_and_left_running() {
    let project = with_api();
    let fixture = project.scratch.fixture("shape=alone");
    let mut first = project.scratch.run("", &fixture);
    let ready = first.ready();
    let text = format!(
        r#"import {{ start }} from "@devrun/cli";
        const server = await start({});
        await server.stop();
        console.log(server.port, (await fetch(server.url)).status);"#,
        words(&fixture)
    );
    let outcome = Running::spawn(script(&project, "api.mjs", &text)).outcome(SOON);
    outcome.expect(Ended::Status(0), &format!("{} 200\n", ready.port), "");
    first.stop();
}
