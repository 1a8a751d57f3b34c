//! The server: a socket on loopback and a task for each connection. It decides nothing about a request.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};

use super::board::Board;
use super::door::{Door, Invitation};
use super::respond::{Shared, respond};
use super::watch::Watch;
use crate::error::{Error, Kind};
use crate::plan::Port;
use crate::registry::Registry;

/// Where it is looked for.
const PORT: u16 = 8069;
/// Other users of this machine may have theirs there.
const TRIES: u16 = 50;
/// Open connections; the next ones wait.
const CONNECTIONS: usize = 256;
/// For the head of a request, and for the next one on the same connection.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);

/// This user's dashboard.
pub(crate) struct Dashboard {
    listener: TcpListener,
    shared: Arc<Shared>,
}

impl Dashboard {
    /// Takes the door and a port; `None` if another dashboard of this user runs.
    pub(crate) fn open(registry: &Registry, port: Option<Port>) -> Result<Option<Self>, Error> {
        let Some(door) = Door::take(registry)? else { return Ok(None) };
        let listener = listen(port)?;
        let failed = |e: std::io::Error| Error::new(Kind::Internal, "the dashboard can't listen").source(e);
        listener.set_nonblocking(true).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        door.announce(port)?;
        let shared = Shared { registry: registry.clone(), board: Arc::new(Board::new()), door, port };
        Ok(Some(Self { listener, shared: Arc::new(shared) }))
    }

    pub(crate) fn invite(&self) -> Result<Invitation, Error> {
        self.shared.door.invite(self.shared.port)
    }

    /// Serves until `end` is done. What was begun, like the stop of a server, goes on without it.
    pub(crate) fn serve(self, end: impl Future<Output = ()>) -> Result<(), Error> {
        let failed =
            |e: std::io::Error| Error::new(Kind::Internal, "the dashboard can't be served").source(e);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(64)
            .thread_keep_alive(Duration::from_secs(1))
            .build()
            .map_err(failed)?;
        let served = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(self.listener).map_err(failed)?;
            let watch = Watch::start(&self.shared.registry, &self.shared.board);
            tokio::select! {
                () = end => {}
                () = watch.run() => {}
                () = accept(listener, self.shared) => {}
            }
            Ok(())
        });
        runtime.shutdown_background();
        served
    }
}

fn listen(port: Option<Port>) -> Result<TcpListener, Error> {
    let ports = match port {
        Some(port) => port.get()..=port.get(),
        None => PORT..=PORT + TRIES,
    };
    let last = *ports.end();
    for number in ports {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, number)) {
            Ok(listener) => return Ok(listener),
            Err(e) if e.kind() == ErrorKind::AddrInUse && number < last => {}
            Err(e) => {
                return Err(Error::new(Kind::PortTaken, format!("the dashboard can't have port {number}"))
                    .source(e)
                    .hint("choose another with --port"));
            }
        }
    }
    unreachable!("the last port of the range returns")
}

async fn accept(listener: tokio::net::TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = places.clone().acquire_owned().await.expect("it is never closed");
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = shared.clone();
                tokio::spawn(async move {
                    connection(stream, shared).await;
                    drop(place);
                });
            }
            // Out of descriptors: some are given back before long.
            Err(error) => {
                tracing::warn!(target: "devrun::dashboard", %error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // Events are small, and each is wanted at once.
    let _ = stream.set_nodelay(true);
    let cut = Arc::new(Notify::new());
    let service = service_fn(|request| {
        let (shared, cut) = (shared.clone(), cut.clone());
        async move { Ok::<_, Infallible>(respond(&shared, request, cut).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE).max_buf_size(32 * 1024);
    tokio::select! {
        ended = http.serve_connection(TokioIo::new(stream), service) => {
            tracing::debug!(target: "devrun::dashboard", ?ended, "connection");
        }
        () = cut.notified() => tracing::info!(target: "devrun::dashboard", "cut off a slow listener"),
    }
}
