//! Promise 41: what is secret in the environment or in an argument is in no record, log line, answer or error.

use std::path::Path;

use crate::support::{LIMIT, Running, SOON, Scratch};

const SECRETS: [&str; 6] = [
    "hunter2-environment",
    "hunter2-token",
    "hunter2-separate",
    "hunter2-script",
    "hunter2-query",
    "hunter2-header",
];

fn assert_no_secret(place: &str, text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} is in {place}: {text}");
    }
}

/// Every file below the folder, and how many there were.
fn look_through(folder: &Path) -> usize {
    std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => look_through(&entry.path()),
            false => {
                let bytes = std::fs::read(entry.path()).unwrap_or_default();
                assert_no_secret(&entry.path().display().to_string(), &String::from_utf8_lossy(&bytes));
                1
            }
        })
        .sum()
}

#[test]
fn secrets_stay_out_of_records_lines_and_answers() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone --token=hunter2-token");
    let mut command = scratch.devrun(["-v", "--stop-timeout", "500ms", "--"]);
    command.args(&fixture.argv).args(["--password", "hunter2-separate"]);
    command.env("API_TOKEN", "hunter2-environment").env("DEVRUN_LOG", "trace");
    let mut run = Running::spawn(command);
    run.ready();
    assert!(look_through(&scratch.state()) > 0, "there is a record to look at");
    let list = Running::spawn(scratch.devrun(["ls", "--json"])).outcome(SOON);
    assert!(list.stdout.contains(&scratch.mark), "the server is listed with its command: {list}");
    assert_no_secret("ls", &list.to_string());
    let outcome = run.stop();
    assert_no_secret("the output", &outcome.to_string());
    look_through(&scratch.state());
    scratch.assert_dead(LIMIT);
}

#[test]
fn secrets_inside_a_script_a_url_or_an_option_stay_out_too() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    let script = format!(
        "export API_KEY=hunter2-script; exec {} --token hunter2-token --header='Authorization: Bearer hunter2-header' \
         --upstream 'http://me:hunter2-separate@host/?token=hunter2-query'",
        fixture.line()
    );
    let mut command = scratch.devrun(["-v", "--ready", "/?token=hunter2-query", "--stop-timeout", "500ms"]);
    command.args(["--name", "shop", "--", "sh", "-c", &script]);
    command.env("API_TOKEN", "hunter2-environment").env("DEVRUN_LOG", "trace");
    let mut run = Running::spawn(command);
    run.ready();
    assert!(look_through(&scratch.state()) > 0);
    let list = Running::spawn(scratch.devrun(["ls", "--json"])).outcome(SOON);
    assert!(list.stdout.contains(&scratch.mark), "what is no secret is shown: {list}");
    assert_no_secret("ls", &list.to_string());
    // Whoever wants the port is told who has it, by the command line.
    let port = list.stdout.split("\"port\":").nth(1).unwrap().split([',', '}']).next().unwrap();
    let taken = Running::spawn(scratch.devrun(["--strict-port", "-p", port, "--", "true"])).outcome(SOON);
    assert!(taken.stderr.contains("shop"), "{taken}");
    assert_no_secret("the answer", &taken.to_string());
    let again = Running::spawn(scratch.devrun(["--name", "shop", "--", "sh", "-c", &script])).outcome(SOON);
    assert_no_secret("the second start", &again.to_string());
    assert_no_secret("the output", &run.stop().to_string());
    assert!(look_through(&scratch.state()) > 0);
    scratch.assert_dead(LIMIT);
}

#[test]
fn an_error_does_not_show_them_either() {
    let scratch = Scratch::new();
    let mut command = scratch.devrun(["-v", "--", "no-such-program", "--token=hunter2-token"]);
    command.env("API_TOKEN", "hunter2-environment");
    assert_no_secret("the error", &Running::spawn(command).outcome(SOON).to_string());
}

#[test]
fn the_state_folder_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    Running::spawn(scratch.devrun(["--ready", "none", "--", "true"])).outcome(SOON);
    let mut folders = vec![scratch.state()];
    while let Some(folder) = folders.pop() {
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{entry:?}"),
            }
        }
    }
}
