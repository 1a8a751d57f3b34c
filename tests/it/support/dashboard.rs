//! A running dashboard, and raw requests to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{Running, SOON, Scratch, eventually};

pub struct Dashboard {
    pub run: Running,
    pub port: u16,
    pub token: String,
}

/// An answer as it came.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let line = |line: &str| line.to_lowercase().starts_with(&format!("{name}:"));
        self.head.lines().find(|found| line(found)).map(|line| line[name.len() + 1..].trim())
    }
}

impl Dashboard {
    #[track_caller]
    pub fn start(scratch: &Scratch) -> Self {
        Self::of(scratch, scratch.devrun([] as [&str; 0]))
    }

    /// That of this devrun.
    #[track_caller]
    pub fn of(scratch: &Scratch, mut devrun: Command) -> Self {
        // Not a port that a developer's own dashboard may have.
        let port = super::free_port();
        devrun.args(["dashboard", "--port", &port.to_string()]);
        let run = Running::spawn(devrun);
        eventually(SOON, || match run.stdout().contains("#open=") {
            true => Ok(()),
            false => Err(format!("no address on stdout: {}{}", run.stdout(), run.stderr())),
        });
        let note = std::fs::read_to_string(scratch.state().join("dashboard.json")).unwrap();
        let note: Value = serde_json::from_str(&note).unwrap();
        Self { run, port, token: note["token"].as_str().unwrap().to_string() }
    }

    /// The address that lets a browser in.
    pub fn address(&self) -> String {
        self.run.stdout().lines().next().unwrap().to_string()
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream
    }

    /// Sends these lines of a head and this body as they stand, with the token and the right host.
    #[track_caller]
    pub fn ask(&self, line: &str, headers: &str, body: &str) -> Reply {
        let own = format!("Host: {}\r\nAuthorization: Bearer {}\r\n", self.host(), self.token);
        self.ask_raw(line, &format!("{own}{headers}"), body)
    }

    /// The same with nothing added but the length.
    #[track_caller]
    pub fn ask_raw(&self, line: &str, headers: &str, body: &str) -> Reply {
        let mut stream = self.connect();
        let length = body.len();
        let head =
            format!("{line} HTTP/1.1\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        // Who refuses a body does not wait for it.
        let _ = stream.write_all(body.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        parse(&String::from_utf8_lossy(&answer))
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let reply = self.ask(&format!("GET {path}"), "", "");
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()
    }

    /// The one server of this name, once this holds for it.
    #[track_caller]
    pub fn server(&self, limit: Duration, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        eventually(limit, || {
            let all = self.get("/api/servers");
            let found = all["servers"].as_array().unwrap().iter().find(|server| server["name"] == name);
            found.filter(|server| holds(server)).cloned().ok_or(format!("{all}"))
        })
    }

    /// The stream of this path, begun.
    #[track_caller]
    pub fn stream(&self, path: &str, headers: &str) -> TcpStream {
        let mut stream = self.connect();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n{headers}\r\n",
            self.host(),
            self.token
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    }
}

#[track_caller]
fn parse(answer: &str) -> Reply {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Reply {
        status: status.unwrap_or_else(|| panic!("no status: {answer:?}")),
        head: head.to_string(),
        body: body.to_string(),
    }
}

/// The events of a stream, one after the other.
pub struct Events(BufReader<TcpStream>);

impl Events {
    pub fn open(dashboard: &Dashboard, path: &str, headers: &str) -> Self {
        let mut events = Self(BufReader::new(dashboard.stream(path, headers)));
        assert!(events.line().contains("200"), "{path}");
        events
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line in time");
        line.trim_end().to_string()
    }

    /// Name, id and data of the next one.
    #[allow(clippy::should_implement_trait)] // it waits, and never ends
    pub fn next(&mut self) -> (String, Option<String>, Value) {
        let (mut name, mut id) = (None, None);
        loop {
            let line = self.line();
            if let Some(found) = line.strip_prefix("event: ") {
                name = Some(found.to_string());
            } else if let Some(found) = line.strip_prefix("id: ") {
                id = Some(found.to_string());
            } else if let Some(data) = line.strip_prefix("data: ") {
                return (name.expect("named"), id, serde_json::from_str(data).expect("JSON"));
            }
        }
    }

    /// The next one of this name for which this holds.
    pub fn until(&mut self, wanted: &str, holds: impl Fn(&Value) -> bool) -> (Option<String>, Value) {
        loop {
            let (name, id, data) = self.next();
            if name == wanted && holds(&data) {
                return (id, data);
            }
        }
    }
}

/// The record in this folder of a server.
pub fn record_of(folder: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join("server.json")).unwrap()).unwrap()
}

/// Replaces the record as devrun does.
pub fn replace_record(folder: &Path, text: &str) {
    std::fs::write(folder.join("new"), text).unwrap();
    std::fs::rename(folder.join("new"), folder.join("server.json")).unwrap();
}
