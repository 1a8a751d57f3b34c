//! How the command gets its port: the environment always, a flag where the server ignores it. Pure: nothing is
//! read from the machine here, the result is data for `spawn`.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::frameworks::{Role, Server, common_env};
use super::look::{Edit, HOST, Written, fill, look};
use super::runner::Runner;
use super::{CommandLine, Plan, Port, PortSet};

/// The variable that tells devrun, as a script shell, what to do: `PORT replace OLD` or `PORT keep`,
/// and `beside` after it.
pub(crate) const INJECT: &str = "DEVRUN_INJECT";
/// The variable that keeps the script shell which the user has chosen.
pub(crate) const SHELL: &str = "DEVRUN_SHELL";

/// How the command gets its port.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Injection {
    /// `--no-inject`: no argument is touched.
    pub(crate) environment_only: bool,
    /// Which port written in the command or the scripts may be changed.
    pub(crate) written: Written,
    /// The known server or runner, through scripts.
    pub(crate) server: Option<&'static Server>,
    pub(crate) beside: Beside,
    /// The project uses astro, which leaves for the background when it sees an agent.
    pub(crate) astro: bool,
    /// The script shell to set.
    pub(crate) hook: Option<Hook>,
    /// The runner without a script shell whose script ends in the server: flags are appended.
    pub(crate) append: Option<Append>,
    /// `--port-env VAR`: further variables for the server's own port.
    pub(crate) variables: Vec<String>,
    /// Variables that the user has set, and that are kept.
    pub(crate) kept: Vec<&'static str>,
    /// `GUNICORN_CMD_ARGS` as it was.
    pub(crate) gunicorn_args: Option<String>,
    /// devrun opens the browser, so the command need not.
    pub(crate) opens: bool,
}

/// devrun as the script shell of a package manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) devrun: PathBuf,
    /// The shell that the user has chosen.
    pub(crate) user_shell: Option<OsString>,
}

/// What else the scripts run at the same time, with `&`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Beside {
    #[default]
    Nothing,
    /// Others than the server, which is known: what is meant for it must not reach them.
    Others,
    /// Servers, of which nobody knows which one is meant.
    Unclear,
}

/// What the script shell is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    /// The server's port.
    pub(crate) port: Port,
    /// Which port in the scripts gives way to it.
    pub(crate) written: Written,
    /// Others run beside the server: `PORT` is set for it alone.
    pub(crate) beside: bool,
}

/// A script that gets its flags through the arguments of its runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Append {
    pub(crate) runner: Runner,
    /// The words of the last command of the script.
    pub(crate) words: Vec<Option<String>>,
}

impl Plan {
    /// Where the server on this port is.
    pub(crate) fn url(&self, port: Port) -> String {
        format!("http://localhost:{port}")
    }

    /// The command with these ports filled in.
    pub(crate) fn command(&self, ports: &PortSet) -> CommandLine {
        let mut words = self.argv.clone();
        if !self.injection.environment_only {
            words = self.injection.arguments(words, ports.main);
        }
        let mut words = words.into_iter().map(|word| self.filled(word, ports));
        let program = words.next().expect("a plan has a command");
        CommandLine { program, args: words.collect(), env: self.environment(ports) }
    }

    /// What to do about a server that took another port than it was given.
    pub(crate) fn port_hint(&self) -> Option<String> {
        let server = self.injection.server;
        let hint = match server.map(|server| (server.role, server.programs[0], server.port_flags.first())) {
            // Its own flags are not the server's.
            Some((Role::Several, _, _)) => {
                "let what starts it hand PORT on, or write the port into its configuration".into()
            }
            Some((Role::Server | Role::Fixed, name, Some(flag))) => {
                format!("give {name} its port: {flag} {{port}} in the command after devrun --")
            }
            Some((Role::Server | Role::Fixed, _, None)) | None => {
                "let the server read PORT, or write {port} where its port belongs".into()
            }
        };
        Some(hint)
    }

    /// A placeholder is a whole argument.
    fn filled(&self, word: OsString, ports: &PortSet) -> OsString {
        match word.to_str() {
            Some("{port}") => ports.main.to_string().into(),
            Some("{host}") => HOST.into(),
            Some("{url}") => self.url(ports.main).into(),
            Some("{name}") => self.name.clone().into(),
            Some(text) => {
                let name = text.strip_prefix("{port:").and_then(|text| text.strip_suffix('}'));
                let port = name.and_then(|name| ports.extra.iter().find(|(known, _)| known == name));
                port.map_or(word, |(_, port)| port.to_string().into())
            }
            None => word,
        }
    }

    fn environment(&self, ports: &PortSet) -> Vec<(OsString, Option<OsString>)> {
        let mut env = self.injection.environment(ports.main);
        env.push(("DEVRUN_PORT".into(), Some(ports.main.to_string())));
        env.push(("DEVRUN_URL".into(), Some(self.url(ports.main))));
        env.push(("DEVRUN_NAME".into(), Some(self.name.clone())));
        for extra in &self.ports.extra {
            let port =
                ports.extra.iter().find(|(name, _)| *name == extra.name).map(|(_, port)| port.to_string());
            env.extend(extra.variables.iter().map(|variable| (variable.clone(), port.clone())));
        }
        let mut env: Vec<_> =
            env.into_iter().map(|(key, value)| (key.into(), value.map(OsString::from))).collect();
        env.extend(self.injection.hook_environment(ports.main));
        env
    }
}

