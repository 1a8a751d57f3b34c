//! Splitting and rewriting against a real shell: what it runs before and after.
#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::plan::Port;
use crate::plan::look::Written;

/// What stands for every program: it tells its name, `PORT` and its arguments, whatever its output is.
const TELLER: &str = "#!/bin/sh\nprintf '%s\\0' \"PORT=$PORT\" \"${0##*/}\" \"$@\" END >&9\n";

const PROGRAMS: &[&str] =
    &["vite", "astro", "ng", "php", "env-like", "cross-env", "npx", "tsc", "tee", "node", "next"];

/// A folder with a teller for every name.
fn programs() -> tempfile::TempDir {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let teller = folder.path().join("teller");
    // Not written by this process: children that other tests start just now would have it open for writing, too.
    let write = r#"printf %s "$1" >"$0" && chmod 755 "$0""#;
    assert!(Command::new("sh").args(["-c", write]).arg(&teller).arg(TELLER).status().unwrap().success());
    PROGRAMS.iter().for_each(|name| symlink(&teller, folder.path().join(name)).unwrap());
    folder
}

/// The commands that the shell runs, in any order, and its status.
fn run(folder: &Path, script: &str) -> (Vec<Vec<String>>, Option<i32>) {
    let work = tempfile::tempdir().unwrap();
    let child = Command::new("/bin/sh")
        // The pipe ends when nobody is left that could tell.
        .args(["-c", "exec 9>&1 >/dev/null; eval \"$0\"", script])
        .env_clear()
        .env("PATH", folder)
        .current_dir(work.path())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8(child.stdout).unwrap();
    let mut commands = vec![Vec::new()];
    for word in told.split_terminator('\0') {
        match word {
            "END" => commands.push(Vec::new()),
            word => commands.last_mut().unwrap().push(word.to_string()),
        }
    }
    commands.pop();
    commands.sort();
    (commands, child.status.code())
}

/// Whether the second command is the first but for words that give it its port.
fn is_given_a_port(before: &[String], after: &[String]) -> bool {
    const ADDED: &[&str] = &["--port", "4100", "--strictPort", "--host", "127.0.0.1"];
    match (before, after) {
        ([], []) => true,
        ([first, rest @ ..], [word, more @ ..])
            if same_but_for_the_port(first, word) && is_given_a_port(rest, more) =>
        {
            true
        }
        (_, [word, more @ ..]) => ADDED.contains(&word.as_str()) && is_given_a_port(before, more),
        (_, []) => false,
    }
}

/// Those of the first list that are not in the second, each as often as it is there.
fn without(all: &[Vec<String>], others: &[Vec<String>]) -> Vec<Vec<String>> {
    others.iter().fold(all.to_vec(), |mut left, other| {
        if let Some(at) = left.iter().position(|one| one == other) {
            left.remove(at);
        }
        left
    })
}

fn same_but_for_the_port(before: &str, after: &str) -> bool {
    before == after
        || (before, after) == ("PORT=", "PORT=4100")
        || after
            .strip_suffix("4100")
            .is_some_and(|head| before.strip_prefix(head).is_some_and(|port| port.parse::<u16>().is_ok()))
}

