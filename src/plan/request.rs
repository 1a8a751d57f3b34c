//! What somebody asks of a run: each wish may be absent. The command line, the environment, files and the library
//! each make one of these; the first one that has a wish wins. No default is filled in here.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::values::{self, PortVariable};
use super::{IfRunning, Owner, Port, PortRange, ReadyCheck, RestartPolicy, StopSignal};

/// The wishes of one source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Request {
    /// Program and arguments; empty: the project's own dev command.
    pub(crate) command: Vec<OsString>,
    pub(crate) name: Option<String>,
    pub(crate) port: Option<Port>,
    pub(crate) strict_port: Option<bool>,
    pub(crate) port_range: Option<PortRange>,
    pub(crate) port_env: Vec<PortVariable>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) no_inject: Option<bool>,
    pub(crate) ready: Option<ReadyCheck>,
    pub(crate) ready_timeout: Option<Duration>,
    pub(crate) open: Option<bool>,
    pub(crate) stop_signal: Option<StopSignal>,
    pub(crate) stop_timeout: Option<Duration>,
    pub(crate) spare: Vec<String>,
    pub(crate) kill_all: Option<bool>,
    pub(crate) owner: Option<Owner>,
    pub(crate) then: Option<String>,
    pub(crate) detach: Option<bool>,
    pub(crate) log: Option<bool>,
    pub(crate) if_running: Option<IfRunning>,
    pub(crate) restart: Option<RestartPolicy>,
    pub(crate) health: Option<ReadyCheck>,
    pub(crate) health_interval: Option<Duration>,
    pub(crate) health_retries: Option<u32>,
    pub(crate) json: Option<bool>,
    pub(crate) quiet: Option<bool>,
    pub(crate) verbose: Option<bool>,
    /// The options as they were written, those of `KEYS_OF_SERVER`; no wish of their own.
    pub(crate) written: Vec<OsString>,
}

/// The options that have an environment twin (`DEVRUN_STRICT_PORT`) and a key in files (`strict-port`).
pub(crate) const KEYS: &[&str] = &[
    "name",
    "port",
    "strict-port",
    "port-range",
    "port-env",
    "cwd",
    "no-inject",
    "ready",
    "ready-timeout",
    "open",
    "stop-signal",
    "stop-timeout",
    "spare",
    "kill-all",
    "owner",
    "then",
    "detach",
    "log",
    "if-running",
    "force",
    "restart",
    "health",
    "health-interval",
    "health-retries",
    "json",
    "quiet",
    "verbose",
];

/// Those of them that say how a server is, whoever starts it and why: they go into its record.
#[cfg(feature = "cli")]
pub(crate) const KEYS_OF_SERVER: &[&str] = &[
    "port",
    "strict-port",
    "port-range",
    "port-env",
    "no-inject",
    "ready",
    "ready-timeout",
    "stop-signal",
    "stop-timeout",
    "spare",
    "kill-all",
    "log",
    "restart",
    "health",
    "health-interval",
    "health-retries",
];

impl Request {
    /// These wishes, and where there is none those of `lower`.
    pub(crate) fn over(self, lower: Request) -> Request {
        // Who names what to spare wants something spared.
        let spares = !self.spare.is_empty();
        let longer = |list: Vec<OsString>, other| if list.is_empty() { other } else { list };
        Request {
            command: longer(self.command, lower.command),
            name: self.name.or(lower.name),
            port: self.port.or(lower.port),
            strict_port: self.strict_port.or(lower.strict_port),
            port_range: self.port_range.or(lower.port_range),
            port_env: if self.port_env.is_empty() { lower.port_env } else { self.port_env },
            cwd: self.cwd.or(lower.cwd),
            no_inject: self.no_inject.or(lower.no_inject),
            ready: self.ready.or(lower.ready),
            ready_timeout: self.ready_timeout.or(lower.ready_timeout),
            open: self.open.or(lower.open),
            stop_signal: self.stop_signal.or(lower.stop_signal),
            stop_timeout: self.stop_timeout.or(lower.stop_timeout),
            spare: if self.spare.is_empty() { lower.spare } else { self.spare },
            kill_all: self.kill_all.or(lower.kill_all.filter(|_| !spares)),
            owner: self.owner.or(lower.owner),
            then: self.then.or(lower.then),
            detach: self.detach.or(lower.detach),
            log: self.log.or(lower.log),
            if_running: self.if_running.or(lower.if_running),
            restart: self.restart.or(lower.restart),
            health: self.health.or(lower.health),
            health_interval: self.health_interval.or(lower.health_interval),
            health_retries: self.health_retries.or(lower.health_retries),
            json: self.json.or(lower.json),
            quiet: self.quiet.or(lower.quiet),
            verbose: self.verbose.or(lower.verbose),
            written: longer(self.written, lower.written),
        }
    }

