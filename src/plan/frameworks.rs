//! What a row of the table of frameworks can say, and how a row is found by program and arguments. No server's
//! name is written here: those are in `frameworks_table`, one line each.

use super::Port;
use super::frameworks_table::{OTHER_DEFAULTS, TABLE};

/// What devrun knows of one dev server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Names of its program; the first one is the name told to the user.
    pub(crate) programs: &'static [&'static str],
    pub(crate) role: Role,
    verbs: &'static [&'static str],
    not: Option<&'static [&'static str]>,
    pub(crate) switch: Option<&'static str>,
    pub(crate) runs_files: bool,
    pub(crate) port_flags: &'static [&'static str],
    pub(crate) positional: bool,
    pub(crate) add: &'static str,
    pub(crate) strict: &'static str,
    pub(crate) host: &'static str,
    pub(crate) appendable: bool,
    pub(crate) env: &'static [(&'static str, &'static str)],
    pub(crate) private_env: bool,
    pub(crate) default_port: Option<u16>,
}

/// What a program does with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Listens itself.
    Server,
    /// Starts several programs: a flag or a hook would give one port to all of them.
    Several,
    /// Starts a server whose port is agreed on in a file: not even `PORT` may change it.
    Fixed,
}

/// A row for these programs, of which nothing more is known than that `PORT` works.
pub(super) const fn server(programs: &'static [&'static str]) -> Server {
    Server {
        programs,
        role: Role::Server,
        verbs: &[],
        not: None,
        switch: None,
        runs_files: false,
        port_flags: &["--port"],
        positional: false,
        add: "",
        strict: "",
        host: "",
        appendable: true,
        env: &[],
        private_env: false,
        default_port: None,
    }
}

/// A row for programs that start several others.
pub(super) const fn several(programs: &'static [&'static str]) -> Server {
    let mut row = server(programs);
    row.role = Role::Several;
    row
}

impl Server {
    /// It serves only with one of these sub-commands, of one word or more; flags go right after it.
    pub(super) const fn verbs(mut self, verbs: &'static [&'static str]) -> Self {
        self.verbs = verbs;
        self
    }

    /// It serves without a sub-command too, unless one of these is there.
    pub(super) const fn unless(mut self, not: &'static [&'static str]) -> Self {
        self.not = Some(not);
        self
    }

    /// It serves only with this flag.
    pub(super) const fn switch(mut self, flag: &'static str) -> Self {
        self.switch = Some(flag);
        self
    }

    /// It serves only if a file or folder is among its arguments, and runs any, a server or not: of several commands
    /// another known server counts before it.
    pub(super) const fn runs_files(mut self) -> Self {
        self.runs_files = true;
        self
    }

    /// The flags that take the port, where it is not `--port` alone.
    pub(super) const fn port_flags(mut self, flags: &'static [&'static str]) -> Self {
        self.port_flags = flags;
        self
    }

    /// The port is a plain argument, `8000` or `host:8000`.
    pub(super) const fn positional(mut self) -> Self {
        self.positional = true;
        self
    }

    /// It ignores the environment: these words give it the port.
    pub(super) const fn add(mut self, words: &'static str) -> Self {
        self.add = words;
        self
    }

    /// Added with the port: never move to another one.
    pub(super) const fn strict(mut self, flag: &'static str) -> Self {
        self.strict = flag;
        self
    }

    /// Added with the port, unless the user said where to listen.
    pub(super) const fn host(mut self, words: &'static str) -> Self {
        self.host = words;
        self
    }

    /// The words work only in their place, never at the end of a script.
    pub(super) const fn in_place_only(mut self) -> Self {
        self.appendable = false;
        self
    }

    /// Variables of its own that it reads.
    pub(super) const fn env(mut self, env: &'static [(&'static str, &'static str)]) -> Self {
        self.env = env;
        self
    }

    /// Its variables do harm to other programs: set for it alone.
    pub(super) const fn private_env(mut self) -> Self {
        self.private_env = true;
        self
    }

    /// The port it takes when nobody says which.
    pub(super) const fn default_port(mut self, port: u16) -> Self {
        self.default_port = Some(port);
        self
    }

    /// Its port is agreed on elsewhere.
    pub(super) const fn fixed(mut self) -> Self {
        self.role = Role::Fixed;
        self
    }

    /// Where flags go, as an index into the arguments; `None` if these arguments do not make it serve.
    pub(crate) fn serves(&self, args: &[Option<&str>]) -> Option<usize> {
        if let Some(flag) = self.switch {
            return has_flag(args, flag).then_some(0);
        }
        let file = |arg: &str| !arg.starts_with('-') && arg.contains(['.', '/']);
        if self.runs_files && !args.iter().flatten().any(|arg| file(arg)) {
            return None;
        }
        let word = sub_command(args);
        let written = |verb: &str, at: usize| {
            let end = at + verb.split(' ').count();
            let same = args.get(at..end)?.iter().copied().eq(verb.split(' ').map(Some));
            same.then_some(end)
        };
        let verb = word.and_then(|at| self.verbs.iter().find_map(|verb| written(verb, at)));
        match self.not {
            None if self.verbs.is_empty() => Some(0),
            None => verb.or_else(|| word.is_none().then(|| self.last_verb(args)).flatten()),
            Some(not) if may_be(not, &args[..word.map_or(args.len(), |at| at + 1)]) => None,
            Some(_) => Some(verb.unwrap_or(0)),
        }
    }

    /// The end of the last word that may be the value of a flag, as in `webpack --hot serve`, and is a sub-command
    /// all the same, since there is no other.
    fn last_verb(&self, args: &[Option<&str>]) -> Option<usize> {
        let at = args.iter().rposition(|arg| arg.is_some_and(|arg| self.verbs.contains(&arg)))?;
        let is_value = at > 0 && args[at - 1].is_some_and(|flag| VALUED.contains(&flag));
        (!is_value).then_some(at + 1)
    }
}

