//! `devrun tauri dev`: the project's dev server on a free port, and beside it Tauri's own command line, which is told
//! where the server is. Reading Tauri's configuration is for `plan`, running both for `then`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use super::render::Style;
use super::{run, script_shell};
use crate::error::{Error, Kind};
use crate::plan::facts::tauri;
use crate::plan::tauri::Arguments;
use crate::plan::{self, Facts, Plan, Request, Sources, Then, Wanted, WantedBy};
use crate::spawn;
use crate::supervise::Outcome;
use crate::sys;

/// Runs both until either ends; ends as Tauri's command line ended.
pub(crate) fn run(args: &[OsString]) -> ExitCode {
    let mut style = Style::new(false, false);
    if script_shell::bypassed() {
        return run::fail(style, &bypass(args));
    }
    match supervise(args, &mut style) {
        Ok(outcome) => run::end(outcome, style),
        Err(error) => run::fail(style, &error),
    }
}

/// `DEVRUN=0`: becomes Tauri's command line as it stands. Returns only if that fails.
fn bypass(args: &[OsString]) -> Error {
    let words = here().and_then(|here| command_line(&here));
    let mut words = match words {
        Ok(words) => words.into_iter(),
        Err(error) => return error,
    };
    let mut command = Command::new(words.next().expect("a command has a program"));
    command.args(words).args(args);
    Error::new(Kind::CannotExecute, "Tauri's command line can't be executed").source(sys::exec(command))
}

fn here() -> Result<PathBuf, Error> {
    std::env::current_dir().map_err(|error| {
        Error::new(Kind::Usage, "the current folder is gone").source(error).hint("cd to a folder that exists")
    })
}

fn supervise(args: &[OsString], style: &mut Style) -> Result<Outcome, Error> {
    let plan = plan_for(args, style)?;
    // What Tauri itself tells the commands that it starts, as far as it does not depend on the target.
    let variable = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
    let platform = if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS };
    let environment = ["TAURI_ENV_", "TAURI_"].iter().flat_map(|prefix| {
        [
            variable(&format!("{prefix}PLATFORM"), platform),
            variable(&format!("{prefix}ARCH"), std::env::consts::ARCH),
            variable(&format!("{prefix}FAMILY"), std::env::consts::FAMILY),
            variable(&format!("{prefix}DEBUG"), "true"),
        ]
    });
    run::supervise_plan(&plan, environment.collect(), *style)
}

/// The dev server as the plan, Tauri's command line as what runs beside it.
fn plan_for(args: &[OsString], style: &mut Style) -> Result<Plan, Error> {
    let mut args = Arguments::of(args)?;
    let here = here()?;
    let mut tauri = tauri::find(&here)?.ok_or_else(|| {
        Error::new(Kind::Usage, "this is no Tauri project")
            .cause(format!("there is no src-tauri/tauri.conf.json in {} or above", here.display()))
            .hint("cd to the project's folder")
    })?;
    tauri::apply(&here, &mut tauri, &mut args)?;
    let server = tauri.dev_server()?;
    let request =
        Request { command: server.command(sys::SHELL), cwd: Some(server.cwd.clone()), ..Request::default() };
    let mut facts = Facts::gather(&request, Sources::All)?;
    *style = Style::new(facts.settings.json == Some(true), facts.settings.quiet == Some(true));
    super::trace::start(facts.settings.verbose == Some(true));
    // The address that the page's storage is kept under: the same as without devrun, if that port is free.
    facts.tauri = Some(Wanted { port: server.port, by: WantedBy::Script });
    let mut plan = plan::make(request, &facts)?;
    let words = command_line(&here)?.into_iter().chain(tauri.arguments(&server, &args));
    plan.then = Some(Then::Program(words.collect()));
    plan.ready_timeout.get_or_insert(plan::READY_TIMEOUT);
    Ok(plan)
}

/// The project's own Tauri command line, else cargo's.
fn command_line(here: &Path) -> Result<Vec<OsString>, Error> {
    match spawn::local_program("tauri".as_ref(), here) {
        Ok(program) => Ok(vec![program.into()]),
        Err(_) if which::which("cargo-tauri").is_ok() => Ok(vec!["cargo".into(), "tauri".into()]),
        Err(_) => Err(Error::new(Kind::NotFound, "Tauri's command line was not found")
            .cause("no node_modules/.bin holds `tauri`, and there is no cargo-tauri")
            .hint("npm install --save-dev @tauri-apps/cli")),
    }
}
