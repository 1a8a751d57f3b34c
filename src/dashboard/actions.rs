//! What can be done with servers from here, in the way that the command line does it. Each call returns when it is
//! done; nothing here knows of requests.

use serde_json::{Value, json};

use super::routes::Action;
use crate::error::{Error, Kind};
use crate::manage;
use crate::plan::ServerId;
use crate::registry::{Ghosts, Registry};

/// Does it. Starting returns when the server is ready, stopping when its tree is empty.
pub(super) fn act(registry: &Registry, action: Action, id: &ServerId) -> Result<(), Error> {
    let entry = registry.entry(id).transpose().map_err(|problem| Error::new(Kind::Internal, problem.text))?;
    let entry = entry.ok_or_else(|| Error::new(Kind::Usage, "the server is not known any more"))?;
    let record = &entry.record;
    // The page sees by itself what happens meanwhile.
    let say = &mut |_| {};
    match action {
        Action::Start => manage::start(registry, record, say).map(drop),
        Action::Restart => manage::restart(registry, record, say).map(drop),
        Action::Stop => manage::stop(registry, record),
        Action::Forget if entry.live => {
            Err(Error::new(Kind::Usage, format!("{} is running", record.name)).hint("stop it first"))
        }
        Action::Forget => registry.forget(record),
    }
}

/// Stops all that run; the failure of one does not keep the others running.
pub(super) fn stop_all(registry: &Registry) -> Value {
    let (entries, _) = registry.list();
    let results = std::thread::scope(|scope| {
        let stop = |entry| scope.spawn(move || manage::stop(registry, entry));
        let running: Vec<_> =
            entries.iter().filter(|entry| entry.live).map(|entry| (entry, stop(&entry.record))).collect();
        running
            .into_iter()
            .map(|(entry, stopping)| (entry.record.name.clone(), stopping.join().ok()))
            .collect::<Vec<_>>()
    });
    let (mut stopped, mut failed) = (Vec::new(), Vec::new());
    for (name, result) in results {
        match result {
            Some(Ok(())) => stopped.push(name),
            Some(Err(error)) => failed.push(error.to_string()),
            None => failed.push(format!("{name} could not be stopped")),
        }
    }
    json!({ "stopped": stopped, "failed": failed })
}

/// Ends what crashed runs have left, forgets the servers whose folder is gone.
pub(super) fn clean(registry: &Registry) -> Value {
    let cleaned = manage::clean(registry, false);
    let ended: Vec<u32> = cleaned.ghosts.iter().flat_map(|ghosts| ghosts.found.ended.clone()).collect();
    let left = cleaned.ghosts.iter().filter_map(Ghosts::remaining);
    let failed: Vec<String> = left.chain(cleaned.failed.iter().map(Error::to_string)).collect();
    let forgotten: Vec<String> = cleaned.forgotten.into_iter().map(|record| record.name).collect();
    json!({ "ended_pids": ended, "forgotten": forgotten, "failed": failed })
}
