//! Looks at one simple command: through its wrappers (`env`, `npx`, `python -m`, ...) to the program, to the known
//! server, to the port written in it, and what to change to give it another. Nothing here knows about npm scripts.

use std::ops::Range;

use super::Port;
use super::frameworks::{self, Role, Server, has_flag};

/// The address that servers are told to listen on.
pub(crate) const HOST: &str = "127.0.0.1";

/// What was seen in one simple command. A word that is not UTF-8 is `None`; `$` in a
/// word stands for what only the shell knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    /// The known server or runner.
    pub(crate) server: Option<&'static Server>,
    /// The word that names the program, and its name without folder and ending; `None` for a bare `A=1`.
    pub(crate) program: Option<(usize, String)>,
    /// A devrun in between: it does its own injecting.
    pub(crate) nested: bool,
    /// Ports written in it: in a flag, or as `PORT=3000` before the program.
    pub(crate) spots: Vec<Spot>,
    /// A port flag is there, with a number or not.
    flagged: bool,
    /// Before which word flags go, and where the arguments of the program end (at `--` or the end).
    insert: usize,
    args: Range<usize>,
}

/// A port written in a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    word: usize,
    /// The word before the number.
    head: String,
    pub(crate) port: Port,
}

/// A change to the words of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    /// These words go before the word with this index.
    Insert(usize, Vec<String>),
    /// The word with this index becomes this one.
    Replace(usize, String),
}

/// Looks at a command.
pub(crate) fn look(words: &[Option<&str>]) -> Look {
    let mut seen = Look {
        server: None,
        program: None,
        nested: false,
        spots: Vec::new(),
        flagged: false,
        insert: words.len(),
        args: words.len()..words.len(),
    };
    let Some((at, name)) = unwrap(words, &mut seen) else { return seen };
    let after = at + 1;
    let end = words[after..].iter().position(|word| *word == Some("--")).map_or(words.len(), |n| after + n);
    seen.args = after..end;
    if let Some((server, skip)) = frameworks::find(&name, &words[seen.args.clone()]) {
        seen.server = Some(server);
        seen.insert = at + 1 + skip;
        find_ports(words, server, &mut seen);
    }
    seen.program = Some((at, name));
    seen
}

/// Which of the ports that are written in commands give way to the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Written {
    #[default]
    None,
    /// The server's own; any other one is somebody else's.
    Only(Port),
    /// That of the one command that is found: the user wants a port, and the scripts can't be followed.
    Any,
}

impl Written {
    pub(crate) fn gives_way(self, port: Port) -> bool {
        match self {
            Written::None => false,
            Written::Only(own) => port == own,
            Written::Any => true,
        }
    }
}

impl Look {
    /// What makes the command listen on this port, from its end on, so that places stay right. Of the ports that are
    /// written already only `written` is changed: another one is another server's.
    pub(crate) fn edits(&self, words: &[Option<&str>], port: Port, written: Written) -> Vec<Edit> {
        if self.nested || self.server.is_some_and(|server| server.role != Role::Server) {
            return Vec::new();
        }
        let mut edits: Vec<Edit> = Vec::new();
        for spot in self.spots.iter().filter(|spot| written.gives_way(spot.port) && spot.port != port) {
            edits.push(Edit::Replace(spot.word, format!("{}{port}", spot.head)));
        }
        if let Some(server) = self.server.filter(|server| !server.add.is_empty() && !self.flagged) {
            let bare = self.args.clone().find(|&at| server.switch.is_some() && words[at] == server.switch);
            edits.push(match bare {
                Some(at) if server.switch.is_some_and(|switch| server.add.starts_with(switch)) => {
                    Edit::Replace(at, fill(server.add, port))
                }
                _ => Edit::Insert(self.insert, self.added(words, server, port)),
            });
        }
        edits.sort_by_key(|edit| match edit {
            Edit::Insert(at, _) | Edit::Replace(at, _) => std::cmp::Reverse(*at),
        });
        edits
    }

