//! What devrun remembers: one record for each server, who holds which port, and what a crashed run has left.
//! No value of an environment variable is ever written, and no lock file is ever unlinked.

mod claim;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod ghosts;
mod gone;
mod holder;
mod hunt;
mod record;
mod redact;
mod stop;
mod store;
mod text;
mod whole;

#[cfg(feature = "dashboard")]
pub(crate) use claim::remove_unfinished;
pub(crate) use claim::{Claim, Claiming, new_run_id};
pub(crate) use ghosts::{Ghosts, end_ghosts};
pub(crate) use gone::{is_gone, sweep};
pub(crate) use holder::{Holder, SUSPENDED, holder_state, is_suspended};
pub(crate) use hunt::end_run;
pub(crate) use record::{Phase, Record, RecordedExit, now_ms};
pub(crate) use redact::redacted;
pub(crate) use stop::stop;
#[cfg(feature = "dashboard")]
pub(crate) use store::server_id;
#[cfg(test)]
pub(crate) use store::tests::record as test_record;
pub(crate) use store::{Entry, Registry};
pub(crate) use text::Text;
#[cfg(feature = "dashboard")]
pub(crate) use whole::{read_bounded, replace};
