//! How people get in: the token, the codes that are exchanged for it once, and the note by which a second call finds
//! the dashboard that runs. The token is in no argument, no URL and no answer but the cookie.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::guard::same;
use crate::error::{Error, Kind};
use crate::registry::{Registry, read_bounded, remove_unfinished, replace};
use crate::sys::files::{Access, open_regular};
use crate::sys::lock;
use crate::sys::process::{self, Identity, Process};

/// More codes than this are not out at once; the oldest is void then.
const CODES: usize = 16;
/// What a dashboard may take to answer for another call of devrun.
const PATIENCE: Duration = Duration::from_secs(5);

const NOTE: &str = "dashboard.json";
const LOCK: &str = "dashboard.lock";
const HANDOVER: &str = "dashboard-open.html";

/// What is written down of the dashboard. The token outlives it, so that open pages and tools find in again.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    version: u32,
    token: String,
    port: u16,
    process: Option<Identity>,
}

/// The door of the dashboard that this process is.
#[derive(Debug)]
pub(super) struct Door {
    registry: Registry,
    token: String,
    codes: Mutex<Vec<String>>,
    /// Held for as long as the dashboard runs.
    _lock: File,
}

/// A URL that lets one browser in, once.
#[derive(Debug)]
pub(crate) struct Invitation {
    pub(crate) url: String,
    registry: Registry,
}

impl Door {
    /// The door, unless another dashboard of this user has it.
    pub(super) fn take(registry: &Registry) -> Result<Option<Self>, Error> {
        let failed = |e: std::io::Error| {
            Error::new(Kind::Internal, "the dashboard's files can't be written").source(e)
        };
        let lock = open_regular(&registry.file(LOCK), Access::Write).map_err(failed)?;
        if !lock::try_lock(&lock).map_err(failed)? {
            return Ok(None);
        }
        remove_unfinished(registry.root());
        let kept = read_note(registry).map(|note| note.token).filter(|token| is_secret(token));
        let token = match kept {
            Some(token) => token,
            None => secret()?,
        };
        Ok(Some(Self { registry: registry.clone(), token, codes: Mutex::default(), _lock: lock }))
    }