impl Injection {
    /// The command with the flags that its server needs.
    fn arguments(&self, mut argv: Vec<OsString>, port: Port) -> Vec<OsString> {
        let texts: Vec<_> = argv.iter().map(|word| word.to_str()).collect();
        for edit in look(&texts).edits(&texts, port, self.written) {
            match edit {
                Edit::Insert(at, new) => drop(argv.splice(at..at, new.into_iter().map(OsString::from))),
                Edit::Replace(at, new) => argv[at] = new.into(),
            }
        }
        if let Some(append) = &self.append {
            let words: Vec<_> = append.words.iter().map(Option::as_deref).collect();
            if let Some(flags) = look(&words).appended(&words, port) {
                if append.runner.separated() && !argv.iter().any(|word| word == "--") {
                    argv.push("--".into());
                }
                argv.extend(flags.into_iter().map(OsString::from));
            }
        }
        argv
    }

    /// The variables by which servers learn their port.
    fn environment(&self, port: Port) -> Vec<(String, Option<String>)> {
        let mut env: Vec<(String, Option<String>)> = self.shared_port(port).into_iter().collect();
        let mut set = |name: &str, value: String| env.push((name.to_string(), Some(value)));
        if self.server.is_none_or(|server| server.role != Role::Fixed) {
            set("VITE_DEV_PORT", port.to_string());
        }
        for variable in &self.variables {
            set(variable, port.to_string());
        }
        // Several programs would fight for it, so these get PORT and nothing else. An unknown one gets all.
        let own: Vec<_> = match self.server {
            Some(server) if server.role == Role::Server && self.beside != Beside::Unclear => {
                server.env.to_vec()
            }
            None if self.beside == Beside::Nothing => {
                common_env().filter(|(name, _)| *name != "HOST").collect()
            }
            _ => Vec::new(),
        };
        for (name, template) in own {
            match name {
                _ if self.kept.contains(&name) => {}
                "GUNICORN_CMD_ARGS" => {
                    set(name, gunicorn(self.gunicorn_args.as_deref(), fill(template, port)))
                }
                _ => set(name, fill(template, port)),
            }
        }
        if self.astro {
            set("ASTRO_DEV_BACKGROUND", "1".into());
        }
        if self.opens {
            set("BROWSER", "none".into());
        }
        env
    }

    /// `PORT` for the whole command. What runs beside the server must not take it for its own: then the server has
    /// its port by a flag or from the script shell, or else goes where it would go without devrun.
    fn shared_port(&self, port: Port) -> Option<(String, Option<String>)> {
        let fixed = self.server.is_some_and(|server| server.role == Role::Fixed);
        let all = match self.beside {
            _ if self.environment_only => true,
            Beside::Nothing => true,
            Beside::Others => false,
            // Unknown ones may need it, as those of a runner of several.
            Beside::Unclear => self.server.is_none(),
        };
        (!fixed && (all || self.told_alone())).then(|| ("PORT".into(), all.then(|| port.to_string())))
    }

    /// Whether the server has its port in a way that does not reach those beside it.
    fn told_alone(&self) -> bool {
        let reached = self.hook.is_some() || self.append.is_some();
        self.beside == Beside::Others && reached && !self.environment_only
    }

    /// How much longer than usual to wait for the server on its own port: those beside it may be up long before.
    pub(crate) fn patience(&self) -> Duration {
        if self.told_alone() { Duration::from_secs(10) } else { Duration::ZERO }
    }

    /// The variables of the script shell; without one, those of an outer run are taken away.
    fn hook_environment(&self, port: Port) -> Vec<(OsString, Option<OsString>)> {
        let Some(hook) = self.hook.as_ref().filter(|_| !self.environment_only) else {
            return vec![(INJECT.into(), None)];
        };
        let told = Told { port, written: self.written, beside: self.beside == Beside::Others };
        let devrun = Some(hook.devrun.clone().into_os_string());
        vec![
            ("npm_config_script_shell".into(), devrun.clone()),
            ("pnpm_config_script_shell".into(), devrun),
            (INJECT.into(), Some(told.to_string().into())),
            (SHELL.into(), hook.user_shell.clone()),
        ]
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.written {
            Written::Only(own) => write!(f, "{} replace {own}", self.port)?,
            Written::Any => write!(f, "{} replace any", self.port)?,
            Written::None => write!(f, "{} keep", self.port)?,
        }
        f.write_str(if self.beside { " beside" } else { "" })
    }
}

impl Told {
    /// Reads what was written.
    pub(crate) fn parse(value: &OsStr) -> Option<Told> {
        let text = value.to_str()?;
        let rest = text.strip_suffix(" beside");
        let words: Vec<&str> = rest.unwrap_or(text).split(' ').collect();
        let (port, written) = match words[..] {
            [port, "keep"] => (port, Written::None),
            [port, "replace", "any"] => (port, Written::Any),
            [port, "replace", own] => (port, Written::Only(own.parse().ok()?)),
            _ => return None,
        };
        Some(Told { port: port.parse().ok()?, written, beside: rest.is_some() })
    }
}

/// The user's arguments for gunicorn, and the address unless they have one.
fn gunicorn(user: Option<&str>, bind: String) -> String {
    match user {
        Some(args)
            if args.split_whitespace().any(|arg| arg.starts_with("--bind") || arg.starts_with("-b")) =>
        {
            args.into()
        }
        Some(args) => format!("{args} {bind}"),
        None => bind,
    }
}