/// Flags without a value that stand before sub-commands.
const SWITCHES: &[&str] =
    &["--debug", "--verbose", "--quiet", "--silent", "-v", "-q", "-D", "--openssl-legacy-provider"];

/// Flags that always have a value.
const VALUED: &[&str] =
    &["--mode", "-m", "--config", "-c", "--env", "-e", "--base", "--host", "--port", "-p"];

/// Where the sub-command is: the first word that is neither a flag nor the value of one, as far as can be told.
fn sub_command(args: &[Option<&str>]) -> Option<usize> {
    let mut value = false;
    args.iter().map(|arg| arg.unwrap_or("$")).position(|arg| {
        let flag = arg.starts_with('-');
        let word = !flag && !value;
        value = flag && !arg.contains('=') && !arg.starts_with("--no-") && !SWITCHES.contains(&arg);
        word
    })
}

/// Whether one of these may be the sub-command: it stands where only the program could tell whether it is a value.
fn may_be(verbs: &[&str], args: &[Option<&str>]) -> bool {
    let is = |list: &[&str], arg: Option<&str>| arg.is_some_and(|arg| list.contains(&arg));
    let value = |at: usize| at > 0 && is(VALUED, args[at - 1]);
    (0..args.len()).any(|at| is(verbs, args[at]) && !value(at))
}

/// Whether this flag is among the arguments, alone or with `=`.
pub(super) fn has_flag(args: &[Option<&str>], flag: &str) -> bool {
    let is = |arg: &str| arg.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
    args.iter().flatten().any(|arg| is(arg))
}

/// The row of this program with these arguments, and where in the arguments flags go.
pub(crate) fn find(program: &str, args: &[Option<&str>]) -> Option<(&'static Server, usize)> {
    TABLE
        .iter()
        .filter(|row| row.programs.contains(&program))
        .find_map(|row| row.serves(args).map(|at| (row, at)))
}

/// Whether a row is about this program, whatever its arguments.
pub(crate) fn known(program: &str) -> bool {
    TABLE.iter().any(|row| row.programs.contains(&program))
}

/// The variables that servers read in place of `PORT`, as far as they do no harm to others.
pub(crate) fn common_env() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.iter().filter(|row| !row.private_env).flat_map(|row| row.env.iter().copied())
}

/// Ports that browsers refuse to open (the "bad ports" of the Fetch standard).
const BLOCKED: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
    515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723,
    2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