    /// Tells other calls of devrun where it is.
    pub(super) fn announce(&self, port: u16) -> Result<(), Error> {
        let process = process::identity(std::process::id());
        let note = Note { version: 1, token: self.token.clone(), port, process };
        write(&self.registry, NOTE, &serde_json::to_vec(&note).expect("plain fields"))
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// A new code.
    pub(super) fn code(&self) -> Result<String, Error> {
        let code = secret()?;
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        if codes.len() == CODES {
            codes.remove(0);
        }
        codes.push(code.clone());
        Ok(code)
    }

    /// Whether the code lets in; it does so once.
    pub(super) fn admits(&self, given: &str) -> bool {
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        let found = codes.iter().position(|code| same(given, code));
        found.map(|at| codes.remove(at)).is_some()
    }

    pub(super) fn invite(&self, port: u16) -> Result<Invitation, Error> {
        Ok(Invitation { url: url(port, &self.code()?), registry: self.registry.clone() })
    }
}

impl Drop for Door {
    /// Nothing that lets in stays behind but the token.
    fn drop(&mut self) {
        let _ = fs::remove_file(self.registry.file(HANDOVER));
    }
}

impl Invitation {
    /// A page of this user's that leads there. Arguments of a browser are seen by everybody on the machine, the page
    /// is not.
    pub(crate) fn as_file(&self) -> Result<PathBuf, Error> {
        let page = format!(
            "<!doctype html><meta charset=utf-8><title>devrun</title>\
             <meta http-equiv=refresh content=\"0;url={}\">\n",
            self.url
        );
        write(&self.registry, HANDOVER, page.as_bytes())?;
        Ok(self.registry.file(HANDOVER))
    }
}

/// An invitation to the dashboard of this user that runs, if one does.
pub(crate) fn invitation(registry: &Registry) -> Result<Option<Invitation>, Error> {
    let locked = || {
        let file = open_regular(&registry.file(LOCK), Access::Read).ok()?;
        lock::is_locked(&file).ok().filter(|locked| *locked)
    };
    let deadline = std::time::Instant::now() + PATIENCE;
    while locked().is_some() {
        // The token goes to nobody but the process that wrote the note, on the port that it has.
        let note = read_note(registry).filter(|note| {
            note.process
                .is_some_and(|process| matches!(Process::open(&process), Ok(Some(found)) if found.is_alive()))
        });
        if let Some(note) = note {
            let code = ask_for_code(&note).map_err(|cause| {
                Error::new(Kind::Internal, "the dashboard that runs does not answer")
                    .cause(cause)
                    .hint(format!("end its process, {}", note.process.map_or(0, |process| process.pid)))
            })?;
            return Ok(Some(Invitation { url: url(note.port, &code), registry: registry.clone() }));
        }
        if std::time::Instant::now() > deadline {
            return Err(Error::new(Kind::Internal, "a dashboard runs and has not said where"));
        }
        // It is only just starting.
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(None)
}

/// One request of HTTP, by hand: the other side is devrun.
fn ask_for_code(note: &Note) -> Result<String, String> {
    let text = |e: std::io::Error| e.to_string();
    let address = SocketAddr::from(([127, 0, 0, 1], note.port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(text)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
    let request = format!(
        "POST /api/codes HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n",
        note.port, note.token
    );
    stream.write_all(request.as_bytes()).map_err(text)?;
    let mut answer = String::new();
    stream.take(16 * 1024).read_to_string(&mut answer).map_err(text)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer that is none")?;
    let code = serde_json::from_str::<serde_json::Value>(body).ok();
    let code = code.and_then(|body| Some(body["code"].as_str()?.to_string()));
    code.ok_or_else(|| head.lines().next().unwrap_or_default().to_string())
}

fn url(port: u16, code: &str) -> String {
    // Behind the `#` it is sent to nobody by itself.
    format!("http://127.0.0.1:{port}/#open={code}")
}

fn read_note(registry: &Registry) -> Option<Note> {
    serde_json::from_slice(&read_bounded(&registry.file(NOTE)).ok()?).ok()
}

fn write(registry: &Registry, name: &str, content: &[u8]) -> Result<(), Error> {
    let path = registry.file(name);
    replace(registry.root(), &path, content)
        .map_err(|e| Error::new(Kind::Internal, format!("{} can't be written", path.display())).source(e))
}

/// 256 bits that nobody guesses, in hex.
fn secret() -> Result<String, Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::new(Kind::Internal, "the system has no random numbers").cause(e.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn is_secret(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test_registry() -> (tempfile::TempDir, Registry) {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::at(&folder.path().join("state")).unwrap();
        (folder, registry)
    }

    #[test]
    fn there_is_one_and_its_token_outlives_it() {
        let (_folder, registry) = test_registry();
        let door = Door::take(&registry).unwrap().unwrap();
        assert!(Door::take(&registry).unwrap().is_none());
        door.announce(8069).unwrap();
        let token = door.token().to_string();
        assert!(is_secret(&token));
        drop(door);
        crate::testing::eventually("the lock is free", || invitation(&registry).unwrap().is_none());
        let again = Door::take(&registry).unwrap().unwrap();
        assert_eq!(again.token(), token);
        drop(again);
        // As of one that was killed while it wrote.
        let unfinished = registry.root().join(".server.json.x");
        fs::write(&unfinished, "").unwrap();
        fs::write(registry.file(NOTE), r#"{"version":1,"token":"","port":1,"process":null}"#).unwrap();
        let mut new = None;
        crate::testing::eventually("the lock is free", || {
            new = Door::take(&registry).unwrap();
            new.is_some()
        });
        assert!(is_secret(new.unwrap().token()), "an empty token is none");
        assert!(!unfinished.exists());
    }

    #[test]
    fn a_code_lets_in_once_and_old_ones_are_void() {
        let (_folder, registry) = test_registry();
        let door = Door::take(&registry).unwrap().unwrap();
        let code = door.code().unwrap();
        assert!(!door.admits("") && !door.admits(&code[1..]));
        assert!(door.admits(&code) && !door.admits(&code));
        let old = door.code().unwrap();
        let newer: Vec<_> = (0..CODES).map(|_| door.code().unwrap()).collect();
        assert!(!door.admits(&old) && newer.iter().all(|code| door.admits(code)));
    }
}
