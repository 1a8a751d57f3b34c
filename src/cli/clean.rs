//! `devrun clean`: ends what crashed runs have left, forgets servers whose folder is gone, and says so.
//! A server that runs in a folder that exists is never touched.

use std::process::ExitCode;

use super::escape::escape_line;
use super::render::{self, Style};
use super::table::print;
use super::verb::Servers;
use crate::error::{Error, Kind};
use crate::event::{Event, Exit};
use crate::manage;
use crate::registry::Registry;

/// Cleans up, or forgets one server; with `dry_run` says what would be done.
pub(crate) fn run(dry_run: bool, forget: Option<&str>, style: Style) -> Result<ExitCode, Error> {
    let (done, all) = match forget {
        Some(name) => (forget_one(name, dry_run)?, true),
        None => clean(dry_run, style)?,
    };
    print(if done.is_empty() && all { "nothing to clean\n" } else { &done });
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::from(Kind::Internal.exit_code()) })
}

/// What was done, and whether all of it could be.
fn clean(dry_run: bool, style: Style) -> Result<(String, bool), Error> {
    let cleaned = manage::clean(&Registry::open()?, dry_run);
    let warn = |text| render::event(style, &Event::Warning { text, hint: None });
    let would_end = if dry_run { "would end" } else { "ended" };
    let mut done = String::new();
    for ghosts in cleaned.ghosts {
        let name = escape_line(&ghosts.name);
        if !ghosts.found.ended.is_empty() {
            done += &format!("{would_end} what a crash of {name} had left: {}\n", list(&ghosts.found.ended));
        }
        ghosts.remaining().map(|text| escape_line(&text)).into_iter().for_each(warn);
    }
    cleaned.problems.into_iter().for_each(warn);
    for record in &cleaned.forgotten {
        let (name, folder) = (escape_line(&record.name), escape_line(&record.cwd.lossy()));
        done += &format!("{} {name}: its folder {folder} is gone\n", would_forget(dry_run));
    }
    let status = Exit::Code(Kind::Internal.exit_code().into());
    cleaned.failed.iter().for_each(|error| render::error(style, error, status));
    Ok((done, cleaned.failed.is_empty()))
}

fn forget_one(name: &str, dry_run: bool) -> Result<String, Error> {
    let servers = Servers::look()?;
    let record = &servers.meant(Some(name))?.record;
    if servers.registry.is_live(&record.id) {
        return Err(Error::new(Kind::Usage, format!("{} is running", record.name))
            .hint(format!("devrun stop {}", record.id.0)));
    }
    if !dry_run {
        servers.registry.forget(record)?;
    }
    let (name, folder) = (escape_line(&record.name), escape_line(&record.cwd.lossy()));
    Ok(format!("{} {name} in {folder}, which had port {}\n", would_forget(dry_run), record.port))
}

fn would_forget(dry_run: bool) -> &'static str {
    if dry_run { "would forget" } else { "forgot" }
}

fn list(pids: &[u32]) -> String {
    pids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}
