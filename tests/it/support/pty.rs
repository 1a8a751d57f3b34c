//! A program in a session of its own with a real controlling terminal, at whose keyboard the test sits.

use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcgetpgrp, tcsetwinsize};

use super::{Ended, SOON, Scratch, eventually, retry};

pub struct Pty {
    master: Option<Arc<OwnedFd>>,
    screen: Arc<Mutex<Vec<u8>>>,
    quit: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    pub child: Child,
}

impl Pty {
    /// Runs `program args` there as the session's leader.
    pub fn spawn(scratch: &Scratch, argv: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let slave = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        resize(&master, 80);
        // setsid(1) does what only unsafe code between fork and exec could do here.
        let mut command: Command = scratch.command("setsid");
        command.arg("--ctty").args(argv).env("TERM", "xterm").env("PS1", "$ ").env("HISTFILE", "/dev/null");
        let open = || {
            let flags = OFlags::NOCTTY.bits() as i32;
            OpenOptions::new().read(true).write(true).custom_flags(flags).open(&slave).unwrap()
        };
        let child = command.stdin(open()).stdout(open()).stderr(open()).spawn().unwrap();
        let master = Arc::new(master);
        let (screen, quit) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let reader = Some(read(Arc::clone(&master), Arc::clone(&screen), Arc::clone(&quit)));
        Self { master: Some(master), screen, quit, reader, child }
    }

    /// An interactive bash.
    pub fn bash(scratch: &Scratch) -> Self {
        let pty = Self::spawn(scratch, &["bash", "--norc", "--noprofile", "--noediting", "-i"]);
        pty.type_in("PS1='prompt> '\n");
        pty.shows("prompt> ");
        pty
    }

    pub fn type_in(&self, keys: &str) {
        rustix::io::write(self.master(), keys.as_bytes()).unwrap();
    }

    pub fn resize(&self, columns: u16) {
        resize(self.master(), columns);
    }

    /// Whether the terminal echoes what is typed and reads by lines.
    pub fn is_sane(&self) -> bool {
        let modes = tcgetattr(self.master()).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    /// Waits until this process's group is the one that the keyboard talks to.
    #[track_caller]
    #[allow(clippy::disallowed_methods, reason = "made in this pid namespace")]
    pub fn is_foreground(&self, pid: u32) {
        let group = rustix::process::getpgid(rustix::process::Pid::from_raw(pid as i32)).unwrap();
        eventually(SOON, || match tcgetpgrp(self.master()) {
            Ok(foreground) if foreground == group => Ok(()),
            other => Err(format!("foreground {other:?}, not {group:?}; screen:\n{}", self.screen())),
        });
    }

    /// Waits until the shell that was started here has the keyboard again: what is typed before that is another's.
    #[track_caller]
    pub fn is_back(&self) {
        self.is_foreground(self.child.id());
    }

    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits until the text is on the screen.
    #[track_caller]
    pub fn shows(&self, text: &str) {
        self.shows_times(text, 1);
    }

    #[track_caller]
    pub fn shows_times(&self, text: &str, times: usize) {
        eventually(SOON, || {
            let screen = self.screen();
            match screen.matches(text).count() >= times {
                true => Ok(()),
                false => Err(format!("no {text:?} x {times} on the screen:\n{screen}")),
            }
        });
    }

    /// Closes the terminal, as its window's close button does.
    pub fn close(&mut self) {
        self.quit.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        self.master = None;
    }

    pub fn ended(&mut self, limit: Duration) -> Result<Ended, String> {
        retry(limit, || match self.child.try_wait().unwrap() {
            Some(status) => Ok(status.into()),
            None => Err(format!("still running; screen:\n{}", self.screen())),
        })
    }

    fn master(&self) -> &OwnedFd {
        self.master.as_deref().expect("the terminal is open")
    }
}

fn resize(master: &OwnedFd, columns: u16) {
    tcsetwinsize(master, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
}

/// Collects what appears. Polls with a short timeout, so that `close` really closes the last handle.
fn read(master: Arc<OwnedFd>, screen: Arc<Mutex<Vec<u8>>>, quit: Arc<AtomicBool>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        let patience = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
        while !quit.load(Ordering::Relaxed) {
            match poll(&mut [PollFd::new(&*master, PollFlags::IN)], Some(&patience)) {
                Ok(0) => continue,
                Ok(_) => match rustix::io::read(&*master, &mut buffer) {
                    Ok(count @ 1..) => screen.lock().unwrap().extend_from_slice(&buffer[..count]),
                    // Nobody has the terminal open just now; somebody may again.
                    Ok(0) | Err(_) => std::thread::sleep(Duration::from_millis(5)),
                },
                Err(_) => {}
            }
        }
    })
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.close();
    }
}
