//! Readiness against real servers: threads of this process where the test steers every answer, children where
//! it matters whose the socket is.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::wait::Members;
use super::*;
use crate::event::Seen;
use crate::plan::{Port, ReadyCheck};

const LONG: Duration = Duration::from_secs(20);
/// Long enough to have asked dozens of times.
const SHORT: Duration = Duration::from_millis(700);

/// A server in this process: each connection gets what `reply` says; `None` closes it without a word.
fn serve(listener: TcpListener, reply: impl Fn() -> Option<Vec<u8>> + Send + 'static) {
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            if read_request(&mut stream)
                && let Some(bytes) = reply()
            {
                let _ = stream.write_all(&bytes);
            }
        }
    });
}

fn read_request(stream: &mut TcpStream) -> bool {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return false,
        }
        if request == [0x16] {
            return false; // a TLS handshake
        }
    }
    assert!(request.starts_with(b"GET "), "{}", String::from_utf8_lossy(&request));
    true
}

fn status(code: u16) -> Vec<u8> {
    format!("HTTP/1.1 {code} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into_bytes()
}

fn bind(address: &str) -> (TcpListener, Port) {
    let listener = TcpListener::bind(address).unwrap();
    let port = Port::new(listener.local_addr().unwrap().port()).unwrap();
    (listener, port)
}

fn free_port() -> Port {
    bind("127.0.0.1:0").1
}

fn me() -> Members {
    Box::new(|| vec![std::process::id()])
}

fn page() -> ReadyCheck {
    ReadyCheck::Path("/".to_string())
}

fn run(target: Target, limit: Duration, tell: impl FnMut(Seen)) -> Option<Result<Answer, NotReady>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(limit, wait(target, tell)).await.ok() })
}

fn target(port: Port, check: ReadyCheck, members: Members) -> Target {
    Target { port, wished: None, others: Others::default(), check, members, lines: None }
}

fn ready(port: Port, check: ReadyCheck, members: Members) -> Answer {
    run(target(port, check, members), LONG, |_| {}).expect("ready in time").unwrap()
}

/// A child that ends with the test.
struct Kid(Child);

impl Kid {
    fn python(code: &str, args: &[&str]) -> Self {
        let child = Command::new("python3")
            .args(["-c", code])
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 is installed");
        Self(child)
    }

    fn serves(port: Port) -> Self {
        Self::python(
            "import sys, http.server as h\nh.HTTPServer(('127.0.0.1', int(sys.argv[1])), h.SimpleHTTPRequestHandler).serve_forever()",
            &[&port.to_string()],
        )
    }

    fn alone(&self) -> Members {
        let pid = self.0.id();
        Box::new(move || vec![pid])
    }
}

impl Drop for Kid {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_status_below_500_but_426_is_an_answer() {
    for code in [200, 204, 301, 302, 400, 401, 403, 404, 405, 499] {
        let (listener, port) = bind("127.0.0.1:0");
        serve(listener, move || Some(status(code)));
        let answer = ready(port, page(), me());
        let pid = Some(std::process::id());
        let url = format!("http://localhost:{port}");
        assert_eq!(answer, Answer { url, port, pid, moved: false }, "{code}");
    }
}

#[test]
fn a_redirect_to_itself_is_an_answer() {
    let (listener, port) = bind("127.0.0.1:0");
    let reply = format!("HTTP/1.1 302 X\r\nLocation: http://localhost:{port}/\r\nContent-Length: 0\r\n\r\n");
    serve(listener, move || Some(reply.clone().into_bytes()));
    assert_eq!(ready(port, page(), me()).port, port);
}

#[test]
fn a_proxy_in_the_environment_changes_nothing() {
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "ready::tests::every_status_below_500_but_426_is_an_answer"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        again.env(name, "http://127.0.0.1:9");
    }
    let output = again.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

#[test]
fn each_family_and_both_are_found() {
    for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"] {
        let (listener, port) = bind(address);
        serve(listener, || Some(status(200)));
        let url = ready(port, page(), me()).url;
        let literal = format!("http://[::1]:{port}");
        assert!(url == format!("http://localhost:{port}") || address == "[::1]:0" && url == literal, "{url}");
    }
}

