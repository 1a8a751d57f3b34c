//! Asking one address, once or until it answers. Does not know whose it is, and follows no redirect.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::{Client, redirect};

/// How long an answer may take: several servers hold the first request until they have compiled.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a connection may take, with its TLS handshake: what is no TLS server may wait for more for ever.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    /// GET this path as this host.
    Get { host: String, path: String },
    /// Nothing: that somebody listens is the answer.
    Connect,
}

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// A server that is up.
    Answer { https: bool, status: u16 },
    /// HTTP, with a status that a server that is up does not give.
    Failing(u16),
    /// It talks, and not HTTP.
    NotHttp,
    /// Nothing within the patience, or nobody was there.
    Silence,
}

/// Clients for both loopbacks, made before anybody answers: that takes longer than the asking.
#[derive(Debug)]
pub(super) struct Clients {
    host: String,
    loopbacks: [(IpAddr, Option<Client>); 2],
}

impl Clients {
    /// Clients that go to this host's page, wherever its name leads.
    pub(super) fn new(host: &str) -> Self {
        let loopbacks = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        Self { host: host.to_string(), loopbacks: loopbacks.map(|ip| (ip, client(host, Some(ip)).ok())) }
    }

    /// The client for this address.
    pub(super) fn at(&self, ip: IpAddr) -> Option<Client> {
        let ready = self.loopbacks.iter().find(|(loopback, _)| *loopback == ip);
        ready.map_or_else(|| client(&self.host, Some(ip)).ok(), |(_, client)| client.clone())
    }
}

/// Asks until there is an answer, and tells everything that comes before it too.
pub(super) async fn ask(
    client: Option<Client>,
    at: SocketAddr,
    question: Question,
    mut tell: impl FnMut(Reply),
) {
    let Question::Get { host, path } = question else {
        return tell(Reply::Answer { https: false, status: 200 });
    };
    let Some(client) = client else {
        return tell(Reply::Silence);
    };
    let mut pause = Duration::from_millis(5);
    loop {
        let reply = ask_once(&client, &format!("{host}:{}{path}", at.port())).await;
        tell(reply);
        if let Reply::Answer { .. } = reply {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(Duration::from_millis(250));
    }
}

/// Asks this very URL until there is an answer, wherever it leads.
pub(super) async fn ask_url(url: &str, mut tell: impl FnMut(Reply)) -> reqwest::Result<()> {
    let client = client("", None)?;
    let mut pause = Duration::from_millis(5);
    loop {
        let reply = match get(&client, url).await {
            Ok(status) => judge(status, url.starts_with("https")),
            Err(error) if error.is_builder() => return Err(error),
            Err(_) => Reply::Silence,
        };
        tell(reply);
        if let Reply::Answer { .. } = reply {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(Duration::from_millis(250));
    }
}

/// First in the clear; if that is not understood, encrypted.
async fn ask_once(client: &Client, rest: &str) -> Reply {
    let clear = get(client, &format!("http://{rest}")).await;
    match clear {
        Ok(status) if status != 400 => return judge(status, false),
        Err(error) if error.is_connect() || error.is_timeout() => return Reply::Silence,
        Ok(_) | Err(_) => {}
    }
    match (get(client, &format!("https://{rest}")).await, clear) {
        (Ok(status), _) => judge(status, true),
        (Err(_), Ok(status)) => judge(status, false),
        (Err(_), Err(_)) => Reply::NotHttp,
    }
}

async fn get(client: &Client, url: &str) -> reqwest::Result<u16> {
    let request = client.get(url).header("accept", "text/html,*/*;q=0.8");
    Ok(request.send().await?.status().as_u16())
}

fn judge(status: u16, https: bool) -> Reply {
    match status {
        426 | 500.. => Reply::Failing(status), // 426: a hot-reload socket
        _ => Reply::Answer { https, status },
    }
}

/// A client that goes straight there. `ip` is where this host's name leads, whatever the system thinks.
fn client(host: &str, ip: Option<IpAddr>) -> reqwest::Result<Client> {
    let client = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_PATIENCE)
        .timeout(PATIENCE)
        .pool_max_idle_per_host(0)
        .tls_backend_preconfigured(super::tls::any_certificate())
        .user_agent(concat!("devrun/", env!("CARGO_PKG_VERSION")));
    match ip {
        // The port is the URL's.
        Some(ip) => client.resolve(host, SocketAddr::new(ip, 0)).build(),
        None => client.build(),
    }
}

/// Where to knock to reach a socket that is bound to this address.
pub(super) fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
