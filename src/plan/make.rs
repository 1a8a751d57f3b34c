//! Makes the plan out of what is asked and what is so. Pure.

use std::ffi::OsString;
use std::time::Duration;

use super::facts::Facts;
use super::frameworks::{Role, common_env};
use super::inject::{Beside, Hook, Injection};
use super::look::Written;
use super::runner::Run;
use super::see::{Seen, see};
use super::{
    ExtraPort, HealthCheck, Owner, Plan, Port, PortWish, ReadyCheck, Request, RestartPolicy, Spare,
    StopPolicy, StopSignal, Then, Wanted, WantedBy, names, project,
};
use crate::error::Error;

/// How long somebody who waits for readiness waits.
pub(crate) const READY_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// The plan for this request; settings of the environment and of files come from `facts`.
pub(crate) fn make(request: Request, facts: &Facts) -> Result<Plan, Error> {
    let request = request.over(facts.settings.clone());
    let argv = argv(&request, facts)?;
    let words: Vec<_> = argv.iter().map(|word| word.to_str()).collect();
    let seen = see(&words, facts);
    let mut notes = facts.notes.clone();
    let wanted = wanted(&request, facts, seen.port, &mut notes);
    let range = request.port_range.clone().unwrap_or_default();
    let around = facts.env.get("npm_lifecycle_event").map(String::as_str).filter(|event| *event != "npx");
    let script = seen.run.as_ref().and_then(|run| run.script.as_deref()).or(around);
    let detached = request.detach.unwrap_or(false);
    let waits = detached || request.then.is_some();
    Ok(Plan {
        id: names::id(&facts.cwd, request.name.as_deref(), &argv),
        name: request.name.clone().unwrap_or_else(|| names::default_name(facts, script)),
        cwd: facts.cwd.clone(),
        branch: facts.branch.clone(),
        detached,
        ports: PortWish {
            wanted,
            derived: names::derived_port(&facts.cwd, &range),
            strict: request.strict_port.unwrap_or(wanted.is_some_and(|wanted| wanted.by == WantedBy::Tauri)),
            range,
            extra: extra_ports(&request),
        },
        ready: request.ready.clone().unwrap_or(ReadyCheck::Path("/".into())),
        ready_timeout: request.ready_timeout.or(waits.then_some(READY_TIMEOUT)),
        stop: StopPolicy {
            signal: request.stop_signal.unwrap_or(StopSignal::Term),
            timeout: request.stop_timeout.unwrap_or(Duration::from_secs(5)),
        },
        spare: Spare { names: request.spare.clone(), kill_all: request.kill_all.unwrap_or(false) },
        owner: request.owner.unwrap_or(if detached { Owner::None } else { Owner::Auto }),
        if_running: request.if_running.unwrap_or_default(),
        restart: request.restart.unwrap_or_default(),
        health: health(&request),
        then: request.then.clone().map(Then::Line),
        log: request.log.unwrap_or(false),
        open: request.open.unwrap_or(false),
        options: options(&request),
        injection: injection(&request, facts, &seen, wanted),
        notes,
        argv,
    })
}

/// Probing is on where any of its options is given, and where a hung server is to be restarted.
fn health(request: &Request) -> Option<HealthCheck> {
    let asked =
        request.health.is_some() || request.health_interval.is_some() || request.health_retries.is_some();
    let restarts = request.restart.is_some_and(|policy| policy != RestartPolicy::Never);
    let check = request.health.clone().or_else(|| match request.ready.clone() {
        // Nothing can be asked of it but whether it runs.
        Some(ReadyCheck::None) => None,
        Some(ReadyCheck::Log(_)) => Some(ReadyCheck::Tcp),
        Some(check) => Some(check),
        None => Some(ReadyCheck::Path("/".into())),
    });
    check.filter(|_| asked || restarts).map(|check| HealthCheck {
        check,
        interval: request.health_interval.unwrap_or(Duration::from_secs(5)),
        retries: request.health_retries.unwrap_or(3),
    })
}

/// The options as written, and the name, which may have come from elsewhere: with it a later start is this server.
fn options(request: &Request) -> Vec<OsString> {
    let name = request.name.iter().flat_map(|name| ["--name".into(), name.into()]);
    request.written.iter().cloned().chain(name).collect()
}

/// Program and arguments: those asked for, else the project's own.
pub(crate) fn argv(request: &Request, facts: &Facts) -> Result<Vec<OsString>, Error> {
    match request.command.is_empty() {
        true => project::own_command(facts),
        false => Ok(request.command.clone()),
    }
}