#[test]
fn listening_or_holding_the_request_is_not_ready() {
    // Nothing is answered before the probe has said that it gets no answer, and then a bit later.
    let (listener, port) = bind("127.0.0.1:0");
    let open = Arc::new(AtomicBool::new(false));
    let gate = open.clone();
    serve(listener, move || {
        while !gate.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        Some(status(200))
    });
    let asked = target(port, page(), me());
    let told = Cell::new(false);
    run(asked, LONG, |seen| {
        if seen == Seen::NoAnswer {
            told.set(true);
            let open = open.clone();
            std::thread::spawn(move || {
                std::thread::sleep(SHORT);
                open.store(true, Ordering::SeqCst);
            });
        }
    })
    .expect("ready in time")
    .unwrap();
    assert!(told.get() && open.load(Ordering::SeqCst));
}

#[test]
fn failing_and_hot_reload_sockets_are_not_ready_and_their_status_is_told() {
    for code in [500, 503, 426] {
        let (listener, port) = bind("127.0.0.1:0");
        serve(listener, move || Some(status(code)));
        let asked = target(port, page(), me());
        let mut last = None;
        assert_eq!(run(asked, SHORT, |seen| last = Some(seen)), None, "{code}");
        assert_eq!(last, Some(Seen::Status(code)));
    }
}

#[test]
fn a_server_that_recovers_from_500_is_ready() {
    let (listener, port) = bind("127.0.0.1:0");
    let well = Arc::new(AtomicBool::new(false));
    let is_well = well.clone();
    serve(listener, move || Some(status(if is_well.load(Ordering::SeqCst) { 200 } else { 500 })));
    let asked = target(port, page(), me());
    let outcome = run(asked, LONG, |seen| {
        if seen == Seen::Status(500) {
            well.store(true, Ordering::SeqCst);
        }
    });
    assert!(outcome.is_some_and(|outcome| outcome.is_ok()) && well.load(Ordering::SeqCst));
}

#[test]
fn what_is_not_http_is_ready_only_if_tcp_was_asked_for() {
    for words in [Some(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()), None] {
        let (listener, port) = bind("127.0.0.1:0");
        serve(listener, move || words.clone());
        let asked = target(port, page(), me());
        let mut last = None;
        assert_eq!(run(asked, SHORT, |seen| last = Some(seen)), None);
        assert_eq!(last, Some(Seen::NotHttp));
        assert_eq!(ready(port, ReadyCheck::Tcp, me()).port, port);
    }
}

#[test]
fn a_stranger_on_the_port_is_no_readiness_and_is_named() {
    let port = free_port();
    let stranger = Kid::serves(port);
    let asked = target(port, page(), me());
    match run(asked, LONG, |_| {}) {
        Some(Err(NotReady::Stranger { port: on, pid, who })) => {
            assert_eq!((on, pid), (port, Some(stranger.0.id())));
            assert!(who.contains("python") && who.contains(&stranger.0.id().to_string()), "{who}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn beside_a_stranger_on_the_other_family_the_address_itself_is_given() {
    let port = free_port();
    let (stranger, ours) = (Kid::serves(port), TcpListener::bind(format!("[::1]:{port}")).unwrap());
    while TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
        std::thread::yield_now();
    }
    serve(ours, || Some(status(200)));
    assert_eq!(ready(port, page(), me()).url, format!("http://[::1]:{port}"));
    drop(stranger);
}

#[test]
fn a_server_that_moved_is_followed() {
    let (wanted, taken) = (free_port(), free_port());
    let server = Kid::serves(taken);
    let answer = ready(wanted, page(), server.alone());
    let url = format!("http://localhost:{taken}");
    assert_eq!(answer, Answer { url, port: taken, pid: Some(server.0.id()), moved: true });
}

#[test]
fn who_listens_on_an_extra_port_is_not_the_server() {
    let (wanted, extra) = (free_port(), free_port());
    let api = Kid::serves(extra);
    let asked = Target {
        others: Others { ports: vec![extra], ..Others::default() },
        ..target(wanted, page(), api.alone())
    };
    assert_eq!(run(asked, SHORT * 2, |_| {}), None);
    let both = (api.0.id(), Kid::serves(wanted));
    let members = vec![both.0, both.1.0.id()];
    let asked = Target {
        others: Others { ports: vec![extra], ..Others::default() },
        ..target(wanted, page(), Box::new(move || members.clone()))
    };
    assert_eq!(run(asked, LONG, |_| {}).unwrap().unwrap().port, wanted);
}

#[test]
fn where_others_run_beside_the_server_they_are_not_taken_for_it_at_once() {
    let (wanted, other) = (free_port(), free_port());
    let api = Kid::serves(other);
    let patient = |members| Target {
        others: Others { patience: SHORT, ..Others::default() },
        ..target(wanted, page(), members)
    };
    let started = Instant::now();
    assert_eq!(run(patient(api.alone()), LONG, |_| {}).unwrap().unwrap().port, other, "in the end");
    // A port that the system gave out is taken for the server's after 3.3 s, see `pick`.
    assert!(started.elapsed() > SHORT + Duration::from_millis(3300));
    let server = Kid::serves(wanted);
    let members = vec![api.0.id(), server.0.id()];
    let answer = run(patient(Box::new(move || members.clone())), LONG, |_| {});
    assert_eq!(answer.unwrap().unwrap().port, wanted);
}

#[test]
fn a_listener_that_goes_while_it_is_asked_is_given_up_for_the_next() {
    // The first listens and holds the request for good, as a server does that is about to restart itself.
    let port = free_port();
    let code = "import os, sys, socket, http.server as h
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen()
held = []
while True:
    c, _ = s.accept()
    if c.recv(9): held.append(c); break
s.close()
h.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), h.SimpleHTTPRequestHandler).serve_forever()";
    let server = Kid::python(code, &[&port.to_string()]);
    assert_eq!(ready(port, page(), server.alone()).pid, Some(server.0.id()));
}

