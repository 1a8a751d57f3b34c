//! Promises 38 and 41 at the dashboard: what input can't do, and what never comes out.

use std::io::{Read, Write};

use serde_json::Value;

use crate::support::{Browser, Dashboard, Running, SOON, Scratch, Window, eventually};

const NOWHERE: &str = "0123456789abcdef";

#[test]
fn what_is_wrong_in_a_request_is_named_and_harms_nothing() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let huge = format!("{{\"x\":\"{}\"}}", "x".repeat(1 << 20));
    let table = [
        ("PUT /api/servers", "", 405),
        ("GET /api/clean", "", 405),
        ("DELETE /", "", 405),
        ("GET /api/servers/0123456789abcdef", "", 404),
        ("POST /api/servers/0123456789abcdef/start", "", 404),
        ("GET /api/servers/0123456789abcdef/logs", "", 404),
        ("GET /api/servers/..%2f..%2fetc/logs", "", 404),
        ("GET /api/servers/../../../../etc/passwd", "", 404),
        ("GET /../dashboard.json", "", 404),
        ("GET /api/servers/$(id)/logs", "", 404),
        ("GET /api/servers/0123456789abcde;/logs", "", 404),
        ("GET /api/events?nothing=1", "", 400),
        ("GET /api/events?usage=2", "", 400),
        ("POST /api/clean", "{", 400),
        ("POST /api/clean", "[1]", 400),
        ("POST /api/clean", r#"{"force":true}"#, 400),
        ("POST /api/session", r#"{"code":1}"#, 400),
        ("POST /api/clean", &huge, 413),
    ];
    for (line, body, status) in table {
        let reply = dashboard.ask(line, "", body);
        assert_eq!(reply.status, status, "{line}: {reply:?}");
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{line}");
        let problem: Value = reply.json();
        assert!(problem["status"] == status && problem["detail"].as_str().is_some(), "{problem}");
    }
    // What is no HTTP, or never ends, keeps nobody from asking.
    let open: Vec<_> = (0..100)
        .map(|number| {
            let mut stream = dashboard.connect();
            let part = ["GET /api/ser", "\0\0\0\0", "GET / HTTP/1.1\r\nHost: x\r\n", ""][number % 4];
            stream.write_all(part.as_bytes()).unwrap();
            stream
        })
        .collect();
    assert_eq!(dashboard.get("/api/servers")["servers"], serde_json::json!([]));
    drop(open);
    let mut long = dashboard.connect();
    let _ = long.write_all(format!("GET /{} HTTP/1.1\r\n", "x".repeat(1 << 20)).as_bytes());
    let mut answer = Vec::new();
    let _ = long.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    assert_eq!(dashboard.get("/api/servers")["problems"], serde_json::json!([]));
    assert_eq!(dashboard.ask(&format!("POST /api/servers/{NOWHERE}/stop"), "", "").status, 404);
}

#[test]
fn hostile_names_and_output_are_text_on_page_and_terminal() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let name = "<img src=x onerror=alert(1)>\"'&; $(id) ..";
    let argv = "x\u{1b}]52;c;AAAA\u{7}\u{202e}</script><script>document.title='owned'</script>";
    let long = "y".repeat(4096);
    let print = "print=<script>document.title='owned'</script>\u{1b}[2J\u{202e}";
    let mut fixture = scratch.fixture("serve=yes");
    fixture.argv.extend([print.to_string(), format!("note={argv}"), format!("more={long}")]);
    let words = ["-n", name, "--"].map(str::to_string).into_iter().chain(fixture.argv.clone());
    let mut run = Running::spawn(scratch.devrun(words));
    run.ready();
    let shown = dashboard.server(SOON, name, |server| server["state"] == "ready");
    let raw = dashboard.ask("GET /api/servers", "", "").body;
    assert!(raw.chars().all(|c| !c.is_control() && c != '\u{202e}'), "the API is safe in a terminal");
    assert!(
        shown["argv"].as_array().unwrap().iter().any(|word| word.as_str() == Some(&format!("note={argv}")))
    );
    let logs = format!("/api/servers/{}/logs", shown["id"].as_str().unwrap());
    let logs = eventually(SOON, || {
        let logs = dashboard.get(&logs).to_string();
        if logs.contains("owned") { Ok(logs) } else { Err(logs) }
    });
    assert!(!logs.contains('\u{202e}') && !logs.contains("\\u001b") && !logs.contains("\\u202e"), "{logs}");
    let mut browser = Browser::start(&scratch, Window::default());
    let address = dashboard.address();
    let text = browser.run(&format!(
        "page.on('dialog', () => wrong.push('a dialog'));
         await page.goto('{address}'); await page.waitForSelector('[data-live]'); wrong.length = 0;
         await page.click('.name'); await page.waitForSelector('.entry');
         await page.waitForFunction(() => document.querySelector('.lines').innerText.includes('owned'));
         return {{ title: await page.title(), name: await page.innerText('.row .name'),
                   images: await page.locator('img[src=x]').count(),
                   scripts: await page.locator('body script').count(), text: await page.innerText('body') }};"
    ));
    browser.picture("hostile");
    assert_eq!(text["name"], name);
    assert!(text["title"] == "1 running – devrun" && text["images"] == 0 && text["scripts"] == 0, "{text}");
    assert!(
        text["text"].as_str().unwrap().contains(r"\u{202e}")
            && !text["text"].as_str().unwrap().contains('\u{202e}')
    );
}

#[test]
fn secrets_are_in_no_answer() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let mut fixture = scratch.fixture("serve=yes");
    fixture.argv.push("--token=hunter2-argument".into());
    let words = ["-n", "secretive", "--"].map(str::to_string).into_iter().chain(fixture.argv.clone());
    let mut command = scratch.devrun(words);
    command.env("API_KEY", "hunter2-environment");
    let mut run = Running::spawn(command);
    run.ready();
    let server = dashboard.server(SOON, "secretive", |server| server["state"] == "ready");
    let id = server["id"].as_str().unwrap();
    run.stop();
    dashboard.server(SOON, "secretive", |server| server["state"] == "stopped");
    let start = dashboard.ask(&format!("POST /api/servers/{id}/start"), "", "");
    assert!(start.status == 409 || start.status == 500, "{start:?}");
    let mut all = start.body;
    for path in ["/api/servers", &format!("/api/servers/{id}"), &format!("/api/servers/{id}/logs")] {
        all += &dashboard.get(path).to_string();
    }
    all += &(dashboard.run.stdout() + &dashboard.run.stderr());
    assert!(!all.contains("hunter2"), "{all}");
    assert_eq!(server["redacted"], true);
}
