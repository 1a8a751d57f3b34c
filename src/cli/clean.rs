//! `devrun clean`: ends what crashed runs have left, forgets servers whose folder is gone, and says so.
//! A server that runs in a folder that exists is never touched.

use super::escape::escape_line;
use super::ls::print;
use super::render::{self, Style};
use crate::error::Error;
use crate::event::Event;
use crate::plan::Spare;
use crate::registry::{Registry, end_ghosts, is_gone, stop};
use crate::spare;

/// Cleans up, or with `dry_run` says what would be done.
pub(crate) fn run(dry_run: bool, style: Style) -> Result<(), Error> {
    let registry = Registry::open()?;
    let warn = |text| render::event(style, &Event::Warning { text, hint: None });
    let (would_end, would_forget) = if dry_run { ("would end", "would forget") } else { ("ended", "forgot") };
    let spare = spare::list(&Spare::default());
    let mut done = String::new();
    for ghosts in end_ghosts(&registry, &|info| spare.spares_pid(info.pid), dry_run) {
        let name = escape_line(&ghosts.name);
        if !ghosts.ended.is_empty() {
            done += &format!("{would_end} what a crash of {name} had left: {}\n", list(&ghosts.ended));
        }
        if !ghosts.left.is_empty() {
            warn(format!("a crash of {name} left processes that can't be ended: {}", list(&ghosts.left)));
        }
    }
    let (entries, problems) = registry.list();
    problems.into_iter().for_each(warn);
    for entry in entries.iter().filter(|entry| is_gone(&entry.record)) {
        if !dry_run {
            if entry.live {
                stop(&registry, &entry.record)?;
            }
            registry.forget(&entry.record)?;
        }
        let (name, folder) = (escape_line(&entry.record.name), escape_line(&entry.record.cwd.lossy()));
        done += &format!("{would_forget} {name}: its folder {folder} is gone\n");
    }
    print(if done.is_empty() { "nothing to clean\n" } else { &done });
    Ok(())
}

fn list(pids: &[u32]) -> String {
    pids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}
