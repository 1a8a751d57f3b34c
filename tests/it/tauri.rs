//! A desktop application in development leaves no dev server behind: both ways of using devrun with Tauri's real
//! command line. The application itself is a stand-in, started by a runner in the place of cargo; `tests/tauri` does
//! the same with a real one.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::support::{
    Ended, Fixture, LIMIT, Running, SOON, Scratch, Signal, apps, eventually, free_port, get, hold, kill,
    listens, write_program,
};

const DEVRUN: &str = env!("CARGO_BIN_EXE_devrun");

/// The whole of npm, Vite and Tauri's command line has to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A Tauri project with this `beforeDevCommand`, whose application is a fixture.
struct Project {
    scratch: Scratch,
    app: Fixture,
    port: u16,
    cli: PathBuf,
}

impl Project {
    fn new(before: &str) -> Self {
        let (scratch, port) = (Scratch::new(), free_port());
        let installed = apps("tauri");
        for name in ["package.json", "index.html", "src-tauri/Cargo.toml", "src-tauri/src/main.rs"] {
            scratch.write(name, &fs::read_to_string(installed.join(name)).unwrap());
        }
        std::os::unix::fs::symlink(installed.join("node_modules"), scratch.project().join("node_modules"))
            .unwrap();
        let url = format!("http://localhost:{port}");
        let config = json!({
            "productName": "desk", "version": "0.0.0", "identifier": "org.example.desk",
            "build": { "beforeDevCommand": before, "devUrl": url },
        });
        scratch.write("src-tauri/tauri.conf.json", &config.to_string());
        let app = scratch.fixture("shape=plain serve=no");
        write_program(
            scratch.project().join("runner"),
            &format!("printenv TAURI_CONFIG >config\nexec {}", app.line()),
        );
        let cli = installed.join("node_modules/.bin/tauri");
        Self { scratch, app, port, cli }
    }

    fn args(&self) -> Vec<String> {
        let runner = self.scratch.project().join("runner").into_os_string().into_string().unwrap();
        ["dev", "--no-watch", "--runner", &runner].map(str::to_string).to_vec()
    }

    /// `devrun tauri dev`, until the application runs.
    fn run(&self) -> Running {
        let args = std::iter::once("tauri".to_string()).chain(self.args());
        self.started(self.scratch.devrun(args))
    }

    /// `tauri dev`, or what starts that, until the application runs.
    fn plain(&self, program: &str) -> Running {
        let mut command = match program {
            "npm" => self.scratch.command("npm"),
            _ => self.scratch.command(&self.cli),
        };
        if program == "npm" {
            command.args(["run", "tauri", "--"]);
        }
        command.args(self.args());
        self.started(command)
    }

    fn started(&self, command: Command) -> Running {
        let mut run = Running::spawn(command);
        eventually(PATIENCE, || {
            assert!(!run.has_ended(), "{}{}", run.stdout(), run.stderr());
            if self.app.notes().contains("complete") { Ok(()) } else { Err(run.stderr()) }
        });
        run
    }

    /// Tauri's command line itself.
    fn cli_pid(&self) -> u32 {
        self.first(|argv| argv.contains("bin/tauri dev"))
    }

    /// The oldest process with such arguments: from its fork to its exec, a child has its parent's.
    fn first(&self, fits: impl Fn(&str) -> bool) -> u32 {
        let found = self.scratch.alive().into_iter().filter(|found| fits(&found.argv));
        found.map(|found| found.pid).min().expect("it runs")
    }

    #[track_caller]
    fn nothing_is_left(&self, what: &str) {
        eventually(LIMIT, || {
            self.scratch.dead().map_err(|seen| format!("{what}: {seen}"))?;
            if listens("127.0.0.1", self.port) {
                Err(format!("{what}: somebody listens"))
            } else {
                self.app.gone()
            }
        });
    }
}

