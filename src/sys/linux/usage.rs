//! What a process costs, from /proc. It only reads.

use std::fs;
use std::time::Duration;

use super::stat::Stat;
use crate::sys::types::Usage;

/// What the process that has this pid now costs.
pub(crate) fn usage(pid: u32) -> Option<Usage> {
    let stat = Stat::read(pid)?;
    let pages = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let mut pages = pages.split_ascii_whitespace().skip(1).map_while(|count| count.parse::<u64>().ok());
    let (resident, shared) = (pages.next()?, pages.next()?);
    Some(Usage {
        cpu: Duration::from_millis(stat.ticks * 1000 / rustix::param::clock_ticks_per_second()),
        memory_bytes: resident.saturating_sub(shared) * rustix::param::page_size() as u64,
    })
}
