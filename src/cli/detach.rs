//! `devrun -d`: waits for the server in the background, and says what is said there. The server is not this
//! process's: it goes on when this one has ended, unless somebody interrupts the wait.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use super::render::{self, Style};
use super::run::{exit, fail};
use crate::detach::{Failed, Front};
use crate::error::{Error, Kind};
use crate::event::Exit;
use crate::sys;
use crate::sys::process::Process;

/// Starts what this command line asks for in the background, and returns when it is ready.
pub(crate) fn run(style: Style, open: bool) -> ExitCode {
    let started = std::env::current_dir()
        .map_err(|error| Error::new(Kind::Usage, "the current folder is gone").source(error))
        .and_then(|cwd| Front::start(&std::env::args_os().skip(1).collect::<Vec<_>>(), &cwd));
    let front = match started {
        Ok(front) => front,
        Err(error) => return fail(style, &error),
    };
    let interrupted = Arc::new(AtomicI32::new(0));
    if let Err(error) = pass_on_interrupts(front.pid(), Arc::clone(&interrupted)) {
        return fail(style, &error);
    }
    let ended = front.wait_until_ready(&mut |event| render::event(style, &event));
    match (ended, interrupted.load(Ordering::Relaxed)) {
        (Ok(ready), 0) => {
            if open {
                super::browser::open(&ready.url);
            }
            ExitCode::SUCCESS
        }
        (Err(Failed { error, exit: how }), 0) => {
            render::error(style, &error);
            exit(how)
        }
        (Ok(_) | Err(_), signal) => exit(Exit::Signal(signal)),
    }
}

/// Whoever interrupts the wait wants no server: the front in the background gets the signal too. A hang-up is no
/// such wish. It ends this process only, for a server in the background is to outlive the terminal.
fn pass_on_interrupts(front: u32, interrupted: Arc<AtomicI32>) -> Result<(), Error> {
    let failed = |error| Error::new(Kind::Internal, "signals can't be listened for").source(error);
    let front = Process::of_pid(front).map_err(failed)?;
    sys::on_ending_signals(move |received| {
        if received.is_hang_up() {
            sys::die_of(sys::HANG_UP);
        }
        interrupted.store(received.signal, Ordering::Relaxed);
        if let Some(front) = &front {
            let _ = front.signal(received.signal);
        }
    })
    .map_err(failed)
}
