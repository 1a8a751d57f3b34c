//! Completions for shells: options and sub-commands by clap, names of servers by asking devrun at the time. Nothing
//! but printing.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::table::print;
use super::verb::Servers;
use crate::error::Error;
use crate::plan::values;
use crate::registry::Entry;

/// The name under which the generated function of bash and zsh goes on, and that by which the shell calls it.
const GENERATED: &str = "_devrun() {";
const RENAMED: &str = "_devrun_options() {";

/// Where a name is expected, asks for them; else leaves it to the generated function. bash cuts words at `:` and `@`
/// and replaces only the last piece (its second argument); what is inserted is quoted.
const BASH: &str = r#"
_devrun() {
    local cur="${COMP_LINE:0:COMP_POINT}" verb="${COMP_WORDS[1]}" before="${COMP_WORDS[COMP_CWORD-1]}" head name
    cur="${cur##*[[:space:]]}"
    case "$verb $before" in
        "clean --forget") ;;
        clean* | *" -n" | *" --lines" | *" --since" | *" --timeout") verb="" ;;
    esac
    case "$COMP_CWORD $verb $cur" in
        [01]" "* | *" "*" -"*) _devrun_options "$@" ;;
        *" status "* | *" start "* | *" stop "* | *" restart "* | *" open "* | *" logs "* | *" wait "* | \
            *" url "* | *" events "* | *" clean "*)
            head="${cur%"$2"}"
            [[ -z "$2" || "$head" != "$cur" ]] || head=""
            COMPREPLY=()
            while IFS= read -r name; do
                printf -v name %q "$name"
                [[ "$name" != "$cur"* ]] || COMPREPLY+=("${name#"$head"}")
            done < <("${COMP_WORDS[0]}" __names "$verb" 2>/dev/null) ;;
        *) _devrun_options "$@" ;;
    esac
}
"#;

const ZSH: &str = r#"
_devrun() {
    local verb="$words[2]" before="$words[CURRENT-1]"
    local -a names
    case "$verb $before" in
        "clean --forget") ;;
        clean* | *" -n" | *" --lines" | *" --since" | *" --timeout") verb="" ;;
    esac
    case "$verb" in
        status|start|stop|restart|open|logs|wait|url|events|clean)
            if (( CURRENT > 2 )) && [[ "$words[CURRENT]" != -* ]]; then
                names=("${(@f)$("$words[1]" __names "$verb" 2>/dev/null)}")
                compadd -a names
                return
            fi ;;
    esac
    _devrun_options "$@"
}
"#;

const FISH: &str = r#"
for verb in status start stop restart open logs wait url events
    complete -c devrun -n "__fish_seen_subcommand_from $verb" -f -a "(devrun __names $verb 2>/dev/null)"
end
complete -c devrun -n "__fish_seen_subcommand_from clean" -l forget -x -a "(devrun __names clean 2>/dev/null)"
"#;

/// Writes the completions of this shell.
pub(crate) fn write(shell: Shell) -> Result<ExitCode, Error> {
    print(&script(shell));
    Ok(ExitCode::SUCCESS)
}

fn script(shell: Shell) -> String {
    let grammar = super::args::Cli::command();
    // Without the command that is run: zsh would take a sub-command for it.
    let options = grammar.get_arguments().filter(|arg| !arg.is_positional()).cloned();
    let mut grammar =
        clap::Command::new("devrun").args(options).subcommands(grammar.get_subcommands().cloned());
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut grammar, "devrun", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => with_names(&script, BASH, "if [[ \"${BASH_VERSINFO[0]}\""),
        Shell::Zsh => with_names(&script, ZSH, "if [ \"$funcstack[1]\""),
        Shell::Fish => script + FISH,
        _ => script,
    }
}

/// The generated script with its function renamed, and ours before the line that tells the shell of it.
fn with_names(script: &str, ours: &str, before: &str) -> String {
    let renamed = script.replacen(GENERATED, RENAMED, 1);
    match renamed.rfind(before) {
        Some(at) => format!("{}{ours}\n{}", &renamed[..at], &renamed[at..]),
        None => script.to_string(),
    }
}

/// Prints the names that this sub-command can have, one a line.
pub(crate) fn names(verb: &str) -> Result<ExitCode, Error> {
    let servers = Servers::look()?;
    let fits = |entry: &&Entry| match verb {
        "stop" => entry.live,
        "start" | "clean" => !entry.live,
        _ => true,
    };
    let names: BTreeSet<&str> =
        servers.entries.iter().filter(fits).map(|entry| entry.record.name.as_str()).collect();
    // A name from a record made by hand must not become two, or steer the terminal.
    let names = names.into_iter().filter(|name| values::name(name).is_ok());
    print(&names.fold(String::new(), |text, name| text + name + "\n"));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_that_takes_a_name_asks_for_names_in_each_shell() {
        let grammar = super::super::args::Cli::command();
        let takes_name = |verb: &&clap::Command| {
            verb.get_positionals().any(|arg| matches!(arg.get_id().as_str(), "name" | "names"))
        };
        let verbs: Vec<_> =
            grammar.get_subcommands().filter(takes_name).map(clap::Command::get_name).collect();
        assert!(verbs.len() > 8, "{verbs:?}");
        let list = |script: &str, begin: &str, end: char| {
            let list = script.split(begin).nth(1).unwrap().split(end).next().unwrap();
            list.split([' ', '|']).map(str::to_string).collect::<Vec<_>>()
        };
        let (zsh, fish) = (list(ZSH, "case \"$verb\" in\n", ')'), list(FISH, "for verb in ", '\n'));
        for verb in verbs {
            assert!(BASH.contains(&format!("*\" {verb} \"*")), "bash: {verb}");
            assert!(zsh.iter().any(|word| word == verb), "zsh: {verb} in {zsh:?}");
            assert!(fish.iter().any(|word| word == verb), "fish: {verb} in {fish:?}");
        }
    }

    #[test]
    fn the_scripts_of_bash_and_zsh_ask_for_names_first() {
        for shell in [Shell::Bash, Shell::Zsh] {
            let script = script(shell);
            assert_eq!(script.matches(GENERATED).count(), 1, "{shell}: ours alone is called _devrun");
            assert_eq!(script.matches(RENAMED).count(), 1, "{shell}");
            assert!(script.find(RENAMED) < script.find(GENERATED), "{shell}");
        }
    }
}
