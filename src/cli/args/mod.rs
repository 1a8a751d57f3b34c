//! The command line's grammar. It only checks: nothing here acts, prints or reads a file.

mod run;
mod verbs;

use std::ffi::{OsStr, OsString};

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};

use crate::plan::Request;
use crate::plan::request::KEYS_OF_SERVER;
#[cfg(feature = "dashboard")]
pub(crate) use verbs::Dashboard;
pub(crate) use verbs::{Talk, Verb};

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Invocation {
    /// Run a server.
    Run(Box<Request>),
    /// Do something with servers that are known.
    Verb(Verb),
    /// The names that a sub-command can have, for completions: `__names VERB`.
    Names { verb: String },
    /// devrun as the script shell of a package manager: `-c SCRIPT [ARGS]`.
    ScriptShell { script: OsString, args: Vec<OsString> },
}

/// Parses the arguments, the program's name first. Help and version are errors that exit with 0, as clap has it.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Invocation, clap::Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    if let [_, flag, script, rest @ ..] = args.as_slice()
        && flag == OsStr::new("-c")
    {
        return Ok(Invocation::ScriptShell { script: script.clone(), args: rest.to_vec() });
    }
    if let [_, names, verb] = args.as_slice()
        && names == OsStr::new("__names")
    {
        return Ok(Invocation::Names { verb: verb.to_string_lossy().into_owned() });
    }
    let matches = Cli::command().try_get_matches_from(args)?;
    let cli = Cli::from_arg_matches(&matches)?;
    Ok(match cli.verb {
        None => {
            let mut request = cli.run.request();
            request.written = written(&matches);
            Invocation::Run(Box::new(request))
        }
        Some(verb) => Invocation::Verb(verb),
    })
}

/// The options that say how the server is, as they were written: what a later start from its record needs. Not
/// those that say what this start is for.
fn written(matches: &ArgMatches) -> Vec<OsString> {
    let mut written = Vec::new();
    for key in KEYS_OF_SERVER {
        let id = key.replace('-', "_");
        if matches.value_source(&id) != Some(ValueSource::CommandLine) {
            continue;
        }
        for value in matches.get_raw(&id).into_iter().flatten() {
            // A switch has the value that clap gives it.
            let switch = matches.try_get_one::<bool>(&id).is_ok();
            written.push(format!("--{key}").into());
            written.extend((!switch).then(|| value.to_os_string()));
        }
    }
    written
}

/// Runs any dev server on a stable free port, says when it really answers, and leaves nothing behind.
#[derive(Debug, Parser)]
#[command(
    name = "devrun",
    version,
    args_conflicts_with_subcommands = true,
    args_override_self = true,
    max_term_width = 100,
    override_usage = "devrun [OPTIONS] [--] COMMAND [ARGS]...\n       devrun [OPTIONS]\n       devrun SUBCOMMAND",
    after_help = "Without a command: this project's own (package.json \"dev\", else `cargo run`).\n\
                  {port} {port:NAME} {host} {url} {name} in the command's arguments are filled in.\n\
                  Every option can be set as DEVRUN_OPTION, in devrun.toml and in package.json \"devrun\".\n\
                  DEVRUN=0 runs the command as it stands."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    run: run::Run,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::request::KEYS;

    fn parsed(line: &str) -> Result<Invocation, clap::Error> {
        parse(["devrun"].into_iter().chain(line.split_whitespace()).map(OsString::from))
    }

    fn command(line: &str) -> Vec<OsString> {
        match parsed(line) {
            Ok(Invocation::Run(request)) => request.command,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_grammar_is_sound_and_every_option_has_its_twin() {
        Cli::command().debug_assert();
        let command = Cli::command();
        let options: Vec<_> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
        assert_eq!(options.len(), KEYS.len());
        assert!(KEYS.iter().all(|key| options.contains(key)), "{options:?}");
        let help = Cli::command().render_help().to_string();
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    }

    #[test]
    fn the_first_word_that_is_no_subcommand_is_the_command() {
        let cases = [
            ("npm run dev", "npm run dev"),
            ("-- npm run dev", "npm run dev"),
            ("-p 4000 npm run dev -p 3", "npm run dev -p 3"),
            ("npm ls", "npm ls"),
            ("-n x -- ls --all", "ls --all"),
            ("-- stop", "stop"),
            ("vite --help", "vite --help"),
            ("vite --port 3000 -- x", "vite --port 3000 -- x"),
            ("vite -- --port", "vite -- --port"),
            ("-- vite -- --port", "vite -- --port"),
            ("", ""),
        ];
        for (line, expected) in cases {
            assert_eq!(command(line).join(OsStr::new(" ")), OsString::from(expected), "{line}");
        }
    }

    #[test]
    fn what_a_later_start_needs_is_kept_as_it_was_written() {
        let Ok(Invocation::Run(request)) = parsed(
            "-p 4000 --open -n x --kill-all -d --port-env A=a --port-env B=b --restart always vite -p 1",
        ) else {
            panic!("a run");
        };
        let kept = request.written.join(OsStr::new(" ")).into_string().unwrap();
        assert_eq!(kept, "--port 4000 --port-env A=a --port-env B=b --kill-all --restart always");
        assert!(KEYS_OF_SERVER.iter().all(|key| KEYS.contains(key)));
    }

    #[test]
    fn subcommands_are_told_apart() {
        let verb = |line: &str| match parsed(line) {
            Ok(Invocation::Verb(verb)) => verb,
            other => panic!("{line}: {other:?}"),
        };
        assert!(matches!(verb("ls --json"), Verb::Ls { json: true, all: false }));
        assert!(matches!(verb("stop web api"), Verb::Stop { names, all: false, .. } if names.len() == 2));
        assert!(matches!(verb("logs -fn 5 web"), Verb::Logs { follow: true, lines: Some(5), .. }));
        assert!(matches!(verb("wait --timeout 5s"), Verb::Wait { name: None, timeout: Some(_), .. }));
        assert!(matches!(verb("clean --dry-run"), Verb::Clean { dry_run: true, .. }));
        assert!(matches!(verb("man"), Verb::Man));
        assert!(matches!(verb("completions bash"), Verb::Completions { .. }));
        assert!(matches!(parsed("-c vite x"), Ok(Invocation::ScriptShell { .. })));
    }

    #[test]
    fn wrong_options_are_usage_errors_that_say_what_was_expected() {
        let cases = [
            ("--bogus npm run dev", "--bogus"),
            ("--prot 3 npm", "--port"),
            ("-p 0 npm", "1 to 65535"),
            ("-p 99999 npm", "1 to 65535"),
            ("-p abc npm", "1 to 65535"),
            ("--port-range 5000-4000 npm", "reversed"),
            ("-n a/b npm", "no `/`"),
            ("--ready log:( npm", "regular expression"),
            ("--ready-timeout 30 npm", "30s"),
            ("--owner me npm", "a pid"),
            ("--stop-signal SIGFOO npm", "SIGTERM"),
            ("-q -v npm", "cannot be used"),
            ("--kill-all --spare x npm", "cannot be used"),
            ("stop --all web", "cannot be used"),
            ("who x", "1 to 65535"),
            ("logs --since 5", "5m"),
        ];
        for (line, part) in cases {
            let error = parsed(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains(part), "{line}: {error}");
        }
        let long = format!("-n {} npm", "x".repeat(4096));
        assert!(parsed(&long).unwrap_err().to_string().contains("at most"));
    }
}
