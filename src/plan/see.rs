//! Follows a command through the scripts that it runs, to the server and to the port written for it. Pure.

use super::Port;
use super::facts::Facts;
use super::frameworks::{Role, Server};
use super::inject::{Append, Beside};
use super::look::{Look, look};
use super::runner::{Run, run};
use super::script::{Script, Word, one_of, quoted, split, texts, the_one};

/// How deep scripts that run scripts are followed.
const DEPTH: usize = 5;

/// What was seen in a command, through the scripts it runs.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) server: Option<&'static Server>,
    pub(super) port: Option<Port>,
    /// The script that the command itself runs.
    pub(super) run: Option<Run>,
    pub(super) append: Option<Append>,
    pub(super) beside: Beside,
    /// It runs scripts that are not known, of another package or too odd.
    pub(super) blind: bool,
    /// A runner is among the words of a program that is not known, or too deep to be followed.
    pub(super) wraps: bool,
    /// It goes to another folder, where other scripts may have the same names.
    pub(super) moves: bool,
    /// Its scripts use `$PORT`: whoever wrote that knows who has it.
    names_port: bool,
    /// Numbers in its words and in its scripts, which may be ports.
    numbers: Vec<u16>,
}

/// Looks at a command, and at the scripts that it runs.
pub(super) fn see(words: &[Option<&str>], facts: &Facts) -> Seen {
    see_to(words, facts, DEPTH)
}

/// The same, with scripts that run scripts followed so deep.
fn see_to(words: &[Option<&str>], facts: &Facts, depth: usize) -> Seen {
    let seen = look(words);
    let port = seen.spots.last().map(|spot| spot.port);
    let run = seen.program.as_ref().and_then(|(at, name)| run(name, &words[at + 1..], facts));
    // `yarn serve` runs the script of that name before a program of that name.
    let run = run.or_else(|| wrapped_script(words, &seen, facts));
    let text = run.as_ref().and_then(|run| Some((run, facts.script(run.script.as_deref()?)?)));
    let Some((runs, text)) = text.filter(|_| depth > 0) else {
        let port = port.or_else(|| if depth == DEPTH && run.is_none() { any_port(words) } else { None });
        let blind = run.as_ref().is_some_and(|run| run.elsewhere);
        let several = run.as_ref().is_some_and(|run| run.several);
        let beside = if several { Beside::Unclear } else { Beside::Nothing };
        let moves = matches!(words.first(), Some(Some("cd" | "pushd")));
        let followed = run.is_some() && depth > 0;
        let wraps = !followed && seen.server.is_none() && words.iter().flatten().any(|word| has_runner(word));
        let numbers = numbers(words);
        let server = seen.server;
        return Seen { server, port, run, blind, wraps, moves, beside, numbers, ..Seen::default() };
    };
    let text = runs.args.iter().fold(text.to_string(), |text, arg| format!("{text} {}", quoted(arg)));
    let Some(Script { commands, at_once }) = split(&text) else {
        return Seen { run, blind: true, ..Seen::default() };
    };
    let below: Vec<Seen> = commands.iter().map(|command| see_to(&texts(command), facts, depth - 1)).collect();
    let of_several = below.iter().find(|seen| seen.server.is_some_and(|server| server.role != Role::Server));
    let only = one_of(&below, |seen| seen.server, |seen| seen.port.is_some()).map(|at| &below[at]);
    let blind = below.iter().any(|seen| seen.blind);
    let names_port = ["$PORT", "${PORT"].iter().any(|name| text.contains(name));
    let names_port = names_port || below.iter().any(|seen| seen.names_port);
    let beside = match only {
        _ if of_several.is_some() || at_once && names_port => Beside::Nothing,
        Some(one) if !at_once => one.beside,
        Some(one) if one.beside != Beside::Unclear && !blind && !agreed(one, &below) => Beside::Others,
        None if !at_once => below.iter().map(|seen| seen.beside).max().unwrap_or_default(),
        _ => Beside::Unclear,
    };
    let clear = of_several.is_none() && beside != Beside::Unclear;
    let append = (depth == DEPTH && clear).then(|| append(runs, &text, &commands)).flatten();
    Seen {
        server: of_several.or(only).and_then(|seen| seen.server),
        // `PORT=1 npm run web` is for a server that names no port itself.
        port: only.and_then(|seen| seen.port).or(port),
        append,
        run,
        beside,
        blind,
        wraps: below.iter().any(|seen| seen.wraps),
        moves: below.iter().any(|seen| seen.moves),
        names_port,
        numbers: below.into_iter().flat_map(|seen| seen.numbers).chain(numbers(words)).collect(),
    }
}

/// Whether another of the commands, or a script below it, names the port that this one has without devrun, as
/// `wait-on tcp:5173` does.
fn agreed(one: &Seen, below: &[Seen]) -> bool {
    let usual = one.server.and_then(|server| server.default_port);
    let Some(port) = one.port.map(Port::get).or(usual) else { return false };
    below.iter().any(|seen| !std::ptr::eq(seen, one) && seen.numbers.contains(&port))
}

/// Whether a runner of scripts is called in this argument, as in `sh -c 'npm run web'`.
fn has_runner(word: &str) -> bool {
    word.split_whitespace().any(|word| matches!(word, "npm" | "pnpm" | "yarn"))
}

/// The numbers in these words, as far as they can be ports.
fn numbers(words: &[Option<&str>]) -> Vec<u16> {
    let digits = words.iter().flatten().flat_map(|word| word.split(|c: char| !c.is_ascii_digit()));
    digits.filter_map(|number| number.parse().ok()).collect()
}

/// The script behind `yarn serve`, where a program is called `serve` too.
fn wrapped_script(words: &[Option<&str>], seen: &Look, facts: &Facts) -> Option<Run> {
    let (at, _) = seen.program.as_ref()?;
    let manager = words[..*at].iter().position(|word| matches!(word, Some("pnpm" | "yarn" | "bun")))?;
    let run = run(words[manager]?, &words[manager + 1..], facts)?;
    run.script.is_some().then_some(run)
}

/// `--port 3000` of a program that is not known.
fn any_port(words: &[Option<&str>]) -> Option<Port> {
    let at = words
        .iter()
        .position(|word| word.is_some_and(|word| word == "--port" || word.starts_with("--port=")))?;
    let word = words[at]?;
    word.strip_prefix("--port=").or_else(|| words.get(at + 1).copied().flatten())?.parse().ok()
}

/// Where flags can be appended to the script: it ends in the server, and in nothing that would break.
fn append(run: &Run, text: &str, commands: &[Vec<Word>]) -> Option<Append> {
    let breaks = text.contains(['|', '(', ')', '#', '<', '>', '\n']) || text.trim_end().ends_with(['&', ';']);
    let looks: Vec<_> = commands.iter().map(|command| look(&texts(command))).collect();
    let one = the_one(&looks)?;
    let flag = looks[one].server.is_some_and(|server| !server.add.is_empty());
    if run.runner.hooked() || breaks || !flag || one + 1 != commands.len() {
        return None;
    }
    let words = texts(&commands[one]).into_iter().map(|word| word.map(str::to_string)).collect();
    Some(Append { runner: run.runner, words })
}
