//! Promise 37 at the dashboard: who is let in, and who is refused.

use std::os::unix::fs::PermissionsExt;

use crate::support::{
    Browser, Dashboard, Reply, SOON, Scratch, Window, answer_200, eventually, free_port, hold, write_program,
};

/// Every request that reads or does something, but for the health check and the way in.
const PROTECTED: [&str; 13] = [
    "GET /app.js",
    "GET /api/session",
    "POST /api/codes",
    "GET /api/servers",
    "GET /api/servers/0123456789abcdef",
    "GET /api/servers/0123456789abcdef/logs",
    "POST /api/servers/0123456789abcdef/start",
    "POST /api/servers/0123456789abcdef/stop",
    "POST /api/servers/0123456789abcdef/restart",
    "POST /api/stop",
    "POST /api/clean",
    "GET /api/events",
    "GET /nothing/there",
];

/// 127.0.0.1, ::1 and ::ffff:127.0.0.1, as the kernel writes them.
const LOOPBACK: [&str; 3] =
    ["0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"];

#[test]
fn without_the_right_host_origin_and_token_there_is_nothing() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let (host, token) = (dashboard.host(), dashboard.token.clone());
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let cookie = format!("Cookie: devrun_{}={token}\r\n", dashboard.port);
    let wrong = format!("{:x}{}", 15 - u8::from_str_radix(&token[..1], 16).unwrap(), &token[1..]);
    let attacks = [
        ("no token", format!("Host: {host}\r\n")),
        (
            "a token wrong in its first character",
            format!("Host: {host}\r\nAuthorization: Bearer {wrong}\r\n"),
        ),
        ("half a token", format!("Host: {host}\r\nAuthorization: Bearer {}\r\n", &token[..32])),
        ("another dashboard's cookie", format!("Host: {host}\r\nCookie: devrun_1={token}\r\n")),
        ("a foreign host", format!("Host: evil.example\r\n{bearer}")),
        ("a foreign host with the port", format!("Host: evil.example:{}\r\n{bearer}", dashboard.port)),
        ("no host", bearer.clone()),
        ("two hosts", format!("Host: {host}\r\nHost: {host}\r\n{bearer}")),
        ("a foreign origin", format!("Host: {host}\r\nOrigin: http://evil.example\r\n{cookie}")),
        ("a null origin", format!("Host: {host}\r\nOrigin: null\r\n{cookie}")),
        ("another port's origin", format!("Host: {host}\r\nOrigin: http://127.0.0.1:3000\r\n{cookie}")),
        ("another site's script", format!("Host: {host}\r\nSec-Fetch-Site: cross-site\r\n{cookie}")),
        ("another port's script", format!("Host: {host}\r\nSec-Fetch-Site: same-site\r\n{cookie}")),
    ];
    for (attack, headers) in &attacks {
        for line in PROTECTED {
            let reply = dashboard.ask_raw(line, headers, "");
            // Without a host a request is none: the HTTP library refuses it before the guard can.
            assert!(
                reply.status == 403 || (*attack == "no host" && reply.status == 400),
                "{attack}: {line}: {reply:?}"
            );
            assert!(!reply.body.contains(&token), "{attack}: {reply:?}");
            lets_no_origin_in(&reply);
        }
    }
    for line in PROTECTED.iter().filter(|line| line.starts_with("POST")) {
        let form = format!("Host: {host}\r\n{cookie}Content-Type: application/x-www-form-urlencoded\r\n");
        assert_eq!(dashboard.ask_raw(line, &form, "a=b").status, 403, "a form without an origin: {line}");
    }
    let preflight =
        format!("Host: {host}\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n");
    let refused = dashboard.ask_raw("OPTIONS /api/stop", &preflight, "");
    assert_eq!(refused.status, 403);
    lets_no_origin_in(&refused);
    for line in ["GET /", "GET /app.js", "GET /api/health", "GET /api/servers"] {
        let own = dashboard.ask(line, &format!("Origin: http://{host}\r\n"), "");
        assert_eq!(own.status, 200, "{line}: {own:?}");
        lets_no_origin_in(&own);
    }
    let health = dashboard.ask_raw("GET /api/health", &format!("Host: {host}\r\n"), "");
    assert_eq!((health.status, health.json()["status"].as_str()), (200, Some("ok")));
}

/// No answer has a header by which a browser would show it to a page of another origin.
#[track_caller]
fn lets_no_origin_in(reply: &Reply) {
    assert!(!reply.head.to_lowercase().contains("access-control"), "{reply:?}");
}