/// How many ports from its default on a framework tries.
const TRIES: u16 = 10;

/// Whether browsers open a page on this port.
pub(crate) fn browsers_open(port: Port) -> bool {
    !BLOCKED.contains(&port.get())
}

/// Whether this port may be given to a server that did not ask for it: one that browsers open, and neither a
/// framework's own default nor one that it tries after that, where whoever runs it bare expects it.
pub(crate) fn given_unasked(port: Port) -> bool {
    let defaults = TABLE.iter().filter_map(|row| row.default_port).chain(OTHER_DEFAULTS);
    let mut tried = defaults.map(|first| first..=first.saturating_add(TRIES - 1));
    browsers_open(port) && !tried.any(|ports| ports.contains(&port.get()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocked_and_default_ports_are_given_only_when_asked_for() {
        for number in [
            22, 3000, 3009, 4173, 4200, 4045, 4190, 4321, 5173, 6000, 6006, 6015, 6566, 6667, 6697, 8000,
            8050, 10080, 24678,
        ] {
            assert!(!given_unasked(Port::new(number).unwrap()), "{number}");
        }
        for number in [80, 2999, 3010, 3999, 4100, 4999, 6016] {
            assert!(given_unasked(Port::new(number).unwrap()), "{number}");
        }
    }

    #[test]
    fn every_server_that_has_a_default_port_says_which() {
        let silent = TABLE.iter().filter(|row| row.role == Role::Server && row.default_port.is_none());
        // What they run decides, or they serve nowhere without a port.
        assert_eq!(silent.map(|row| row.programs[0]).collect::<Vec<_>>(), ["deno", "php"]);
    }

    #[test]
    fn a_row_is_found_by_program_and_sub_command() {
        let cases = [
            ("vite", "", Some(0)),
            ("vite", "dev", Some(1)),
            ("vite", "./app", Some(0)),
            ("vite", "--mode ssr", Some(0)),
            ("vite", "build --watch", None),
            ("astro", "dev", Some(1)),
            ("astro", "check", None),
            ("esbuild", "a.js --bundle", None),
            ("esbuild", "a.js --serve", Some(0)),
            ("eleventy", "--serve", Some(0)),
            ("flask", "--app x run", Some(3)),
            ("rspack", "build", None),
            ("wrangler", "dev --env dev", Some(1)),
            ("wrangler", "--config x pages dev ./public", Some(4)),
            ("ng", "serve --open", Some(1)),
            ("next", "dev --turbo", Some(1)),
            ("manage.py", "--settings dev runserver", Some(3)),
            ("flask", "--debug run", Some(2)),
            ("vite", "--mode test", Some(0)),
            ("vite", "--mode build dev", Some(3)),
            ("vite", "dev --mode test", Some(1)),
            ("vp", "dev", Some(1)),
            ("tauri", "android dev", Some(2)),
            ("webpack", "--progress serve", Some(2)),
            ("hugo", "--buildDrafts server", Some(2)),
            ("wrangler", "--local dev", Some(2)),
            ("wrangler", "--env dev", None),
            ("nx", "serve app", Some(0)),
            ("php", "-S localhost:8000", Some(0)),
        ];
        for (program, args, expected) in cases {
            let args: Vec<_> = args.split_whitespace().map(Some).collect();
            assert_eq!(find(program, &args).map(|(_, at)| at), expected, "{program} {args:?}");
        }
    }

    #[test]
    fn a_value_of_an_option_is_no_sub_command() {
        for line in [
            "wrangler d1 migrations apply DB --local --env dev",
            "wrangler deploy --env dev",
            "wrangler types --env dev",
            "wrangler --env dev deploy",
            "ng build --configuration dev",
            "react-router build --mode dev",
            "astro build --mode dev",
            "astro --mode dev build",
            "deno task serve",
            "tauri build --config dev",
            "vite --mode dev build",
            // `--force` may be a switch: nobody can tell.
            "vite --force build",
            "vp run dev",
            "vp exec vite dev",
            "vp",
        ] {
            let words: Vec<_> = line.split(' ').map(Some).collect();
            assert_eq!(find(words[0].unwrap(), &words[1..]), None, "{line}");
        }
    }
}
