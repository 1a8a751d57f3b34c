//! Runners of scripts: which script of `package.json` a command runs, and how a flag is handed through. Pure; the
//! scripts come from `facts`.

use super::facts::{Facts, Manager};

/// A program that runs scripts by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    /// Hands every script to the script shell, as pnpm and yarn 1 do.
    Npm,
    Pnpm,
    Yarn1,
    /// These have a shell of their own; flags are appended to the script.
    Yarn4,
    Bun,
    Deno,
    Node,
}

/// A script run by a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) runner: Runner,
    /// `None`: which one can't be told, e.g. of another package.
    pub(crate) script: Option<String>,
    /// What the script gets appended.
    pub(crate) args: Vec<String>,
    /// It runs scripts that are not among those of this package.
    pub(crate) elsewhere: bool,
    /// It may run several of those at the same time.
    pub(crate) several: bool,
}

impl Runner {
    /// Whether the script shell sees the scripts.
    pub(crate) fn hooked(self) -> bool {
        match self {
            Runner::Npm | Runner::Pnpm | Runner::Yarn1 => true,
            Runner::Yarn4 | Runner::Bun | Runner::Deno | Runner::Node => false,
        }
    }

    /// Whether a flag for the script must come behind `--`.
    pub(crate) fn separated(self) -> bool {
        match self {
            Runner::Npm | Runner::Node => true,
            Runner::Pnpm | Runner::Yarn1 | Runner::Yarn4 | Runner::Bun | Runner::Deno => false,
        }
    }
}

/// Whether these arguments of pnpm may name several packages, as `--filter 'apps/*'` or `--filter web...` do, or
/// several scripts, as `run "/^dev:/"` does. npm and yarn 1 run one after the other.
fn may_name_several(words: &[&str]) -> bool {
    let all = ["-r", "--recursive", "recursive", "--parallel"];
    let filters = |flag: &str| matches!(flag, "-F" | "--filter" | "--filter-prod");
    let chosen = words.iter().enumerate().filter_map(|(at, word)| match word.split_once('=') {
        Some((flag, packages)) if filters(flag) => Some(packages),
        _ => filters(word).then(|| words.get(at + 1).copied().unwrap_or("$")),
    });
    let chosen: Vec<&str> = chosen.collect();
    let pattern = |word: &str| word.len() > 1 && word.starts_with('/') && word.ends_with('/');
    chosen.len() > 1
        || chosen.iter().any(|packages| packages.starts_with(['!', '[']) || packages.contains(['$', '{']))
        || words
            .iter()
            .any(|word| all.contains(word) || word.contains("...") || word.contains('*') || pattern(word))
}

/// The script that this program runs with these arguments; `None` if it is no runner.
pub(crate) fn run(program: &str, rest: &[Option<&str>], facts: &Facts) -> Option<Run> {
    let runner = match program {
        "npm" | "npx" => Runner::Npm,
        "pnpm" | "pnpx" => Runner::Pnpm,
        "yarn" if facts.package.as_ref().is_some_and(|package| package.manager == Manager::Yarn4) => {
            Runner::Yarn4
        }
        "yarn" => Runner::Yarn1,
        "bun" => Runner::Bun,
        "deno" => Runner::Deno,
        "node" => Runner::Node,
        _ => return None,
    };
    let quiet = |word: &Option<&str>| {
        matches!(word, Some("-s" | "--silent" | "-q" | "--quiet" | "--if-present" | "--bun"))
    };
    let words: Vec<&str> = rest.iter().filter(|word| !quiet(word)).map(|word| word.unwrap_or("$")).collect();
    let several = runner == Runner::Pnpm && may_name_several(&words);
    let is_script = |name: &str| facts.script(name).is_some();
    let (script, args) = match (runner, words.as_slice()) {
        (Runner::Npm, ["run" | "run-script" | "rum" | "urn", name, args @ ..]) => (*name, args),
        (Runner::Npm, [name @ ("start" | "test" | "restart" | "stop"), args @ ..]) => (*name, args),
        (Runner::Pnpm | Runner::Yarn1 | Runner::Yarn4, ["run" | "run-script", name, args @ ..]) => {
            (*name, args)
        }
        (Runner::Bun, ["run", name, args @ ..]) if is_script(name) => (*name, args),
        (Runner::Pnpm | Runner::Yarn1 | Runner::Yarn4 | Runner::Bun, [name, args @ ..])
            if is_script(name) =>
        {
            (*name, args)
        }
        (Runner::Deno, ["task", name, args @ ..]) | (Runner::Node, ["--run", name, args @ ..]) => {
            (*name, args)
        }
        // These run programs; what they run is no script of this package.
        (Runner::Deno | Runner::Node | Runner::Bun, _) => return None,
        (Runner::Npm | Runner::Pnpm | Runner::Yarn1 | Runner::Yarn4, _) => {
            let other = |word: &&str| word.starts_with('-') || word.starts_with("workspace");
            let elsewhere = words.first().is_some_and(other);
            return Some(Run { runner, script: None, args: Vec::new(), elsewhere, several });
        }
    };
    let args = match args.iter().position(|arg| *arg == "--") {
        Some(at) if runner.separated() => &args[at + 1..],
        _ => args,
    };
    let eaten = |arg: &&str| runner == Runner::Npm && !rest.contains(&Some("--")) && arg.starts_with('-');
    let mut own = words.iter().take_while(|word| **word != "--");
    let away = runner == Runner::Npm && own.any(|word| means_another(word));
    let script = (is_script(script) && !script.starts_with('-') && !away).then(|| script.to_string());
    Some(Run {
        runner,
        elsewhere: script.is_none(),
        several: several && script.is_none(),
        script,
        args: args.iter().filter(|arg| !eaten(arg)).map(ToString::to_string).collect(),
    })
}

/// Whether npm runs the script of another package with this word, wherever it stands.
fn means_another(word: &str) -> bool {
    matches!(word, "-w" | "-ws" | "-C") || word.starts_with("--workspace") || word.starts_with("--prefix")
}
