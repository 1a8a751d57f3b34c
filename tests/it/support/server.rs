//! Real dev servers under devrun: started in the folder of their app, asked for their page, stopped.

use std::path::PathBuf;
use std::time::Duration;

use super::{LIMIT, Ready, Running, Scratch, Signal, apps, eventually, free_port, get};

/// Some servers build for a long time on a busy machine before they answer.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What keeps servers from asking the network whether there is a newer one, and from telling it about us.
const QUIET: &[(&str, &str)] = &[
    ("ASTRO_TELEMETRY_DISABLED", "1"),
    ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
    ("EXPO_NO_TELEMETRY", "1"),
    ("EXPO_OFFLINE", "1"),
    ("NEXT_TELEMETRY_DISABLED", "1"),
    ("NG_CLI_ANALYTICS", "false"),
    ("NX_DAEMON", "false"),
    ("NO_UPDATE_CHECK", "1"),
    ("NO_UPDATE_NOTIFIER", "1"),
    ("NUXT_TELEMETRY_DISABLED", "1"),
    ("STORYBOOK_DISABLE_TELEMETRY", "1"),
    ("TURBO_TELEMETRY_DISABLED", "1"),
    ("WRANGLER_SEND_METRICS", "false"),
];

/// Runs devrun in the app's folder and expects this text on the page.
pub fn answers(app: &str, args: &[&str], text: &str) -> Ready {
    // Shown when the test fails, wherever it does.
    println!("{app}: devrun {}", args.join(" "));
    let scratch = Scratch::new();
    let mut command = scratch.devrun(args);
    command.current_dir(apps(app)).envs(QUIET.iter().copied());
    // What a server writes into its user's home is not for the home of whoever runs the tests; Rust is found there.
    let home = PathBuf::from(std::env::var_os("HOME").expect("HOME"));
    for (variable, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        command.env(variable, std::env::var_os(variable).unwrap_or_else(|| home.join(folder).into()));
    }
    command.env("HOME", scratch.dir());
    let mut run = Running::spawn(command);
    let ready = run.ready_within(PATIENCE);
    let page = get(&ready.url);
    assert!(page.contains(text), "{app} at {}: {page}\n{}", ready.url, run.stderr());
    run.signal(Signal::INT);
    run.ended(LIMIT * 2);
    eventually(LIMIT, || scratch.dead().map_err(|seen| format!("{app}: {seen}")));
    ready
}

/// As `answers`, and the server must have taken the port it was given.
pub fn takes_its_port(app: &str, args: &[&str], text: &str) {
    let port = free_port();
    let port_text = port.to_string();
    let ready = answers(app, &[&["-p", port_text.as_str()], args].concat(), text);
    assert_eq!(ready.port, port, "{app}");
}
