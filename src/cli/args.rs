//! The command line's grammar. It only checks: nothing here acts, prints or reads a file.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::plan::request::KEYS_OF_SERVER;
use crate::plan::values::{self, PortVariable};
use crate::plan::{IfRunning, Owner, Port, PortRange, ReadyCheck, Request, RestartPolicy, StopSignal};

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Invocation {
    /// Run a server.
    Run(Box<Request>),
    /// List the servers.
    Ls { json: bool, all: bool },
    /// Stop a server, or all.
    Stop { name: Option<String>, all: bool },
    /// End ghosts, forget servers whose folder is gone.
    Clean { dry_run: bool },
    /// Run Tauri's `dev` beside this project's dev server.
    Tauri { args: Vec<OsString> },
    /// Look at this machine and this project, and try the promises.
    Doctor { json: bool },
    /// Be the dev server of the doctor's trials.
    DoctorServer,
    /// Print completions.
    Completions { shell: clap_complete::Shell },
    /// Print the man page.
    Man,
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
    let matches = Cli::command().try_get_matches_from(args)?;
    let cli = Cli::from_arg_matches(&matches)?;
    Ok(match cli.command {
        None => {
            let mut request = cli.run.request();
            request.written = written(&matches);
            Invocation::Run(Box::new(request))
        }
        Some(Command::Ls { json, all }) => Invocation::Ls { json, all },
        Some(Command::Stop { name, all }) => Invocation::Stop { name, all },
        Some(Command::Clean { dry_run }) => Invocation::Clean { dry_run },
        Some(Command::Tauri { args }) => Invocation::Tauri { args },
        Some(Command::Doctor { serve: true, .. }) => Invocation::DoctorServer,
        Some(Command::Doctor { json, serve: false }) => Invocation::Doctor { json },
        Some(Command::Completions { shell }) => Invocation::Completions { shell },
        Some(Command::Man) => Invocation::Man,
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
    override_usage = "devrun [OPTIONS] [--] COMMAND [ARGS]...\n       devrun [OPTIONS]\n       devrun ls | stop | clean | tauri | doctor | completions",
    after_help = "Without a command: this project's own (package.json \"dev\", else `cargo run`).\n\
                  {port} {port:NAME} {host} {url} {name} in the command's arguments are filled in.\n\
                  Every option can be set as DEVRUN_OPTION, in devrun.toml and in package.json \"devrun\".\n\
                  DEVRUN=0 runs the command as it stands."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    run: Run,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum Command {
    /// List the servers
    Ls {
        /// One JSON array
        #[arg(long)]
        json: bool,
        /// Stopped ones too
        #[arg(short, long)]
        all: bool,
    },
    /// Stop a server (default: this folder's)
    Stop {
        /// Its name
        name: Option<String>,
        /// All servers
        #[arg(long, conflicts_with = "name")]
        all: bool,
    },
    /// End what crashed runs left, forget servers whose folder is gone
    Clean {
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Run `tauri dev`, its dev server on a free port: devrun tauri dev [ARGS]...
    #[command(disable_help_flag = true)]
    Tauri {
        /// Tauri's own: dev [ARGS]
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        args: Vec<OsString>,
    },
    /// Look at this machine and this project, try the promises
    Doctor {
        /// One JSON object
        #[arg(long)]
        json: bool,
        #[arg(long, hide = true)]
        serve: bool,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the man page
    #[command(hide = true)]
    Man,
}

#[derive(Debug, Args)]
struct Run {
    /// The server's name [default: the project's]
    #[arg(short, long, value_parser = values::name)]
    name: Option<String>,
    /// Run as if started there
    #[arg(short = 'C', long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// Open the browser once ready
    #[arg(long)]
    open: bool,
    /// Run it once ready, then stop; exit with its status
    #[arg(long, value_name = "COMMAND", value_parser = values::command)]
    then: Option<String>,
    /// In the background; return when ready
    #[arg(short, long, conflicts_with = "then")]
    detach: bool,
    /// If it runs already: url, replace, error, new [default: url]
    #[arg(long, value_name = "WHAT", value_parser = values::if_running)]
    if_running: Option<IfRunning>,
    /// Same as --if-running replace
    #[arg(long, conflicts_with = "if_running")]
    force: bool,

    /// Preferred port; busy: the next free one
    #[arg(short, long, help_heading = "Port", value_parser = |text: &str| text.parse::<Port>())]
    port: Option<Port>,
    /// A busy port is an error (75)
    #[arg(long, help_heading = "Port")]
    strict_port: bool,
    /// Where ports come from [default: 3000-4999]
    #[arg(long, help_heading = "Port", value_name = "A-B", value_parser = |text: &str| text.parse::<PortRange>())]
    port_range: Option<PortRange>,
    /// Another variable for the port; with =NAME for a second one
    #[arg(long, help_heading = "Port", value_name = "VAR[=NAME]", value_parser = values::port_variable)]
    port_env: Vec<PortVariable>,
    /// Set the environment only, touch no arguments
    #[arg(long, help_heading = "Port")]
    no_inject: bool,

    /// When it is ready: URL, /PATH, tcp, log:REGEX, none [default: /]
    #[arg(long, help_heading = "Readiness", value_name = "CHECK", value_parser = values::ready)]
    ready: Option<ReadyCheck>,
    /// Not ready in time: stop, exit 124 [default: wait]
    #[arg(long, help_heading = "Readiness", value_name = "DURATION", value_parser = values::duration)]
    ready_timeout: Option<Duration>,

    /// Start it again: never, on-failure[:N], always [default: never]
    #[arg(long, help_heading = "Supervision", value_name = "POLICY", value_parser = values::restart)]
    restart: Option<RestartPolicy>,
    /// What is asked once it is ready: URL, /PATH, tcp [default: as --ready]
    #[arg(long, help_heading = "Supervision", value_name = "CHECK", value_parser = values::health)]
    health: Option<ReadyCheck>,
    /// How often [default: 5s, with a health option or --restart]
    #[arg(long, help_heading = "Supervision", value_name = "DURATION", value_parser = values::interval)]
    health_interval: Option<Duration>,
    /// So many failures in a row: unhealthy [default: 3]
    #[arg(long, help_heading = "Supervision", value_name = "N", value_parser = values::count)]
    health_retries: Option<u32>,

    /// The signal that asks the tree to end [default: SIGTERM]
    #[arg(long, help_heading = "Stopping", value_name = "SIGNAL", value_parser = values::stop_signal)]
    stop_signal: Option<StopSignal>,
    /// Grace period before SIGKILL [default: 5s]
    #[arg(long, help_heading = "Stopping", value_name = "DURATION", value_parser = values::duration)]
    stop_timeout: Option<Duration>,
    /// A program to leave running
    #[arg(long, help_heading = "Stopping", value_name = "NAME")]
    spare: Vec<String>,
    /// Leave nothing running, not even browser or editor
    #[arg(long, help_heading = "Stopping", conflicts_with = "spare")]
    kill_all: bool,
    /// Die with this process: auto, none, PID [default: auto]
    #[arg(long, help_heading = "Stopping", value_name = "OWNER", value_parser = values::owner)]
    owner: Option<Owner>,

    /// In a terminal too, keep the output for `devrun logs`
    #[arg(long, help_heading = "Output")]
    log: bool,
    /// Events as JSON lines on stderr
    #[arg(long, help_heading = "Output")]
    json: bool,
    /// Say less
    #[arg(short, long, help_heading = "Output", conflicts_with = "verbose")]
    quiet: bool,
    /// Say what devrun does (DEVRUN_LOG filters)
    #[arg(short, long, help_heading = "Output", action = ArgAction::SetTrue)]
    verbose: bool,

    /// Program and arguments
    #[arg(trailing_var_arg = true, value_name = "COMMAND", hide = true)]
    command: Vec<OsString>,
}

impl Run {
    fn request(self) -> Request {
        // A switch that is not given is no wish: the environment or a file may have one.
        let wish = |given: bool| given.then_some(true);
        Request {
            command: self.command,
            name: self.name,
            port: self.port,
            strict_port: wish(self.strict_port),
            port_range: self.port_range,
            port_env: self.port_env,
            cwd: self.cwd,
            no_inject: wish(self.no_inject),
            ready: self.ready,
            ready_timeout: self.ready_timeout,
            open: wish(self.open),
            stop_signal: self.stop_signal,
            stop_timeout: self.stop_timeout,
            spare: self.spare,
            kill_all: wish(self.kill_all),
            owner: self.owner,
            then: self.then,
            detach: wish(self.detach),
            log: wish(self.log),
            if_running: self.if_running.or(self.force.then_some(IfRunning::Replace)),
            restart: self.restart,
            health: self.health,
            health_interval: self.health_interval,
            health_retries: self.health_retries,
            json: wish(self.json),
            quiet: wish(self.quiet),
            verbose: wish(self.verbose),
            written: Vec::new(),
        }
    }
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
        assert!(matches!(parsed("ls --json"), Ok(Invocation::Ls { json: true, all: false })));
        assert!(matches!(parsed("stop web"), Ok(Invocation::Stop { name: Some(_), all: false })));
        assert!(matches!(parsed("clean --dry-run"), Ok(Invocation::Clean { dry_run: true })));
        assert!(matches!(parsed("completions bash"), Ok(Invocation::Completions { .. })));
        assert!(matches!(parsed("man"), Ok(Invocation::Man)));
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
