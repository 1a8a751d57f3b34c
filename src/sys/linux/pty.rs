//! A pseudo-terminal between our terminal and the command's: what is typed goes one way, byte for byte, and what the
//! command makes of its own terminal's modes says what a key means. Nothing here understands what is on the screen.
//!
//! Our terminal is in raw mode for as long as we have its foreground, and left alone otherwise: it is the shell's then.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::pipe::PipeFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use signal_hook::SigId;
use signal_hook::low_level::{pipe, unregister};

use crate::sys::types::Typed;
use crate::sys::unix::{Pipe, SavedTerminal, group, signals};

/// A shell tells nobody when it fetches a job that runs in the background, so that one looks this often.
const LOOK: Duration = Duration::from_millis(250);

/// A pseudo-terminal like ours.
#[derive(Debug)]
pub(crate) struct Pty {
    master: OwnedFd,
    slave: OwnedFd,
    ours: SavedTerminal,
}

impl Pty {
    /// One with the modes and the size of this process's terminal.
    pub(crate) fn open() -> io::Result<Self> {
        let mut ours = SavedTerminal::of_this_process().ok_or(io::ErrorKind::NotFound)?;
        if !ours.is_foreground() {
            ours.assume_sane(); // what it has now is what a shell reads its command line with
        }
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags)?;
        rustix::pty::unlockpt(&master)?;
        let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
        termios::tcsetattr(&slave, OptionalActions::Now, ours.modes())?;
        copy_size(&ours, &master);
        rustix::io::ioctl_fionbio(&master, true)?;
        Ok(Self { master, slave, ours })
    }

    /// Where what the command writes is read.
    pub(crate) fn output(&self) -> io::Result<Pipe> {
        self.master.try_clone()
    }

    /// The command's end.
    pub(crate) fn of_command(&self) -> io::Result<Pipe> {
        self.slave.try_clone()
    }

    /// Our terminal and its modes, for who restores them when we can't.
    pub(crate) fn ours(&self) -> Option<SavedTerminal> {
        self.ours.try_clone().ok()
    }

    /// Passes on what is typed from now on to the command, the leader of a process group on this terminal, and calls
    /// `told` with what we have to know of it.
    pub(crate) fn start(self, leader: u32, told: impl Fn(Typed) + Send + 'static) -> io::Result<Typing> {
        let (woken, wake) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let mut typing = Typing { state: Arc::default(), wake, signals: Vec::new(), thread: None };
        for signal in [libc::SIGWINCH, libc::SIGCONT] {
            typing.signals.push(pipe::register(signal, typing.wake.try_clone()?)?);
        }
        let mut keyboard = Keyboard {
            ours: self.ours,
            master: self.master,
            leader: leader.cast_signed(),
            woken,
            state: Arc::clone(&typing.state),
            told: Box::new(told),
            pending: Vec::new(),
            ended: false,
        };
        keyboard.take_keyboard(); // before anything that the command writes is passed on
        let thread = std::thread::Builder::new().name("keyboard".into()).spawn(move || keyboard.run())?;
        typing.thread = Some(thread);
        Ok(typing)
    }
}

/// What is typed, on its way to the command. Dropping it gives our terminal its modes back.
#[derive(Debug)]
pub(crate) struct Typing {
    state: Arc<State>,
    wake: OwnedFd,
    signals: Vec<SigId>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    /// We have the keyboard, and its keys are no signals to us.
    raw: AtomicBool,
    suspend: AtomicBool,
    released: AtomicBool,
    over: AtomicBool,
}

impl Typing {
    /// Whether keys go to the command: otherwise Ctrl-C is a signal to us.
    pub(crate) fn has_keyboard(&self) -> bool {
        self.state.raw.load(Ordering::Relaxed)
    }

