//! What the sub-commands share: the servers that are known, the one that is meant, and how to talk about it.

use std::path::PathBuf;
use std::process::ExitCode;

use super::args::{Talk, Verb};
use super::render::{self, Style};
use super::{act, ask, clean, completions, doctor, logs, ls, man, status, tauri, who};
use crate::error::Error;
use crate::event::Event;
use crate::manage;
use crate::registry::{Entry, Registry};

/// Does what the sub-command says; its exit status.
pub(crate) fn run(verb: Verb) -> Result<ExitCode, Error> {
    let plain = Style::new(false, false);
    let style = |talk: Talk| Style::new(talk.json, talk.quiet);
    match verb {
        Verb::Ls { json, all } => ls::run(json, all, plain),
        Verb::Status { name, json } => status::run(name.as_deref(), json),
        Verb::Start { names, talk } => act::start(&names, style(talk)),
        Verb::Stop { names, all, talk } => act::stop(&names, all, style(talk)),
        Verb::Restart { names, talk } => act::restart(&names, style(talk)),
        Verb::Open { name, print, talk } => act::open(name.as_deref(), print, style(talk)),
        Verb::Logs { name, follow, lines, since } => {
            logs::run(name.as_deref(), &logs::Wish { follow, lines, since }, plain)
        }
        Verb::Wait { name, timeout, talk } => ask::wait(name.as_deref(), timeout, style(talk)),
        Verb::Url { name } => ask::url(name.as_deref()),
        Verb::Events { name } => ask::events(name.as_deref()),
        Verb::Who { port, json } => who::run(port, json, plain),
        Verb::Clean { dry_run, forget } => clean::run(dry_run, forget.as_deref(), plain),
        Verb::Tauri { args } => Ok(tauri::run(&args)),
        Verb::Doctor { serve: true, .. } => Ok(doctor::serve()),
        Verb::Doctor { json, serve: false } => Ok(doctor::run(json, plain)),
        #[cfg(feature = "dashboard")]
        Verb::Dashboard(wish) => super::dashboard::run(wish, plain),
        Verb::Completions { shell } => completions::write(shell),
        Verb::Man => {
            // A reader that leaves early has seen enough.
            let _ = man::write(&mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What was known at one moment.
pub(crate) struct Servers {
    pub(crate) registry: Registry,
    pub(crate) entries: Vec<Entry>,
    /// What is wrong with further ones.
    pub(crate) problems: Vec<String>,
    here: Option<PathBuf>,
}

impl Servers {
    /// Looks. Records that can't be used are told of where they matter: what is meant is not among the others.
    pub(crate) fn look() -> Result<Self, Error> {
        let registry = Registry::open()?;
        let (entries, problems) = registry.list();
        Ok(Self { registry, entries, problems, here: std::env::current_dir().ok() })
    }

    /// The server of this name, or this folder's.
    pub(crate) fn meant(&self, name: Option<&str>) -> Result<&Entry, Error> {
        let meant = manage::meant(&self.entries, name, self.here.as_deref());
        meant.map_err(|error| match self.problems.first() {
            Some(problem) if error.why().is_none() => error.cause(problem),
            Some(_) | None => error,
        })
    }

    /// Whether one that runs could be meant.
    pub(crate) fn fits_one_that_runs(&self, name: Option<&str>) -> bool {
        manage::fits_one_that_runs(&self.entries, name, self.here.as_deref())
    }

    /// Those of these names, or this folder's; each once. All names are looked up before anything is done.
    pub(crate) fn all_meant(&self, names: &[String]) -> Result<Vec<&Entry>, Error> {
        if names.is_empty() {
            return Ok(vec![self.meant(None)?]);
        }
        let mut found: Vec<&Entry> =
            names.iter().map(|name| self.meant(Some(name))).collect::<Result<_, _>>()?;
        let mut seen = std::collections::BTreeSet::new();
        found.retain(|entry| seen.insert(&entry.record.id));
        Ok(found)
    }
}

/// Says one sentence.
pub(crate) fn note(style: Style, text: String) {
    render::event(style, &Event::Note { text });
}
