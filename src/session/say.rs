//! What a session has to tell. Only words: nothing is decided here.

use crate::event::Event;
use crate::ports::Leases;
use crate::registry::{Record, Registry, end_ghosts};

pub(super) fn warn(say: &mut dyn FnMut(Event), text: &str) {
    say(Event::Warning { text: text.to_string(), hint: None });
}

pub(super) fn ghosts(registry: &Registry, say: &mut dyn FnMut(Event)) {
    for ghosts in end_ghosts(registry, false) {
        // Every start looks for them; the first one says so, and `devrun clean`.
        if let Some(text) = ghosts.remaining().filter(|_| !ghosts.again) {
            warn(say, &text);
        }
        if !ghosts.found.ended.is_empty() {
            say(Event::GhostsEnded { name: ghosts.name, pids: ghosts.found.ended });
        }
    }
}

pub(super) fn busy(leases: &Leases, say: &mut dyn FnMut(Event)) {
    if let Some(busy) = &leases.busy {
        say(Event::PortBusy { wanted: busy.wanted, got: leases.main.port(), holder: busy.holder.clone() });
    }
}

pub(super) fn forgotten(records: impl Iterator<Item = Record>, say: &mut dyn FnMut(Event)) {
    for record in records {
        let text = format!("forgot {}: its folder {} is gone", record.name, record.cwd.lossy());
        say(Event::Note { text });
    }
}
