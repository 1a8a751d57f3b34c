//! `devrun start`, `stop`, `restart` and `open`: what changes a server. One that fails does not keep the others of
//! the same call from being done.

use std::process::ExitCode;

use super::render::{self, Style};
use super::table::print;
use super::verb::{Servers, note};
use super::{browser, run};
use crate::error::Error;
use crate::event::Event;
use crate::manage;
use crate::registry::Entry;

/// Starts these servers again, side by side; returns when all are ready.
pub(crate) fn start(names: &[String], style: Style) -> Result<ExitCode, Error> {
    let servers = Servers::look()?;
    let meant = servers.all_meant(names)?;
    Ok(each(&meant, style, |entry, say| manage::start(&servers.registry, &entry.record, say).map(drop)))
}

/// Restarts these servers.
pub(crate) fn restart(names: &[String], style: Style) -> Result<ExitCode, Error> {
    let servers = Servers::look()?;
    let meant = servers.all_meant(names)?;
    Ok(each(&meant, style, |entry, say| manage::restart(&servers.registry, &entry.record, say).map(drop)))
}

/// Stops these servers, or all that run; returns when nothing of them is left.
pub(crate) fn stop(names: &[String], all: bool, style: Style) -> Result<ExitCode, Error> {
    let servers = Servers::look()?;
    for text in servers.problems.iter().filter(|_| all) {
        render::event(style, &Event::Warning { text: text.clone(), hint: None });
    }
    let meant = match all {
        true => servers.entries.iter().filter(|entry| entry.live).collect(),
        false => servers.all_meant(names)?,
    };
    if meant.is_empty() {
        note(style, "no server is running".into());
    }
    Ok(each(&meant, style, |entry, say| {
        let name = &entry.record.name;
        let ran = servers.registry.is_live(&entry.record.id);
        manage::stop(&servers.registry, &entry.record)?;
        let text = if ran { format!("{name} stopped") } else { format!("{name} is not running") };
        say(Event::Note { text });
        Ok(())
    }))
}

/// Opens the server in the browser, or prints its URL, once it is ready; starts it if need be.
pub(crate) fn open(name: Option<&str>, only_print: bool, style: Style) -> Result<ExitCode, Error> {
    let servers = Servers::look()?;
    let entry = servers.meant(name)?;
    let mut say = |event: Event| match event {
        // It was not asked whether it runs.
        Event::AlreadyRunning { .. } => {}
        event => render::event(style, &event),
    };
    let url = manage::start(&servers.registry, &entry.record, &mut say)?;
    if only_print {
        print(&format!("{}\n", super::escape::escape_line(&url)));
    } else if browser::open(&url) {
        note(style, format!("opening {url}"));
    } else {
        note(style, format!("no browser was found; open {url}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Does the same with each of these servers at once. The status is that of the first that failed.
fn each(
    entries: &[&Entry],
    style: Style,
    act: impl Fn(&Entry, &mut dyn FnMut(Event)) -> Result<(), Error> + Sync,
) -> ExitCode {
    let act = &act;
    let mut say = move |event: Event| render::event(style, &event);
    let results: Vec<Result<(), Error>> = std::thread::scope(|scope| {
        let threads: Vec<_> = entries.iter().map(|entry| scope.spawn(move || act(entry, &mut say))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut status = ExitCode::SUCCESS;
    for error in results.into_iter().filter_map(Result::err) {
        let failed = run::fail(style, &error);
        if status == ExitCode::SUCCESS {
            status = failed;
        }
    }
    status
}
