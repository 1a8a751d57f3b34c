//! What a session has to tell. Only words: nothing is decided here.

use crate::event::Event;
use crate::plan::Plan;
use crate::ports::Leases;
use crate::registry::{Record, Registry, end_ghosts};
use crate::spare;

pub(super) fn warn(say: &mut dyn FnMut(Event), text: &str) {
    say(Event::Warning { text: text.to_string(), hint: None });
}

pub(super) fn ghosts(registry: &Registry, plan: &Plan, say: &mut dyn FnMut(Event)) {
    let spare = spare::list(&plan.spare);
    for ghosts in end_ghosts(registry, &|info| spare.spares_pid(info.pid), false) {
        if !ghosts.ended.is_empty() {
            say(Event::GhostsEnded { name: ghosts.name.clone(), pids: ghosts.ended });
        }
        if !ghosts.left.is_empty() {
            let pids: Vec<String> = ghosts.left.iter().map(u32::to_string).collect();
            warn(
                say,
                &format!(
                    "a crash of {} left processes that can't be ended: {}",
                    ghosts.name,
                    pids.join(", ")
                ),
            );
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
