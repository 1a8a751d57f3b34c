//! What the script shell is told, and so which port in a script gives way.

use super::*;
use crate::plan::inject::Told;
use crate::plan::look::Written;

#[test]
fn what_the_script_shell_is_told_is_what_it_hears() {
    let port = "4100".parse().unwrap();
    let only = Written::Only("3000".parse().unwrap());
    for (written, beside) in
        [(Written::None, false), (only, false), (Written::Any, false), (Written::None, true)]
    {
        let told = Told { port, written, beside };
        assert_eq!(Told::parse(told.to_string().as_ref()), Some(told));
    }
    for told in ["0 keep", "4100", "4100 replace", "4100 replace 0", "4100 keep 3000", "4100 beside", ""] {
        assert_eq!(Told::parse(told.as_ref()), None, "{told}");
    }
    for (script, expected) in [
        // Nothing gives way but the port of the server itself.
        ("vite", "4100 keep"),
        ("PORT=4001 node api.js & vite", "4100 keep beside"),
        ("vite --port 3000", "4100 replace 3000"),
        ("PORT=4001 node api.js & npm run in", "4100 replace 3210 beside"),
        ("PORT=4001 npm run in", "4100 replace 3210"),
        ("PORT=4001 node api.js", "4100 replace 4001"),
    ] {
        let mut facts = project(script, "");
        for user in [None, Some(port)] {
            facts.settings.port = user;
            let told = var(&filled(&plan("npm run dev", &facts)), "DEVRUN_INJECT");
            assert_eq!(told.as_deref(), Some(expected), "{script}");
        }
    }
}

#[test]
fn a_port_that_was_asked_for_reaches_scripts_that_cant_be_followed() {
    let port = "4100".parse().unwrap();
    for (command, script, expected) in [
        ("npm --prefix web run dev", "vite", "4100 replace any"),
        ("npm run dev --prefix web", "vite", "4100 replace any"),
        ("npm run dev", "cd web && npm run dev", "4100 replace any"),
        ("npm run dev", "case $A in a) npm run in;; esac", "4100 replace any"),
        ("npm run dev", "PORT=4001 node api.js & npm --prefix web run dev", "4100 keep"),
    ] {
        let mut facts = project(script, "");
        for (user, expected) in [(Some(port), expected), (None, "4100 keep")] {
            facts.settings.port = user;
            let told = var(&filled(&plan(command, &facts)), "DEVRUN_INJECT");
            assert!(told.is_none() || told.as_deref() == Some(expected), "{command}, {script}: {told:?}");
            assert!(told.is_some() || expected == "4100 keep", "{command}, {script}");
        }
    }
}

#[test]
fn below_a_program_that_is_not_known_there_may_be_several_servers_and_nothing_is_told() {
    for (command, script, hooked) in [
        ("npm run dev", "node scripts/dev.mjs", false),
        ("npm run dev", "tsc && ./dev.sh", false),
        ("pnpm dev", "nodemon server.js", false),
        ("npm run dev", "PORT=3000 node server.js", true),
        ("npm run dev", "with-env npm run in", true),
        ("npm run dev", "sh -c 'npm run in'", true),
        ("npm run dev", "node $(ls)", true),
        ("npm run dev", "cd web && node x.js", true),
        ("npm run dev -w web", "node x.js", true),
    ] {
        let found = var(&filled(&plan(command, &project(script, ""))), "DEVRUN_INJECT");
        assert_eq!(found.is_some(), hooked, "{script}");
    }
}
