//! `devrun wait`, `devrun url` and `devrun events`: what scripts ask of a server. Nothing here changes one.

use std::process::ExitCode;
use std::time::Duration;

use super::escape::escape_line;
use super::render::{self, Style};
use super::table::{print, write_json};
use super::verb::Servers;
use crate::control;
use crate::error::{Error, Kind};
use crate::manage::{ready_event, until_ready};
use crate::registry::Phase;

/// What a server that was started just now may take until it is seen (`devrun npm run dev & devrun wait`).
const TO_APPEAR: Duration = Duration::from_secs(5);

/// Waits until the server is ready.
pub(crate) fn wait(name: Option<&str>, timeout: Option<Duration>, style: Style) -> Result<ExitCode, Error> {
    let start = std::time::Instant::now();
    let to_appear = timeout.map_or(TO_APPEAR, |timeout| timeout.min(TO_APPEAR));
    let (servers, id, name) = loop {
        let servers = Servers::look()?;
        match servers.meant(name).map(|entry| (entry.record.id.clone(), entry.record.name.clone())) {
            Ok((id, name)) => break (servers, id, name),
            // Several that run: waiting makes none of them the one that is meant.
            Err(error) if start.elapsed() > to_appear || servers.fits_one_that_runs(name) => {
                return Err(error);
            }
            // Never seen before: its first record may be about to be written.
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    let left = |time: Duration| time.saturating_sub(start.elapsed());
    let ready = until_ready(&servers.registry, &id, left(to_appear), timeout.map(left)).ready(&name)?;
    render::event(style, &ready_event(&ready));
    Ok(ExitCode::SUCCESS)
}

/// How long a front may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Prints what happens to a server that runs, from now on, until it has ended or nobody reads any more.
pub(crate) fn events(name: Option<&str>) -> Result<ExitCode, Error> {
    let servers = Servers::look()?;
    let record = &servers.meant(name)?.record;
    let failed = |why: String| {
        Error::new(Kind::NotRunning, format!("{} can't be listened to", record.name))
            .cause(why)
            .hint(format!("devrun status {}", record.name))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| failed(error.to_string()))?.block_on(async {
        let subscribed = control::subscribe(&servers.registry, &record.id, &record.run, ANSWER).await;
        let mut events = subscribed.map_err(|silent| failed(silent.to_string()))?;
        while let Some(event) = events.next().await {
            if write_json(&event).is_err() {
                break; // nobody reads any more
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Prints the URL, and nothing else, of a server that runs.
pub(crate) fn url(name: Option<&str>) -> Result<ExitCode, Error> {
    let servers = Servers::look()?;
    let entry = servers.meant(name)?;
    let record = &entry.record;
    match (entry.live, entry.phase()) {
        (true, Phase::Starting | Phase::Ready) => {
            print(&format!("{}\n", escape_line(&record.url)));
            Ok(ExitCode::SUCCESS)
        }
        (_, phase) => Err(Error::new(Kind::NotRunning, format!("{} is not running", record.name))
            .cause(format!("it is {}", phase.word()))
            .hint(format!("devrun start {}", record.name))),
    }
}