#[test]
fn the_token_is_long_private_and_nowhere_else() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let token = &dashboard.token;
    assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "256 bits in hex");
    let mode = |name: &str| scratch.state().join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("dashboard.json"), mode("dashboard.lock")), (0o600, 0o600));
    // A browser that is opened gets the path of a page in its arguments, and the page has a code for once.
    let seen = scratch.dir().join("seen");
    let fake = scratch.dir().join("browser");
    write_program(&fake, &format!("echo \"$@\" > {}", seen.display()));
    let mut second = scratch.devrun(["dashboard", "--open"]);
    let second = second.env("BROWSER", fake).output().unwrap();
    let argv = eventually(SOON, || match std::fs::read_to_string(&seen) {
        Ok(argv) if argv.ends_with('\n') => Ok(argv.trim().to_string()),
        other => Err(format!("{other:?}")),
    });
    let page = scratch.state().join("dashboard-open.html");
    assert_eq!(argv, format!("file://{}", page.display()));
    assert_eq!(page.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let all = [second.stdout, second.stderr, std::fs::read(&page).unwrap()].concat();
    let all = String::from_utf8(all).unwrap() + &dashboard.run.stdout() + &dashboard.run.stderr();
    assert!(all.contains("/#open=") && !all.contains(token), "{all}");
    let argv = std::fs::read(format!("/proc/{}/cmdline", dashboard.run.pid())).unwrap();
    assert!(!String::from_utf8_lossy(&argv).contains(token));
    // Nobody but this machine is listened to.
    let listeners = ["/proc/net/tcp", "/proc/net/tcp6"].map(|file| std::fs::read_to_string(file).unwrap());
    let port = format!(":{:04X}", dashboard.port);
    let local =
        listeners.iter().flat_map(|table| table.lines()).filter_map(|line| line.split_whitespace().nth(1));
    let mine: Vec<_> = local.filter_map(|address| address.strip_suffix(&port)).collect();
    assert!(!mine.is_empty() && mine.iter().all(|address| LOOPBACK.contains(address)), "{mine:?}");
}

#[test]
fn a_code_lets_one_browser_in_once() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let code = dashboard.address().split_once("#open=").unwrap().1.to_string();
    let own =
        format!("Host: {0}\r\nOrigin: http://{0}\r\nContent-Type: application/json\r\n", dashboard.host());
    let enter = |headers: &str, code: &str| {
        dashboard.ask_raw("POST /api/session", headers, &format!(r#"{{"code":"{code}"}}"#))
    };
    assert_eq!(
        enter(&own.replace("Origin: http://1", "Origin: http://2"), &code).status,
        403,
        "a foreign page"
    );
    assert_eq!(
        enter(&format!("Host: {}\r\n", dashboard.host()), &code).status,
        403,
        "a form of an old browser"
    );
    assert_eq!(enter(&own, "").status, 403);
    let let_in = enter(&own, &code);
    let cookie = let_in.header("set-cookie").expect("a cookie").to_string();
    assert_eq!(let_in.status, 204);
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert_eq!(enter(&own, &code).status, 403, "used");
    let pair = cookie.split(';').next().unwrap();
    let asked = |more: &str| {
        dashboard.ask_raw(
            "GET /api/servers",
            &format!("Host: {}\r\nCookie: {pair}\r\n{more}", dashboard.host()),
            "",
        )
    };
    assert_eq!(asked("Sec-Fetch-Site: same-origin\r\n").status, 200);
    for (name, value) in [
        ("content-security-policy", "default-src 'none'"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ] {
        assert!(asked("").header(name).is_some_and(|found| found.contains(value)), "{name}");
    }
}

#[test]
fn a_page_of_another_origin_gets_nothing_and_does_nothing() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let mut server = scratch.run("-n victim", &scratch.fixture("serve=yes"));
    server.ready();
    let port = free_port();
    answer_200(hold("127.0.0.1", port));
    let mut browser = Browser::start(&scratch, Window::default());
    let id = dashboard.server(SOON, "victim", |server| server["state"] == "ready")["id"]
        .as_str()
        .unwrap()
        .to_string();
    let address = dashboard.address();
    let own = format!("http://{}", dashboard.host());
    browser.run(&format!(
        "await page.goto('{address}'); await page.waitForSelector('[data-live]'); wrong.length = 0"
    ));
    // The same host on another port: the cookie is sent along, and that must not be enough.
    let got = browser.run(&format!(
        r#"
        await page.goto('http://127.0.0.1:{port}/');
        const got = await page.evaluate(async ([own, id]) => {{
          const asked = [
            ['servers', () => fetch(own + '/api/servers', {{ credentials: 'include' }})],
            ['stop', () => fetch(own + '/api/servers/' + id + '/stop', {{ method: 'POST', credentials: 'include' }})],
            ['all', () => fetch(own + '/api/stop', {{ method: 'POST', credentials: 'include', mode: 'no-cors' }})],
            ['events', () => new Promise((yes, no) => {{
              const source = new EventSource(own + '/api/events', {{ withCredentials: true }});
              source.onmessage = source.onopen = yes;
              source.onerror = no;
            }})],
            ['script', () => new Promise((yes, no) => {{
              const script = document.createElement('script');
              script.src = own + '/app.js';
              script.onload = yes;
              script.onerror = no;
              document.head.append(script);
            }})],
          ];
          const got = {{}};
          for (const [name, ask] of asked) got[name] = await ask().then((answer) => answer.type ?? 'read', () => 'refused');
          const form = document.createElement('form');
          form.method = 'post';
          form.action = own + '/api/stop';
          document.body.append(form);
          form.submit();
          return got;
        }}, ['{own}', '{id}']);
        await page.waitForURL(own => own.pathname === '/api/stop');
        got.form = await page.evaluate(() => document.body.innerText);
        wrong.length = 0;
        return got;"#
    ));
    for name in ["servers", "stop", "all", "events", "script"] {
        assert_eq!(got[name], "refused", "{got}");
    }
    assert!(got["form"].as_str().unwrap().contains("403"), "{got}");
    assert_eq!(dashboard.get(&format!("/api/servers/{id}"))["state"], "ready", "nothing was stopped");
    assert!(!server.has_ended());
}
