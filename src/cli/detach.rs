//! `devrun -d`: waits for the server in the background, and says what is said there. The server is not this
//! process's: it goes on when this one has ended, unless somebody interrupts the wait.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::render::{self, Style};
use super::run::{exit, fail};
use crate::detach::{Failed, Front};
use crate::error::{Error, Kind};
use crate::event::Exit;
use crate::sys;
use crate::sys::process::Process;

/// Starts what this command line asks for in the background, and returns when it is ready.
pub(crate) fn run(style: Style, open: bool) -> ExitCode {
    // Before there is a front: whoever interrupts in between means it too.
    let interrupts = Interrupts::default();
    if let Err(error) = interrupts.listen() {
        return fail(style, &error);
    }
    let started = std::env::current_dir()
        .map_err(|error| Error::new(Kind::Usage, "the current folder is gone").source(error))
        .and_then(|cwd| Front::start(&std::env::args_os().skip(1).collect::<Vec<_>>(), &cwd));
    let front = match started {
        Ok(front) => front,
        Err(error) => return fail(style, &error),
    };
    interrupts.pass_on_to(Process::of_pid(front.pid()).ok().flatten());
    let ended = front.wait_until_ready(&mut |event| render::event(style, &event));
    match (ended, interrupts.signal()) {
        (Ok(ready), 0) => {
            if open {
                super::browser::open(&ready.url);
            }
            ExitCode::SUCCESS
        }
        (Err(Failed { error, exit: how }), 0) => {
            render::error(style, &error, how);
            exit(how)
        }
        (Ok(_) | Err(_), signal) => exit(Exit::Signal(signal)),
    }
}

/// Whoever interrupts the wait wants no server: the front in the background gets the signal too. A hang-up is no
/// such wish. It ends this process only, for a server in the background is to outlive the terminal.
#[derive(Clone, Default)]
struct Interrupts(Arc<Mutex<Interrupted>>);

#[derive(Default)]
struct Interrupted {
    /// The last signal; 0: there was none.
    signal: i32,
    front: Option<Process>,
}

impl Interrupts {
    fn listen(&self) -> Result<(), Error> {
        let this = self.clone();
        sys::on_ending_signals(move |received| {
            if received.is_hang_up() {
                sys::die_of(sys::HANG_UP);
            }
            let mut interrupted = this.lock();
            interrupted.signal = received.signal;
            interrupted.tell_front();
        })
        .map_err(|error| Error::new(Kind::Internal, "signals can't be listened for").source(error))
    }

    /// Also what came before.
    fn pass_on_to(&self, front: Option<Process>) {
        let mut interrupted = self.lock();
        interrupted.front = front;
        interrupted.tell_front();
    }

    fn signal(&self) -> i32 {
        self.lock().signal
    }

    fn lock(&self) -> MutexGuard<'_, Interrupted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Interrupted {
    fn tell_front(&self) {
        if let Some(front) = self.front.as_ref().filter(|_| self.signal != 0) {
            let _ = front.signal(self.signal);
        }
    }
}