    /// Refuses what `set` would refuse, in wishes that were made without it.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.name.as_deref().map(values::name).transpose()?;
        for wish in &self.port_env {
            let PortVariable { variable, name } = wish;
            let text = name.as_ref().map(|name| format!("{variable}={name}"));
            if values::port_variable(text.as_ref().unwrap_or(variable))? != *wish {
                return Err(format!("`{variable}` can't be the name of a variable"));
            }
        }
        for check in self.ready.iter().chain(&self.health) {
            if let ReadyCheck::Path(text) | ReadyCheck::Url(text) = check
                && values::ready(text).as_ref() != Ok(check)
            {
                return Err(format!("`{text}` is no /path, or no http:// or https:// URL"));
            }
        }
        Ok(())
    }

    /// Sets the wish with this key (one of `KEYS`) from its written form; lists grow.
    pub(crate) fn set(&mut self, key: &str, text: &str) -> Result<(), String> {
        match key {
            "name" => self.name = Some(values::name(text)?),
            "port" => self.port = Some(text.parse()?),
            "strict-port" => self.strict_port = Some(values::switch(text)?),
            "port-range" => self.port_range = Some(text.parse()?),
            "port-env" => self.port_env.push(values::port_variable(text)?),
            "cwd" => self.cwd = Some(text.into()),
            "no-inject" => self.no_inject = Some(values::switch(text)?),
            "ready" => self.ready = Some(values::ready(text)?),
            "ready-timeout" => self.ready_timeout = Some(values::duration(text)?),
            "open" => self.open = Some(values::switch(text)?),
            "stop-signal" => self.stop_signal = Some(values::stop_signal(text)?),
            "stop-timeout" => self.stop_timeout = Some(values::duration(text)?),
            "spare" => self.spare.push(text.to_string()),
            "kill-all" => self.kill_all = Some(values::switch(text)?),
            "owner" => self.owner = Some(values::owner(text)?),
            "then" => self.then = Some(values::command(text)?),
            "detach" => self.detach = Some(values::switch(text)?),
            "log" => self.log = Some(values::switch(text)?),
            "if-running" => self.if_running = Some(values::if_running(text)?),
            "force" if values::switch(text)? => self.if_running = Some(IfRunning::Replace),
            "force" => {} // what `if-running` says stays
            "restart" => self.restart = Some(values::restart(text)?),
            "health" => self.health = Some(values::health(text)?),
            "health-interval" => self.health_interval = Some(values::interval(text)?),
            "health-retries" => self.health_retries = Some(values::count(text)?),
            "json" => self.json = Some(values::switch(text)?),
            "quiet" => self.quiet = Some(values::switch(text)?),
            "verbose" => self.verbose = Some(values::switch(text)?),
            _ => return Err(unknown(key)),
        }
        Ok(())
    }
}

/// What to say of a key that does not exist.
fn unknown(key: &str) -> String {
    let near = KEYS.iter().map(|known| (strsim::damerau_levenshtein(key, known), known)).min();
    match near {
        Some((distance, known)) if distance <= 3 => format!("there is no such option; is `{known}` meant?"),
        _ => format!("there is no such option; there are {}", KEYS.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_can_be_set_and_merged() {
        let value = |key: &str| match key {
            "port" => "4000",
            "port-range" => "3000-3999",
            "ready" => "tcp",
            "ready-timeout" | "stop-timeout" => "3s",
            "stop-signal" => "SIGINT",
            "owner" => "none",
            "if-running" => "new",
            "restart" => "on-failure:3",
            "health" => "/health",
            "health-interval" => "5s",
            "port-env" => "A=b",
            _ => "1",
        };
        for key in KEYS {
            let mut one = Request::default();
            one.set(key, value(key)).unwrap();
            assert_ne!(one, Request::default(), "{key}");
            assert_eq!(Request::default().over(one.clone()), one, "{key}");
            assert_eq!(one.clone().over(Request::default()), one, "{key}");
        }
    }

    #[test]
    fn a_nearer_wish_to_spare_beats_a_farther_one_to_kill_all() {
        let wish = |key: &str, text: &str| {
            let mut one = Request::default();
            one.set(key, text).unwrap();
            one
        };
        let (spare, all) = (wish("spare", "adb"), wish("kill-all", "true"));
        assert_eq!(spare.clone().over(all.clone()).kill_all, None);
        assert_eq!(all.clone().over(spare).kill_all, Some(true));
        assert_eq!(Request::default().over(all).kill_all, Some(true));
    }

    #[test]
    fn no_force_leaves_if_running_as_it_is() {
        let mut one = Request::default();
        one.set("if-running", "error").unwrap();
        one.set("force", "0").unwrap();
        assert_eq!(one.if_running, Some(IfRunning::Error));
        assert!(one.set("force", "maybe").is_err());
    }

    #[test]
    fn a_wrong_key_names_the_near_one() {
        let error = Request::default().set("strict_port", "true").unwrap_err();
        assert!(error.contains("`strict-port`"), "{error}");
        assert!(Request::default().set("colour", "x").unwrap_err().contains("strict-port"));
    }

    #[test]
    fn ports_and_ranges_are_checked() {
        for port in ["0", "99999", "abc", "-1", ""] {
            assert!(Request::default().set("port", port).is_err(), "{port}");
        }
        for range in ["4999-3000", "3000", "a-b", "0-5"] {
            assert!(Request::default().set("port-range", range).is_err(), "{range}");
        }
    }
}