#[test]
fn devrun_tauri_ends_application_and_server_whichever_of_them_or_their_callers_ends() {
    let project = Project::new("npm run dev");
    let ways: [(&str, &dyn Fn(&Project, &Running)); 8] = [
        ("the application exits", &|project, _| kill(project.app.leader(), Signal::USR2)),
        ("the application is killed", &|project, _| kill(project.app.leader(), Signal::KILL)),
        ("Ctrl-C without a terminal", &|_, run| run.signal(Signal::INT)),
        ("devrun gets TERM", &|_, run| run.signal(Signal::TERM)),
        ("devrun is killed", &|_, run| run.signal(Signal::KILL)),
        ("Tauri's command line gets HUP", &|project, _| kill(project.cli_pid(), Signal::HUP)),
        ("Tauri's command line is killed", &|project, _| kill(project.cli_pid(), Signal::KILL)),
        ("Vite is killed", &|project, _| {
            let vite = |argv: &str| argv.contains("/vite") && !argv.contains("sh -c");
            kill(project.first(vite), Signal::KILL);
        }),
    ];
    // The same project again and again: what one end leaves would be in the way of the next start.
    for (what, end) in ways {
        let mut run = project.run();
        let ready = run.ready();
        assert!(get(&ready.url).contains("tauri answers"), "{what}: {}", run.stderr());
        end(&project, &run);
        eventually(SOON, || match run.has_ended() {
            true => Ok(()),
            false => Err(format!("{what}: {:#?}; {}", project.scratch.alive(), run.stderr())),
        });
        project.nothing_is_left(what);
        let _ = fs::remove_file(project.app.argv[2].trim_start_matches("record="));
    }
}

#[test]
fn devrun_tauri_moves_where_the_port_is_taken_and_tells_tauri() {
    let project = Project::new("npm run dev -- --strictPort");
    let holder = hold("127.0.0.1", project.port);
    let mut run = project.run();
    let ready = run.ready();
    assert_ne!(ready.port, project.port);
    let config = fs::read_to_string(project.scratch.project().join("src-tauri/config")).unwrap_or_default();
    let config: serde_json::Value =
        serde_json::from_str(&config).unwrap_or_else(|_| panic!("{config}; {}", run.stderr()));
    assert_eq!(config["build"]["devUrl"], format!("http://localhost:{}", ready.port));
    drop(holder);
    kill(project.app.leader(), Signal::USR2);
    run.ended(SOON);
    project.nothing_is_left("moved");
}

#[test]
fn a_before_dev_command_takes_the_port_at_which_tauri_waits_and_is_gone_with_tauri() {
    let project = Project::new(&format!("{DEVRUN} -- npm run dev"));
    for (program, signal) in [
        ("tauri", Signal::TERM),
        ("tauri", Signal::HUP),
        ("tauri", Signal::INT),
        ("tauri", Signal::KILL),
        ("npm", Signal::KILL),
    ] {
        let what = format!("{program} {signal:?}");
        let mut run = project.plain(program);
        assert!(get(&format!("http://localhost:{}", project.port)).contains("tauri answers"), "{what}");
        run.signal(signal);
        run.ended(SOON);
        // The application is Tauri's; what devrun started is gone, and the port is free.
        eventually(LIMIT, || match listens("127.0.0.1", project.port) {
            true => Err(format!("{what}: somebody listens")),
            false => Ok(()),
        });
        eventually(LIMIT, || {
            let ours: Vec<_> =
                project.scratch.alive().into_iter().filter(|found| found.argv.contains("vite")).collect();
            if ours.is_empty() { Ok(()) } else { Err(format!("{what}: {} are left", ours.len())) }
        });
        for found in project.scratch.alive() {
            kill(found.pid, Signal::KILL);
        }
        project.nothing_is_left(&what);
        let _ = fs::remove_file(project.app.argv[2].trim_start_matches("record="));
    }
}

#[test]
fn a_before_dev_command_insists_on_its_port() {
    let project = Project::new("unused");
    let _holder = hold("127.0.0.1", project.port);
    let mut command = project.scratch.devrun(["--", "npm", "run", "dev"]);
    command.env("TAURI_ENV_PLATFORM", "linux");
    let outcome = Running::spawn(command).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(75), "{outcome}");
    assert!(outcome.stderr.contains(&project.port.to_string()), "{outcome}");
}

#[test]
fn a_folder_without_tauri_is_told_so() {
    let scratch = Scratch::new();
    let outcome = Running::spawn(scratch.devrun(["tauri", "dev"])).outcome(SOON);
    outcome.expect(Ended::Status(2), "", "error: this is no Tauri project\ncause: [..]\n\nhint: [..]\n");
    let outcome = Running::spawn(scratch.devrun(["tauri", "build"])).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(2), "{outcome}");
}

#[test]
fn bypassed_it_is_tauri_and_nothing_else() {
    let project = Project::new("npm run dev");
    let mut command = project.scratch.devrun(["tauri", "--version"]);
    command.env("DEVRUN", "0");
    let outcome = Running::spawn(command).outcome(SOON);
    assert!(outcome.stdout.starts_with("tauri-cli "), "{outcome}");
    assert_eq!(outcome.ended, Ended::Status(0), "{outcome}");
}
