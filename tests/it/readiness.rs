//! Promises 29, 30 and 32: ready means that a process of our tree listens and answers.

use std::net::TcpListener;
use std::time::Duration;

use crate::support::{Ended, LIMIT, Running, SOON, Scratch, answer_200, eventually, free_port, get};

#[test]
fn ready_on_every_answer_that_is_one() {
    for (options, at_least_ms) in [
        ("status=200", 0),
        ("status=301", 0), // to itself, for ever: an answer all the same
        ("status=401", 0),
        ("status=404", 0),
        ("slow-headers=700", 700),
        ("host=127.0.0.1", 0),
        ("host=::1", 0),
        ("host=0.0.0.0", 0),
        ("host=:: v6only=no", 0),
        ("host=127.0.0.1,::1", 0),
        ("delay-listen=600", 600),
        ("delay-answer=5000", 5000),
        ("bad-for=800", 800), // 503 at first
        ("shape=grandchild-listens", 0),
    ] {
        let shape = if options.contains("shape=") { "" } else { "shape=alone " };
        let scratch = Scratch::new();
        let fixture = scratch.fixture(&format!("{shape}{options}"));
        let mut run = scratch.run("", &fixture);
        let ready = run.ready();
        assert!(ready.ms >= at_least_ms, "{options}: ready after {} ms", ready.ms);
        if options != "status=301" {
            assert_eq!(get(&ready.url), scratch.mark, "{options}: {}", ready.url);
        }
        assert_eq!(ready.pid, fixture.leader(), "{options}");
        assert_eq!(Some(ready.port), fixture.port(), "{options}");
    }
}

#[test]
fn not_ready_on_what_is_no_answer() {
    for (options, checks, why) in [
        ("serve=no", "", "none of its processes listens"),
        ("status=500", "", "it answers with status 500"),
        ("status=503", "", "it answers with status 503"),
        ("status=426", "", "it answers with status 426"),
        ("serve=garbage", "", "it answers, but not in HTTP"),
        ("serve=mute", "", "it listens and does not answer"),
        (
            "status=404 print=started",
            "--ready log:server.started",
            "no line of its output matches server.started",
        ),
        ("serve=no", "--ready tcp", "none of its processes listens"),
        ("status=200", "--ready http://127.0.0.1:1/", "http://127.0.0.1:1/ does not answer"),
    ] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture(&format!("shape=alone {options}"));
        let run = scratch.run(&format!("--ready-timeout 2s --stop-timeout 500ms {checks}"), &fixture);
        let outcome = run.outcome(SOON);
        assert_eq!(outcome.ended, Ended::Status(124), "{options}: {outcome}");
        assert!(!outcome.stderr.contains("devrun ready"), "{options}: {outcome}");
        let (_, error) =
            outcome.stderr.split_once("error: ").unwrap_or_else(|| panic!("{options}: {outcome}"));
        assert!(error.contains(why), "{options}: {outcome}");
        scratch.assert_dead(LIMIT);
    }
}

#[test]
fn ready_as_it_is_asked_for() {
    for (options, check) in [
        ("serve=garbage", "tcp"),
        ("serve=mute", "tcp"),
        ("status=500 print=\u{1b}[1mserver-\u{1b}[0mstarted", "log:server-started"),
        ("status=200", "/health"),
        ("status=200", "http://127.0.0.1:{port}/health"),
        ("serve=no", "none"),
    ] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture(&format!("shape=alone {options}"));
        let mut run = scratch.run(&format!("--ready {check}"), &fixture);
        run.ready();
    }
}

#[test]
fn a_proxy_in_the_environment_changes_nothing() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    let mut command = scratch.devrun(["--"]);
    command.args(&fixture.argv);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        command.env(name, "http://127.0.0.1:9");
    }
    Running::spawn(command).ready();
}

/// An HTTPS server in Python; its argument is a line that sets the TLS context `c` up.
const HTTPS: &str = "import http.server, os, ssl, sys\n\
    s = http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), http.server.SimpleHTTPRequestHandler)\n\
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
    c.load_cert_chain('cert.pem', 'key.pem')\n\
    exec(sys.argv[1])\n\
    s.socket = c.wrap_socket(s.socket, server_side=True)\n\
    s.serve_forever()\n";