/// A piece of a script; strung together they are scripts of every kind, right and wrong.
fn piece() -> impl Strategy<Value = String> {
    let word = "[a-z]{1,3}|--[a-z]{1,4}|'[a-z #;&|\"]{0,5}'|\"[a-z #;&|'$]{0,5}\"|\\\\[ a-z;'\"#\n]|a\\\\\nb|a#b|-p|3000|--port|--port=3000|\\$X|\\$\\{X:-y\\}|\\$'|\\*|x\r|''";
    prop_oneof![
        4 => word.prop_map(|word| format!("{word} ")),
        4 => proptest::sample::select(&["vite ", "vite dev ", "astro dev ", "ng serve ", "php -S a:80 ", "next dev ", "tsc ", "node ", "vite", "'vite' "][..]).prop_map(str::to_string),
        2 => proptest::sample::select(&["PORT=3000 ", "A='b c' ", "cross-env ", "npx ", "-- ", "exec ", "! "][..]).prop_map(str::to_string),
        4 => proptest::sample::select(&["&& ", "|| ", "; ", "| ", "& ", "\n", "( ", ") ", "{ ", "; } ", "# ", "\\\n"][..]).prop_map(str::to_string),
        2 => proptest::sample::select(&[">log ", "2>&1 ", "</dev/null ", "&>log ", ">>log", "> ", ">|log ", "2>", "<<X\nvite\nX\n"][..]).prop_map(str::to_string),
        2 => proptest::sample::select(&["if ", "then ", "; fi ", "else ", "while false; do ", "; done ", "for i in vite; do ", "case vite in ", "case $X in vite) ", ";; esac ", "vite() { ", "$(", "`", "eval ", "if case a in vite|b) "][..]).prop_map(str::to_string),
    ]
}

fn told(written: Option<u16>, beside: bool) -> Told {
    let written = written.and_then(Port::new).map_or(Written::None, Written::Only);
    Told { port: "4100".parse().unwrap(), written, beside }
}

/// Each case starts processes.
fn fewer() -> ProptestConfig {
    let usual = crate::testing::properties();
    ProptestConfig { cases: usual.cases.div_ceil(4), max_shrink_iters: 200, ..usual }
}

proptest! {
    #![proptest_config(fewer())]

    #[test]
    fn a_rewritten_script_runs_the_same_commands_but_for_the_added_words(
        pieces in proptest::collection::vec(piece(), 1..9), written in proptest::option::of(proptest::sample::select(&[3000, 80][..])), beside: bool,
    ) {
        let script = pieces.concat();
        let rewritten = rewrite(&script, told(written, beside)).script;
        if rewritten != script {
            let folder = programs();
            let (before, status) = run(folder.path(), &script);
            let (after, new_status) = run(folder.path(), &rewritten);
            prop_assert_eq!(status, new_status, "{} became {}", script, rewritten);
            prop_assert_eq!(before.len(), after.len(), "{} became {}", script, rewritten);
            let (gone, new) = (without(&before, &after), without(&after, &before));
            prop_assert!(gone.len() == new.len() && gone.len() <= 1, "{script} became {rewritten}: {gone:?} {new:?}");
            for (before, after) in gone.into_iter().zip(new) {
                prop_assert!(is_given_a_port(&before, &after), "{script} became {rewritten}: {before:?} {after:?}");
            }
        }
    }

    #[test]
    fn words_are_those_of_the_shell(words in proptest::collection::vec("([a-z0-9=:.,/@%+-]|'[^'\0]{0,3}'|\"[a-z '!;]{0,3}\"|\"\\\\[\"\\\\$`a-z]\"|\\\\[^\n\0]){1,4}", 1..5)) {
        let written = words.join(" ");
        if let Some(Script { commands, .. }) = split(&format!("tee {written}")) {
            let folder = programs();
            let (told, _) = run(folder.path(), &format!("tee {written}"));
            prop_assert_eq!(commands.len(), 1);
            let ours: Vec<&str> = commands[0].iter().map(|word| word.text.as_str()).collect();
            let theirs: Vec<&str> = told[0][1..].iter().map(String::as_str).collect();
            prop_assert_eq!(ours, theirs, "{}", written);
        }
    }

    #[test]
    fn what_is_quoted_is_one_word_for_the_shell(word in "[^\0]{0,12}") {
        let folder = programs();
        let (told, _) = run(folder.path(), &format!("tee {}", quoted(&word)));
        prop_assert_eq!(&told[0][2..], std::slice::from_ref(&word));
    }

    #[test]
    fn no_script_is_too_odd(script in "([a-z '\"\\\\$`{}();&|<>#=\n]|.){0,40}") {
        rewrite(&script, told(Some(3000), true));
    }
}