/// The port somebody asked for: the user, an outer devrun, Tauri, the script, the environment, in this order.
fn wanted(request: &Request, facts: &Facts, script: Option<Port>, notes: &mut Vec<String>) -> Option<Wanted> {
    let env = |name: &str| facts.env.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let inherited = env("PORT").map(str::parse::<Port>);
    if let Some(Err(why)) = &inherited {
        notes.push(format!("PORT in the environment is ignored: {why}"));
    }
    let nested = env("DEVRUN_ID").is_some();
    let outer = nested && env("PORT") == env("DEVRUN_PORT");
    // In a chained command PORT tells where the outer server is, not where this one should be.
    let beside = nested && !outer && env("DEVRUN_URL").and_then(Port::written_in) == env("PORT");
    let inherited = inherited.and_then(Result::ok).filter(|_| !beside);
    let by = |port: Option<Port>, by| port.map(|port| Wanted { port, by });
    by(request.port, WantedBy::User)
        .or(by(inherited.filter(|_| outer), WantedBy::OuterDevrun))
        .or(facts.tauri)
        .or(by(script, WantedBy::Script))
        .or(by(inherited, WantedBy::Environment))
}

/// Second ports, each with its variables.
fn extra_ports(request: &Request) -> Vec<ExtraPort> {
    let mut extra: Vec<ExtraPort> = Vec::new();
    for wish in &request.port_env {
        let Some(name) = &wish.name else { continue };
        match extra.iter_mut().find(|port| port.name == *name) {
            Some(port) => port.variables.push(wish.variable.clone()),
            None => extra.push(ExtraPort { name: name.clone(), variables: vec![wish.variable.clone()] }),
        }
    }
    extra
}

/// A port that the plan has not seen, in a script that it could not follow, gives way only to one that was asked for.
fn written(seen: &Seen, wanted: Option<Wanted>) -> Written {
    let asked = wanted.is_some_and(|wanted| match wanted.by {
        WantedBy::User | WantedBy::OuterDevrun | WantedBy::Tauri => true,
        WantedBy::Script | WantedBy::Environment => false,
    });
    match seen.port {
        Some(port) => Written::Only(port),
        None if asked && (seen.blind || seen.moves) && seen.beside == Beside::Nothing => Written::Any,
        None => Written::None,
    }
}

/// Whether there may be one server for the script shell to find. Below a program that is not known there may be any
/// number of scripts, and one port for two servers would be the end of one.
fn hopes(run: &Run, seen: &Seen) -> bool {
    let named = seen.server.is_some() || seen.port.is_some();
    named || seen.blind || seen.wraps || seen.moves || run.script.is_none()
}

fn injection(request: &Request, facts: &Facts, seen: &Seen, wanted: Option<Wanted>) -> Injection {
    let single = seen.server.is_none_or(|server| server.role == Role::Server);
    let reaches = |run: &Run| match seen.beside {
        Beside::Nothing => true,
        Beside::Others => run.runner.hooked(),
        Beside::Unclear => false,
    };
    let reached = seen.run.as_ref().is_some_and(|run| reaches(run) && hopes(run, seen));
    let devrun = facts.shell.clone().filter(|_| single && reached);
    let own = request.port_env.iter().filter(|wish| wish.name.is_none());
    let text = |name: &str| facts.env.get(name).filter(|value| !value.is_empty()).cloned();
    Injection {
        environment_only: request.no_inject.unwrap_or(false),
        written: written(seen, wanted),
        server: seen.server,
        beside: seen.beside,
        astro: facts.package.as_ref().is_some_and(|package| package.astro),
        hook: devrun.map(|devrun| Hook { devrun, user_shell: facts.user_shell.clone() }),
        append: seen.append.clone(),
        variables: own.map(|wish| wish.variable.clone()).collect(),
        kept: kept(facts, seen),
        gunicorn_args: text("GUNICORN_CMD_ARGS"),
        opens: request.open.unwrap_or(false),
    }
}

/// The variables of the user's that stay as they are: addresses; and beside an unknown program all, for it may look
/// for another server by them. Within a devrun they are that one's own.
fn kept(facts: &Facts, seen: &Seen) -> Vec<&'static str> {
    let all = seen.server.is_none() && !facts.env.contains_key("DEVRUN_ID");
    let is_set = |name: &str| facts.env.get(name).is_some_and(|value| !value.is_empty());
    common_env()
        // That one is added to.
        .filter(|(name, _)| is_set(name) && *name != "GUNICORN_CMD_ARGS")
        .filter(|(_, value)| all || *value == "{host}")
        .map(|(name, _)| name)
        .collect()
}