/// Whatever its key, its version and its curve.
#[test]
fn a_self_signed_https_server_becomes_ready() {
    const OLD: &str = "c.maximum_version = ssl.TLSVersion.TLSv1_2";
    const NEW: &str = "c.minimum_version = ssl.TLSVersion.TLSv1_3";
    for (key, settings) in [
        ("rsa:2048", vec!["", OLD, NEW, "c.set_ecdh_curve('prime256v1')", "c.set_ecdh_curve('secp384r1')"]),
        ("ec -pkeyopt ec_paramgen_curve:P-256", vec![OLD, NEW]),
        ("ec -pkeyopt ec_paramgen_curve:P-384", vec![OLD, NEW]),
        ("ec -pkeyopt ec_paramgen_curve:P-521", vec![NEW]),
        ("ed25519", vec![OLD, NEW]),
        ("ed448", vec![NEW]),
    ] {
        let scratch = Scratch::new();
        scratch.write("server.py", HTTPS);
        scratch.write("index.html", "over tls");
        let mut openssl = scratch.command("openssl");
        let words =
            format!("req -x509 -newkey {key} -nodes -days 2 -subj /CN=x -keyout key.pem -out cert.pem");
        let made = openssl.args(words.split(' ')).output().expect("openssl is installed");
        assert!(made.status.success(), "{key}: {made:?}");
        for setting in settings {
            let mut run = Running::spawn(scratch.devrun(["--", "python3", "server.py", setting]));
            let url = run.ready().url;
            assert!(url.starts_with("https://"), "{key} {setting}: {url}");
            assert_eq!(get(&url), "over tls", "{key} {setting}");
            run.signal(crate::support::Signal::TERM);
            run.ended(SOON);
        }
    }
}

#[test]
fn a_stranger_that_answers_on_our_port_is_an_error_that_names_it() {
    let scratch = Scratch::new();
    let script = "echo $PORT >new; mv new port; exec sleep 600";
    let options = ["--ready-timeout", "15s", "--stop-timeout", "500ms", "--"];
    let mut command = scratch.devrun(options);
    let run = Running::spawn({
        command.args(["sh", "-c", script]);
        command
    });
    let port = eventually(SOON, || {
        std::fs::read_to_string(scratch.project().join("port")).map_err(|e| e.to_string())
    });
    answer_200(TcpListener::bind(("127.0.0.1", port.trim().parse().unwrap())).unwrap());
    let outcome = run.outcome(SOON * 2);
    assert!(!outcome.stderr.contains("devrun ready"), "{outcome}");
    assert_ne!(outcome.ended, Ended::Status(0), "{outcome}");
    assert!(outcome.stderr.contains(&std::process::id().to_string()), "the stranger is named: {outcome}");
    let record = &scratch.listed(true)[0];
    assert_eq!(record["state"], "crashed");
    assert!(record["reason"].as_str().unwrap().contains("another program answers"), "{record}");
    scratch.assert_dead(LIMIT);
}

#[test]
fn a_server_that_took_another_port_is_followed_and_it_is_said() {
    let port = free_port();
    let scratch = Scratch::new();
    let fixture = scratch.fixture(&format!("shape=alone port={port}"));
    let mut run = scratch.run("", &fixture);
    let ready = run.ready();
    assert_eq!(ready.port, port);
    assert_eq!(get(&ready.url), scratch.mark);
    assert!(run.stderr().contains(&format!("took port {port} instead of")), "{}", run.stderr());
}

#[test]
fn a_question_that_nobody_answers_is_pointed_out() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone ask=yes");
    let run = scratch.run("--ready-timeout 1500ms --stop-timeout 500ms", &fixture);
    // stdin is an open pipe: the question stays open, as it would without devrun.
    let mut run = run;
    assert_eq!(run.ended(SOON), Ended::Status(124));
    assert!(run.stderr().contains("Y/n"), "{}", run.stderr());
}

#[test]
fn an_address_in_use_is_the_cause_that_is_told() {
    let scratch = Scratch::new();
    let script = "echo 'Error: listen EADDRINUSE: address already in use :::3000' >&2; exit 1";
    let outcome = Running::spawn(scratch.devrun(["--", "sh", "-c", script])).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(1), "{outcome}");
    let said = outcome.stderr.split("error: ").nth(2).or(outcome.stderr.split("error: ").nth(1));
    assert!(said.is_some_and(|said| said.contains("in use") || said.contains("taken")), "{outcome}");
}

#[test]
fn the_line_for_machines_comes_once_and_json_says_the_same() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    let mut run = scratch.run("--json", &fixture);
    let ready = eventually(SOON, || {
        let said = run.stderr();
        let events = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let ready = events.into_iter().find(|event| event["event"] == "ready");
        ready.ok_or(format!("no ready event: {said}"))
    });
    assert_eq!(ready["port"], fixture.port().unwrap());
    assert_eq!(ready["pid"], fixture.leader());
    run.signal(crate::support::Signal::TERM);
    run.ended(SOON);
    let said = run.stderr();
    assert!(
        said.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()),
        "all JSON: {said}"
    );
    let ends = said.lines().filter(|line| line.contains("\"ended\"")).count();
    assert_eq!(ends, 1, "{said}");
    assert!(Duration::from_millis(ready["ms"].as_u64().unwrap()) < SOON);
}
