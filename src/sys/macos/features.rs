//! What this system offers of that on which devrun relies, for `devrun doctor`. It only looks.

use super::process::Process;

/// Whether the environment of other processes can be read.
pub(crate) const SEES_ENVIRONMENTS: bool = true;

/// Each feature with what it is good for, or what is lost without it.
pub(crate) fn features() -> Vec<(&'static str, Result<String, String>)> {
    let own = Process::of_pid(std::process::id()).ok().flatten();
    let unique = match own.is_some_and(|own| own.identity().inode.is_some()) {
        true => Ok("processes have numbers that are never given twice".to_string()),
        false => Err("processes are known by their number and start time alone".to_string()),
    };
    vec![("unique ids", unique), ("guard", Ok("what a killed devrun leaves is ended at once".into()))]
}
