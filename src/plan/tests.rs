//! Whole plans: what a command line, a project and an environment come to.

use std::ffi::OsString;

use super::facts::tests::facts;
use super::{CommandLine, Facts, Plan, PortSet, Request, Wanted, WantedBy, make};

fn plan(command: &str, facts: &Facts) -> Plan {
    let command = command.split_whitespace().map(OsString::from).collect();
    make(Request { command, ..Request::default() }, facts).unwrap()
}

fn filled(plan: &Plan) -> CommandLine {
    let extra = plan.ports.extra.iter().map(|extra| (extra.name.clone(), "4200".parse().unwrap())).collect();
    plan.command(&PortSet { main: "4100".parse().unwrap(), extra })
}

fn line(command: &CommandLine) -> String {
    let words = std::iter::once(&command.program).chain(&command.args);
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn var(command: &CommandLine, name: &str) -> Option<String> {
    let value = command.env.iter().find(|(key, _)| key == name)?.1.as_ref()?;
    Some(value.to_str().unwrap().to_string())
}

fn project(script: &str, more: &str) -> Facts {
    facts("/p", &serde_json::json!({"scripts": {"dev": script, "serve": "vue-cli-service serve", "in": "vite --port 3210"}}).to_string().replacen('{', &format!("{{{more}"), 1))
}

#[test]
fn a_direct_command_gets_what_its_server_needs() {
    let facts = facts("/p", "{}");
    let cases = [
        ("vite", "vite --port 4100 --strictPort --host 127.0.0.1"),
        ("npx vite dev", "npx vite dev --port 4100 --strictPort --host 127.0.0.1"),
        ("next dev", "next dev"),
        ("next dev -p 3000", "next dev -p 4100"),
        ("env PORT=3000 node x.js", "env PORT=4100 node x.js"),
        ("python3 -m http.server", "python3 -m http.server 4100 --bind 127.0.0.1"),
        (
            "mine --port {port} {host} {url} {name} {port:x} x{port}",
            "mine --port 4100 127.0.0.1 http://localhost:4100 p {port:x} x{port}",
        ),
        ("concurrently vite api", "concurrently vite api"),
        ("devrun -- vite", "devrun -- vite"),
        ("node server.js --port 3000", "node server.js --port 3000"),
    ];
    for (command, expected) in cases {
        assert_eq!(line(&filled(&plan(command, &facts))), expected);
    }
}

#[test]
fn a_server_that_moved_gets_a_hint_that_fits_what_was_run() {
    for (command, script, expected) in [
        ("vite", "", "give vite its port: --port {port} in the command after devrun --"),
        ("npm run dev", "node server.js", "let the server read PORT, or write {port} where its port belongs"),
        (
            "npm run dev",
            "turbo run dev",
            "let what starts it hand PORT on, or write the port into its configuration",
        ),
    ] {
        assert_eq!(plan(command, &project(script, "")).port_hint().as_deref(), Some(expected), "{script}");
    }
}

#[test]
fn a_command_that_is_not_utf8_passes_untouched() {
    let odd = crate::sys::testing::not_utf8();
    let request = Request { command: vec!["vite".into(), odd.clone()], ..Request::default() };
    let command = filled(&make(request, &facts("/p", "{}")).unwrap());
    assert_eq!(command.args.last(), Some(&odd));
    assert_eq!(command.args.first().unwrap(), "--port");
}

#[test]
fn the_environment_is_set_by_what_the_server_reads() {
    let facts = facts("/p", "{}");
    let get = |command: &str, name: &str| var(&filled(&plan(command, &facts)), name);
    for name in
        ["PORT", "VITE_DEV_PORT", "DEVRUN_PORT", "FLASK_RUN_PORT", "UVICORN_PORT", "BUN_PORT", "SERVER_PORT"]
    {
        assert_eq!(get("make dev", name).as_deref(), Some("4100"), "{name}");
    }
    assert_eq!(get("make dev", "DEVRUN_URL").as_deref(), Some("http://localhost:4100"));
    assert_eq!(get("make dev", "DEVRUN_NAME").as_deref(), Some("p"));
    for (command, name) in [
        ("jupyter lab", "JUPYTER_PORT"),
        ("jupyter-lab", "JUPYTER_PORT"),
        ("jupyter-notebook", "JUPYTER_PORT"),
        ("reflex run", "REFLEX_FRONTEND_PORT"),
        ("trunk serve", "TRUNK_SERVE_PORT"),
        ("php artisan serve", "SERVER_PORT"),
    ] {
        assert_eq!(get(command, name).as_deref(), Some("4100"), "{command}");
    }
    assert_eq!(get("gunicorn a:b", "GUNICORN_CMD_ARGS").as_deref(), Some("--bind=127.0.0.1:4100"));
    assert_eq!(get("deno run x.ts", "DENO_SERVE_ADDRESS").as_deref(), Some("tcp:127.0.0.1:4100"));
    assert_eq!(get("astro dev", "ASTRO_DEV_BACKGROUND").as_deref(), Some("1"));
    assert_eq!(get("nuxt dev", "HOST").as_deref(), Some("127.0.0.1"));
    for (command, name) in [
        ("deno serve x.ts", "DENO_SERVE_ADDRESS"),
        ("make dev", "DENO_SERVE_ADDRESS"),
        ("make dev", "ASTRO_DEV_BACKGROUND"),
        ("make dev", "HOST"),
        ("make dev", "BROWSER"),
        ("vite", "SERVER_PORT"),
        ("concurrently a b", "FLASK_RUN_PORT"),
        ("tauri dev", "PORT"),
    ] {
        assert_eq!(get(command, name), None, "{command} {name}");
    }
    assert_eq!(get("concurrently a b", "PORT").as_deref(), Some("4100"));
}

#[test]
fn what_the_user_has_set_is_kept() {
    let set = |name: &str, value: &str, command: &str| {
        let mut facts = facts("/p", "{}");
        facts.env.insert(name.into(), value.into());
        var(&filled(&plan(command, &facts)), name)
    };
    for (user, expected) in [
        ("-w 2", "-w 2 --bind=127.0.0.1:4100"),
        ("--bind=0.0.0.0:1", "--bind=0.0.0.0:1"),
        ("-w 2 -b :1", "-w 2 -b :1"),
        ("", "--bind=127.0.0.1:4100"),
    ] {
        assert_eq!(set("GUNICORN_CMD_ARGS", user, "gunicorn a:b").as_deref(), Some(expected), "{user}");
    }
    assert_eq!(set("HOST", "0.0.0.0", "nuxt dev"), None, "left as it is");
    assert_eq!(set("HOST", "", "nuxt dev").as_deref(), Some("127.0.0.1"));
    assert_eq!(set("STREAMLIT_SERVER_ADDRESS", "0.0.0.0", "streamlit run x.py"), None);
    // What an unknown program reads may be for another one; a known server has asked for it.
    for (name, value, command, expected) in [
        ("SERVER_PORT", "5000", "tsx dev.ts", None),
        ("FLASK_RUN_PORT", "5000", "make dev", None),
        ("STREAMLIT_SERVER_ADDRESS", "0.0.0.0", "make dev", None),
        ("SERVER_PORT", "", "tsx dev.ts", Some("4100")),
        ("PORT", "5000", "tsx dev.ts", Some("4100")),
        ("GUNICORN_CMD_ARGS", "-w 2", "make dev", Some("-w 2 --bind=127.0.0.1:4100")),
        ("FLASK_RUN_PORT", "5000", "flask run", Some("4100")),
        ("SERVER_PORT", "5000", "php artisan serve", Some("4100")),
    ] {
        assert_eq!(set(name, value, command).as_deref(), expected, "{name}={value} {command}");
    }
    let mut nested = facts("/p", "{}");
    nested.env.extend([("DEVRUN_ID", "ab"), ("SERVER_PORT", "4000")].map(|(k, v)| (k.into(), v.into())));
    let found = var(&filled(&plan("tsx dev.ts", &nested)), "SERVER_PORT");
    assert_eq!(found.as_deref(), Some("4100"), "the outer devrun's own");
    let request = Request { command: vec!["vite".into()], open: Some(true), ..Request::default() };
    let opening = make(request, &facts("/p", "{}")).unwrap();
    assert_eq!(var(&filled(&opening), "BROWSER").as_deref(), Some("none"), "devrun opens it");
}

#[test]
fn scripts_get_their_flags_through_the_script_shell() {
    for (command, hooked) in [
        ("npm run dev", true),
        ("npm start", true),
        ("npm exec vite", true),
        ("npx vite", false),
        ("pnpm dev", true),
        ("yarn dev", true),
        ("cross-env A=1 npm run dev", true),
        ("node server.js", false),
        ("bun run server.ts", false),
        ("make dev", false),
    ] {
        let command = filled(&plan(command, &project("vite", "")));
        assert_eq!(
            var(&command, "npm_config_script_shell").as_deref(),
            hooked.then_some("/bin/devrun"),
            "{command:?}"
        );
        assert_eq!(var(&command, "DEVRUN_INJECT").as_deref(), hooked.then_some("4100 keep"));
    }
    let several = filled(&plan("npm run dev", &project("concurrently 'npm:a' 'npm:b'", "")));
    assert_eq!(var(&several, "DEVRUN_INJECT"), None);
    assert_eq!(line(&several), "npm run dev");
    let mut own = project("vite", "");
    own.user_shell = Some("/bin/bash".into());
    assert_eq!(var(&filled(&plan("npm run dev", &own)), "DEVRUN_SHELL").as_deref(), Some("/bin/bash"));
    let request = Request { command: vec!["vite".into()], no_inject: Some(true), ..Request::default() };
    let quiet = filled(&make(request, &own).unwrap());
    assert_eq!((line(&quiet).as_str(), var(&quiet, "PORT").as_deref()), ("vite", Some("4100")));
}

#[test]
fn runners_without_a_script_shell_get_flags_by_their_own_rule() {
    let flags = "--port 4100 --strictPort --host 127.0.0.1";
    let berry = "\"packageManager\": \"yarn@4.1.0\",";
    for (command, script, more, expected) in [
        ("bun run dev", "vite", "", format!("bun run dev {flags}")),
        ("bun run dev", "tsc && vite", "", format!("bun run dev {flags}")),
        ("yarn dev", "vite", berry, format!("yarn dev {flags}")),
        ("deno task dev", "vite", "", format!("deno task dev {flags}")),
        ("node --run dev", "vite", "", format!("node --run dev -- {flags}")),
        ("npm run dev", "vite", "", "npm run dev".into()),
        ("bun run dev", "bun install && bun scripts/gen.ts && vite", "", format!("bun run dev {flags}")),
        ("bun run dev", "vite && echo x", "", "bun run dev".into()),
        ("bun run dev", "(vite)", "", "bun run dev".into()),
        ("bun run dev", "vite # x", "", "bun run dev".into()),
        ("bun run dev", "vite | cat", "", "bun run dev".into()),
        ("bun run dev", "vite & wait", "", "bun run dev".into()),
        ("bun run dev", "vite -- x", "", "bun run dev".into()),
        ("bun run dev", "vite --port 3000", "", "bun run dev".into()),
        ("bun run dev", "deno serve x.ts", "", "bun run dev".into()),
        ("bun run dev", "concurrently a b", "", "bun run dev".into()),
        ("bun run dev", "run-p a b", "", "bun run dev".into()),
    ] {
        assert_eq!(line(&filled(&plan(command, &project(script, more)))), expected, "{script}");
    }
}

#[test]
fn a_written_port_is_the_wish_unless_the_user_has_one() {
    let wanted = |command: &str, script: &str| plan(command, &project(script, "")).ports.wanted;
    let script = |port: &str| Some(Wanted { port: port.parse().unwrap(), by: WantedBy::Script });
    for (command, text, expected) in [
        ("npm run dev", "vite --port 3000", script("3000")),
        ("npm run dev", "next dev -p 3001", script("3001")),
        ("npm run dev", "PORT=3002 node x", script("3002")),
        ("npm run dev", "npm run in", script("3210")),
        ("npm run dev", "devrun -- vite --port 3003", script("3003")),
        ("npm run dev -- --port 3004", "vite", script("3004")),
        ("yarn serve --port 3005", "", script("3005")),
        ("vite --port 3006", "", script("3006")),
        ("node x.js --port 3007", "", script("3007")),
        ("php -S localhost:3008", "", script("3008")),
        ("npm run dev", "vite --port 3000 & vite --port 3001", None),
        ("npm run dev", "npm run dev", None),
        ("npm run dev", "vite --port $P", None),
        ("npm run dev", "wait-on --port 3000 && node x", None),
        ("vite", "", None),
    ] {
        assert_eq!(wanted(command, text), expected, "{command}: {text}");
    }
    let mut facts = project("vite --port 3000", "");
    facts.env.insert("PORT".into(), "3999".into());
    assert_eq!(plan("npm run dev", &facts).ports.wanted, script("3000"));
    assert_eq!(plan("vite", &facts).ports.wanted.unwrap().by, WantedBy::Environment);
    facts.settings.port = Some("4000".parse().unwrap());
    assert_eq!(plan("npm run dev", &facts).ports.wanted.unwrap().by, WantedBy::User);
    facts.settings.port = None;
    facts
        .env
        .extend([("DEVRUN_ID", "ab"), ("DEVRUN_PORT", "3999")].map(|(k, v)| (k.to_string(), v.to_string())));
    assert_eq!(plan("npm run dev", &facts).ports.wanted.unwrap().by, WantedBy::OuterDevrun);
    facts.env.insert("PORT".into(), "abc".into());
    assert!(plan("vite", &facts).notes[0].contains("PORT"));
}

#[test]
fn in_a_chained_command_the_outer_servers_port_is_no_wish() {
    let by = |variables: &[(&str, &str)]| {
        let mut facts = project("vite", "");
        facts.env.extend(variables.iter().map(|(key, value)| (key.to_string(), value.to_string())));
        plan("vite", &facts).ports.wanted.map(|wanted| wanted.by)
    };
    let chained = [("DEVRUN_ID", "ab"), ("PORT", "3999"), ("DEVRUN_URL", "http://localhost:3999")];
    assert_eq!(by(&chained), None);
    let own = [chained[0], ("PORT", "3500"), chained[2]];
    assert_eq!(by(&own), Some(WantedBy::Environment), "written in the chained command itself");
    let nested = [chained[0], chained[1], chained[2], ("DEVRUN_PORT", "3999")];
    assert_eq!(by(&nested), Some(WantedBy::OuterDevrun), "as the command");
    assert_eq!(by(&chained[1..]), Some(WantedBy::Environment), "not under a devrun");
}

#[test]
fn further_ports_and_variables_are_filled_in() {
    let mut request = Request { command: vec!["x".into(), "{port:api}".into()], ..Request::default() };
    for wish in ["API_PORT=api", "ALSO=api", "MINE"] {
        request.set("port-env", wish).unwrap();
    }
    let plan = make(request, &facts("/p", "{}")).unwrap();
    assert_eq!(plan.ports.extra.len(), 1);
    let command = filled(&plan);
    assert_eq!(line(&command), "x 4200");
    for (name, port) in [("API_PORT", "4200"), ("ALSO", "4200"), ("MINE", "4100")] {
        assert_eq!(var(&command, name).as_deref(), Some(port));
    }
}

#[test]
fn the_script_gives_the_name() {
    assert_eq!(plan("npm run dev", &project("vite", "\"name\": \"shop\",")).name, "shop");
    assert_eq!(plan("npm run in", &project("vite", "\"name\": \"shop\",")).name, "shop:in");
    let mut inside = project("", "\"name\": \"shop\",");
    inside.env.insert("npm_lifecycle_event".into(), "api".into());
    assert_eq!(plan("node x.js", &inside).name, "shop:api");
}

mod beside_tests;
mod told_tests;
