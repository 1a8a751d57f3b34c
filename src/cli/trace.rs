//! What devrun does, for those who look for a fault: tracing on stderr. Off unless asked for.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

use super::stderr::Stderr;

/// Starts tracing if `-v` or the variable DEVRUN_LOG asks for it. DEVRUN_LOG takes `debug`, or targets as in
/// `devrun::attempt=debug,devrun::ready=trace`; a filter that can't be read counts as `info`.
pub(crate) fn start(verbose: bool) {
    let filter = match std::env::var("DEVRUN_LOG") {
        Ok(filter) if !filter.is_empty() => {
            filter.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO))
        }
        _ if verbose => Targets::new().with_target("devrun", LevelFilter::DEBUG),
        _ => return,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(Stderr::default).with_ansi(false).without_time();
    // Nobody may be there any more to read it.
    let lines = lines.log_internal_errors(false);
    let subscriber = tracing_subscriber::registry().with(lines).with(filter);
    // Only a program that links devrun as a library and calls its main can have one already.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