    /// Whether it learns its port from `PORT`, as far as is known.
    pub(crate) fn reads_port(&self) -> bool {
        self.nested || !self.flagged && self.server.is_some_and(|server| server.add.is_empty())
    }

    /// The words that give this server its port, without those that the user wrote already.
    fn added(&self, words: &[Option<&str>], server: &Server, port: Port) -> Vec<String> {
        let has = |flag: &str| has_flag(&words[self.args.clone()], flag);
        [server.add, server.strict, server.host]
            .into_iter()
            .enumerate()
            .filter(|(nth, part)| *nth == 0 || !part.split(' ').next().is_some_and(has))
            .flat_map(|(_, part)| part.split_whitespace())
            .map(|word| fill(word, port))
            .collect()
    }

    /// What to append behind everything else; `None` if that would not reach the server, or break it.
    pub(crate) fn appended(&self, words: &[Option<&str>], port: Port) -> Option<Vec<String>> {
        let server = self.server.filter(|server| server.role == Role::Server && server.appendable)?;
        let reaches = self.args.end == words.len() && !self.flagged && !self.nested && !server.add.is_empty();
        reaches.then(|| self.added(words, server, port))
    }
}

/// Fills in port and host.
pub(crate) fn fill(template: &str, port: Port) -> String {
    template.replace("{port}", &port.to_string()).replace("{host}", HOST)
}

/// Finds the ports among the arguments of a known server.
fn find_ports(words: &[Option<&str>], server: &Server, seen: &mut Look) {
    let mut args = seen.args.clone();
    while let Some(at) = args.next() {
        let arg = words[at].unwrap_or("$");
        for flag in server.port_flags {
            let value = match arg.strip_prefix(flag) {
                Some("") if server.switch == Some(flag) && server.add.starts_with(flag) => continue,
                Some("") => args.next().map(|at| (at, "", words[at].unwrap_or_default())),
                Some(rest) if rest.starts_with('=') => Some((at, &arg[..=flag.len()], &rest[1..])),
                Some(rest) if flag.len() == 2 && rest.bytes().all(|byte| byte.is_ascii_digit()) => {
                    Some((at, *flag, rest))
                }
                _ => continue,
            };
            seen.flagged = true;
            if let Some((word, head, value)) = value {
                seen.spots.extend(spot(word, head, value));
            }
            break;
        }
        if server.positional && at >= seen.insert && !seen.flagged && !arg.starts_with('-') {
            let found = spot(at, "", arg);
            // `$PORT`, or what only the shell knows, may be one: a second one would be too much.
            seen.flagged = found.is_some() || arg == "{port}" || arg.contains('$');
            seen.spots.extend(found);
        }
    }
}

/// The port in `3000`, `host:3000` or `tcp://host:3000`.
fn spot(word: usize, head: &str, value: &str) -> Option<Spot> {
    let digits = value.rfind(':').filter(|_| !value.contains('$')).map_or(0, |at| at + 1);
    let port = value[digits..].parse().ok()?;
    Some(Spot { word, head: format!("{head}{}", &value[..digits]), port })
}

/// Goes through wrappers to the program: its index and its name.
fn unwrap(words: &[Option<&str>], seen: &mut Look) -> Option<(usize, String)> {
    let mut at = 0;
    loop {
        let word = (*words.get(at)?)?;
        if let Some((name, value)) = assignment(word) {
            if name == "PORT" {
                seen.spots.extend(spot(at, "PORT=", value));
            }
            at += 1;
            continue;
        }
        let name = base_name(word);
        let Some(skip) = wrapped(name, &words[at + 1..]) else { return Some((at, name.to_string())) };
        seen.nested |= name == "devrun";
        at += 1 + skip;
    }
}

/// `NAME=value`, where NAME can be a variable.
fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (plain(name) && name.starts_with(|first: char| !first.is_ascii_digit())).then_some((name, value))
}

