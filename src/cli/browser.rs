//! Opening the user's browser. It is the user's: it never belongs to the tree of a server.

use crate::sys;

/// Asks the system to show this URL; a system without a browser is no error.
pub(crate) fn open(url: &str) {
    for (program, args) in sys::URL_OPENERS {
        if which::which(program).is_ok() {
            let started = sys::start_apart(program, args.iter().copied().chain([url]));
            tracing::info!(target: "devrun::browser", program, ?started);
            return;
        }
    }
}