#[test]
fn a_self_signed_certificate_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-subj", "/CN=elsewhere.example", "-keyout", "key", "-out", "cert"])
        .current_dir(&folder)
        .output()
        .expect("openssl is installed");
    assert!(made.status.success());
    let port = free_port();
    let code = "import os, sys, ssl, http.server as h
os.chdir(sys.argv[2])
s = h.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), h.SimpleHTTPRequestHandler)
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain('cert', 'key')
s.socket = c.wrap_socket(s.socket, server_side=True); s.serve_forever()";
    let server = Kid::python(code, &[&port.to_string(), folder.path().to_str().unwrap()]);
    assert_eq!(ready(port, page(), server.alone()).url, format!("https://localhost:{port}"));
}

#[test]
fn a_url_on_our_port_must_be_a_members_and_another_need_only_answer() {
    let (listener, port) = bind("127.0.0.1:0");
    serve(listener, || Some(status(404)));
    let url = |host: &str| ReadyCheck::Url(format!("http://{host}:{port}/health?deep=1"));
    for host in ["localhost", "127.0.0.1", "app.localhost"] {
        assert_eq!(ready(port, url(host), me()).pid, Some(std::process::id()));
        let nobody = target(port, url(host), Box::new(Vec::new));
        assert!(matches!(run(nobody, LONG, |_| {}), Some(Err(NotReady::Stranger { .. }))));
    }
    let other = free_port();
    let answer = ready(other, url("127.0.0.1"), Box::new(Vec::new));
    assert_eq!((answer.port, answer.pid), (other, None));
}

#[test]
fn a_url_on_the_port_that_was_wished_for_means_the_server_wherever_it_is() {
    let (wished, got) = (free_port(), free_port());
    let stranger = Kid::serves(wished);
    let url = ReadyCheck::Url(format!("http://localhost:{wished}/"));
    let asked = |members| Target { wished: Some(wished), ..target(got, url.clone(), members) };
    assert_eq!(run(asked(me()), SHORT, |_| {}), None, "the stranger {} answers there", stranger.0.id());
    let server = Kid::serves(got);
    assert_eq!(run(asked(server.alone()), LONG, |_| {}).unwrap().unwrap().port, got);
}

#[test]
fn a_line_of_the_output_can_be_the_sign() {
    let (listener, port) = bind("127.0.0.1:0");
    let (to, lines) = tokio::sync::broadcast::channel(16);
    for line in ["compiling", "ready in 12 ms", "more"] {
        to.send(line.to_string()).unwrap();
    }
    let check = ReadyCheck::Log(r"ready in \d+ ms".to_string());
    let asked = Target { lines: Some(lines), ..target(port, check, me()) };
    let answer = run(asked, LONG, |_| {}).unwrap().unwrap();
    assert_eq!((answer.port, answer.pid), (port, Some(std::process::id())));
    drop(listener);
    let check = ReadyCheck::Log("(".to_string());
    let asked = target(port, check, me());
    assert!(matches!(run(asked, LONG, |_| {}), Some(Err(NotReady::Impossible(_)))));
}

#[test]
fn no_check_is_ready_at_once() {
    let port = free_port();
    assert_eq!(ready(port, ReadyCheck::None, me()).url, format!("http://localhost:{port}"));
}
