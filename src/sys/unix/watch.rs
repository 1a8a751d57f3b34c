//! Waiting for the end of processes that are none of our children: a `Process` has a descriptor that is readable
//! once it has exited. Nothing here polls.
#![allow(unsafe_code)]

use std::os::fd::AsFd;
use std::task::Poll;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::sys::process::Process;

/// The pid of the first of these processes to end; for ever without any. Must run in a tokio runtime with I/O.
pub(crate) async fn first_to_end(processes: &[Process]) -> u32 {
    let watched: Vec<_> = processes
        .iter()
        .filter_map(|process| {
            // SAFETY: the pidfd is borrowed for longer than it is registered, and nobody replaces it.
            let pidfd =
                unsafe { AsyncFd::register_with_interest(process.as_fd(), Interest::READABLE) }.ok()?;
            Some((process.identity().pid, pidfd))
        })
        .collect();
    std::future::poll_fn(|context| {
        let ended = watched.iter().find(|(_, pidfd)| pidfd.poll_read_ready(context).is_ready());
        ended.map_or(Poll::Pending, |(pid, _)| Poll::Ready(*pid))
    })
    .await
}
