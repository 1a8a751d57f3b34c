//! A server as data for programs, the same in `ls --json`, `status --json` and the dashboard. Fields are added and
//! never renamed; `docs/json.md` says what each means.

use serde_json::{Value, json};

use crate::registry::Entry;

/// All that is known of a server but the identities of its processes.
pub(crate) fn as_json(entry: &Entry) -> Value {
    let record = &entry.record;
    let words = |list: &[crate::registry::Text]| -> Vec<String> {
        list.iter().map(|text| text.lossy().into_owned()).collect()
    };
    json!({
        "id": record.id,
        "name": record.name,
        "state": entry.phase().word(),
        "running": entry.live,
        "healthy": record.healthy.filter(|_| entry.live),
        "reason": record.reason,
        "url": record.url,
        "port": record.port,
        "extra_ports": record.extra_ports,
        "pid": record.leader.filter(|_| entry.live).map(|leader| leader.pid),
        "devrun_pid": record.front.filter(|_| entry.live).map(|front| front.pid),
        "cwd": record.cwd.lossy(),
        "branch": record.branch,
        "argv": words(&record.argv),
        "options": words(&record.options),
        "redacted": record.redacted,
        "detached": record.detached,
        "hosted": record.hosted,
        "started_at_ms": record.started_at,
        "changed_at_ms": record.changed_at,
        "ready_ms": record.ready_ms,
        "startups_ms": record.startups,
        "restarts": record.restarts,
        "next_start_at_ms": record.next_start_at.filter(|_| entry.live),
        "stop_timeout_ms": record.stop_ms,
        "exit": record.exit,
    })
}