    /// The command was stopped by its terminal: stops our process group, as ours would have. `Typed::Resumed` follows
    /// when it goes on.
    pub(crate) fn suspend(&self) {
        self.state.suspend.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Nothing that is typed from now on is for the command: it stays where it is, for whoever reads our terminal next,
    /// and Ctrl-C is a signal to us.
    pub(crate) fn release(&self) {
        self.state.released.store(true, Ordering::Relaxed);
        self.wake();
    }

    fn wake(&self) {
        let _ = rustix::io::write(&self.wake, &[1]); // full: it is awake
    }
}

impl Drop for Typing {
    fn drop(&mut self) {
        for signal in self.signals.drain(..) {
            unregister(signal);
        }
        self.state.over.store(true, Ordering::Relaxed);
        self.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's side.
struct Keyboard {
    ours: SavedTerminal,
    master: OwnedFd,
    leader: group::Group,
    woken: OwnedFd,
    state: Arc<State>,
    told: Box<dyn Fn(Typed) + Send>,
    /// Typed, and not taken yet.
    pending: Vec<u8>,
    /// Our terminal gives nothing any more.
    ended: bool,
}

impl Keyboard {
    fn run(&mut self) {
        loop {
            let listens = self.state.raw.load(Ordering::Relaxed) && !self.ended;
            // Who does not read is not typed to: what is pending waits, and the next key in our terminal.
            let wants = |wanted, flag| if wanted { flag } else { PollFlags::empty() };
            let mut fds = [
                PollFd::new(&self.woken, PollFlags::IN),
                PollFd::new(&self.ours, wants(listens && self.pending.is_empty(), PollFlags::IN)),
                PollFd::new(&self.master, wants(!self.pending.is_empty(), PollFlags::OUT)),
            ];
            let asked = if listens { 3 } else { 1 }; // a terminal that hung up is always ready
            let looks = !listens && !self.ended && !self.state.released.load(Ordering::Relaxed);
            let patience = looks.then(|| LOOK.try_into().expect("it is short"));
            let _ = rustix::event::poll(&mut fds[..asked], patience.as_ref());
            let [woken, typed, room] = fds.map(|fd| !fd.revents().is_empty());
            if woken {
                let _ = rustix::io::read(&self.woken, &mut [0; 64]);
                if self.state.over.load(Ordering::Relaxed) {
                    return self.ours.leave_raw();
                }
                if self.state.suspend.swap(false, Ordering::Relaxed) {
                    self.stop();
                }
                self.take_keyboard();
            } else if !listens {
                self.take_keyboard();
            } else if typed && self.pending.is_empty() {
                self.read();
            } else if room {
                self.write();
            }
        }
    }

    /// In the foreground the keys are ours to pass on, and the size of our terminal the command's.
    fn take_keyboard(&mut self) {
        let released = self.state.released.load(Ordering::Relaxed);
        let foreground = !released && self.ours.is_foreground();
        if released {
            if self.state.raw.swap(false, Ordering::Relaxed) {
                self.let_go();
            }
        } else if foreground {
            self.ours.enter_raw();
            copy_size(&self.ours, &self.master);
        }
        self.state.raw.store(foreground, Ordering::Relaxed);
    }

    /// A key that came while our terminal was raw is no signal in it, so it is still ours to pass on.
    fn let_go(&mut self) {
        self.ours.leave_raw_input();
        let mut ours = [PollFd::new(&self.ours, PollFlags::IN)];
        if rustix::event::poll(&mut ours, Some(&Duration::ZERO.try_into().expect("it is short"))) == Ok(1) {
            self.read();
        }
    }

    fn read(&mut self) {
        if !self.ours.is_foreground() {
            return self.state.raw.store(false, Ordering::Relaxed); // to read would stop us
        }
        let mut buffer = [0; 4096];
        match rustix::io::read(&self.ours, &mut buffer) {
            Ok(0) => self.ended = true,
            Ok(length) => {
                let signal = self.signal(&buffer[..length]);
                self.pending.extend_from_slice(&buffer[..length]);
                self.write();
                if let Some(signal) = signal {
                    (self.told)(Typed::Signal(signal));
                }
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(_) => self.ended = true,
        }
    }

    /// The signal that the command's terminal makes of these keys, if the command itself is who gets it.
    fn signal(&self, keys: &[u8]) -> Option<i32> {
        let modes = termios::tcgetattr(&self.master).ok()?;
        let signal = signal_of(&modes, keys)?;
        (group::foreground_of(self.master.as_fd()) == Some(self.leader)).then_some(signal)
    }

    fn write(&mut self) {
        match rustix::io::write(&self.master, &self.pending) {
            Ok(length) => drop(self.pending.drain(..length)),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(_) => self.pending.clear(),
        }
    }

    /// Ctrl-Z: our terminal would have stopped the whole group, and whoever started us waits for that. Its modes are
    /// the shell's until the job is fetched again. In a group that can't be stopped all of it goes on at once.
    fn stop(&mut self) {
        self.ours.leave_raw();
        self.state.raw.store(false, Ordering::Relaxed);
        signals::stop_group();
        (self.told)(Typed::Resumed);
    }
}

/// The first interrupt or quit key among these, as termios(3) has it.
fn signal_of(modes: &Termios, keys: &[u8]) -> Option<i32> {
    let is = |key, index| key != 0 && key == modes.special_codes[index]; // 0: there is no such key
    let quotes = modes.local_modes.contains(LocalModes::ICANON | LocalModes::IEXTEN);
    let mut quoted = false;
    for &key in keys.iter().filter(|_| modes.local_modes.contains(LocalModes::ISIG)) {
        if std::mem::take(&mut quoted) {
            continue;
        } else if is(key, SpecialCodeIndex::VINTR) {
            return Some(libc::SIGINT);
        } else if is(key, SpecialCodeIndex::VQUIT) {
            return Some(libc::SIGQUIT);
        }
        quoted = quotes && is(key, SpecialCodeIndex::VLNEXT);
    }
    None
}

fn copy_size(from: &SavedTerminal, to: &OwnedFd) {
    if let Ok(size) = termios::tcgetwinsize(from) {
        let _ = termios::tcsetwinsize(to, size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_signal_only_where_the_modes_say_so() {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        rustix::pty::unlockpt(&master).unwrap();
        let cooked = termios::tcgetattr(&master).unwrap();
        let mut raw = cooked.clone();
        raw.make_raw();
        let mut other_key = cooked.clone();
        other_key.special_codes[SpecialCodeIndex::VINTR] = b'x';
        let mut no_key = cooked.clone();
        no_key.special_codes[SpecialCodeIndex::VINTR] = 0;
        let table = [
            (&cooked, &b"\x03"[..], Some(libc::SIGINT)),
            (&cooked, b"abc\x1c", Some(libc::SIGQUIT)),
            (&cooked, b"abc", None),
            (&cooked, b"\x16\x03", None),
            (&cooked, b"\x16\x16\x03", Some(libc::SIGINT)),
            (&raw, b"\x03", None),
            (&other_key, b"\x03", None),
            (&other_key, b"x", Some(libc::SIGINT)),
            (&no_key, b"\0", None),
        ];
        for (modes, keys, expected) in table {
            assert_eq!(signal_of(modes, keys), expected, "{keys:?}");
        }
    }
}