/// `node_modules/vite/bin/vite.js` is `vite`, `vite@latest` too, and `/usr/bin/python3.11` is `python`.
fn base_name(word: &str) -> &str {
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word);
    let name = name.split_once('@').map_or(name, |(name, _version)| name);
    let name =
        [".js", ".mjs", ".cjs", ".cmd", ".exe"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    match name.strip_prefix("python") {
        Some(version) if version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => "python",
        _ => name,
    }
}

/// How many words after this wrapper the wrapped program is; `None` if it is no wrapper, or not understood.
fn wrapped(name: &str, rest: &[Option<&str>]) -> Option<usize> {
    let word = |at: usize| rest.get(at).copied().flatten();
    let after = |from: usize, switches: &[&str], valued: &[&str]| {
        skip_flags(&rest[from.min(rest.len())..], switches, valued).map(|n| from + n)
    };
    let first = word(0)?;
    match name {
        "exec" | "command" | "time" | "nohup" | "export" | "!" | "{" | "then" | "do" | "else" => {
            after(0, &["-p"], &[])
        }
        "env" => after(0, &["-i", "--"], &["-u"]),
        "cross-env" | "cross-env-shell" => after(0, &[], &[]),
        "env-cmd" => {
            after(0, &["--silent", "--no-override", "--fallback", "--"], &["-f", "--file", "-e", "-r"])
        }
        "devrun" => after(0, &["--"], &[]),
        "npx" | "pnpx" | "bunx" => after(
            0,
            &["-y", "--yes", "--no", "--no-install", "-q", "--quiet", "--bun", "--"],
            &["-p", "--package"],
        ),
        "npm" if matches!(first, "exec" | "x") => {
            after(1, &["-y", "--yes", "--"], &[]).filter(|&n| word(n - 1) == Some("--"))
        }
        "pnpm" | "yarn" if matches!(first, "exec" | "dlx" | "x") => after(1, &["--"], &[]),
        "yarn" if first == "run" => word(1).filter(|program| frameworks::known(program)).map(|_| 1),
        "bun" if matches!(first, "x" | "run" | "--bun") => {
            let n = after(1, &["--bun", "run", "x"], &[])?;
            word(n).filter(|program| first == "x" || frameworks::known(program)).map(|_| n)
        }
        "pnpm" | "yarn" | "bun" => frameworks::known(first).then_some(0),
        "dotenv" | "dotenvx" | "doppler" | "op" | "infisical" | "mise" | "direnv" => {
            match rest.iter().position(|word| *word == Some("--")) {
                Some(at) => Some(at + 1),
                None if name == "dotenv" => after(0, &["-o"], &["-e", "-c", "-v"]),
                None => None,
            }
        }
        "node" | "nodejs" => {
            let at = after(
                0,
                &["--inspect", "--inspect-brk", "--enable-source-maps", "--no-warnings", "--trace-warnings"],
                &[],
            )?;
            word(at).filter(|file| file.contains("node_modules/")).map(|_| at)
        }
        "python" | "py" => {
            let at = after(0, &["-u", "-B", "-I", "-O", "-E", "-s", "-m"], &["-X", "-W"])?;
            let module = at > 0 && word(at - 1) == Some("-m");
            (module || word(at)?.ends_with("manage.py")).then_some(at)
        }
        "uv" | "poetry" | "pdm" | "pipenv" | "rye" | "hatch" if first == "run" => after(1, &["--"], &[]),
        "bundle" if first == "exec" => Some(1),
        "ruby" => first.ends_with("bin/rails").then_some(0),
        "php" => (first == "artisan").then_some(0),
        "cargo" => (first == "tauri").then_some(0),
        _ => None,
    }
}

/// How many leading flags there are, all of them understood; a `--name=value` needs no list.
fn skip_flags(words: &[Option<&str>], switches: &[&str], valued: &[&str]) -> Option<usize> {
    let mut at = 0;
    loop {
        let word = words.get(at).copied()??;
        match word {
            _ if switches.contains(&word) => at += 1,
            _ if valued.contains(&word) => at += 2,
            _ if word.starts_with("--") && word.contains('=') => at += 1,
            _ if word.starts_with('-') => return None,
            _ => return Some(at),
        }
    }
}
