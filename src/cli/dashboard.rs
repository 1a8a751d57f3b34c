//! `devrun dashboard`: the one dashboard of this user, started or found. stdout gets its address and nothing else.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::unbounded_channel;

use super::args;
use super::render::Style;
use super::table::print;
use super::verb::note;
use crate::dashboard::{Dashboard, invitation};
use crate::detach;
use crate::error::{Error, Kind};
use crate::registry::Registry;
use crate::sys;

/// What the dashboard may take to start in the background.
const PATIENCE: Duration = Duration::from_secs(10);

/// Shows the dashboard that runs, or starts one and serves until it is asked to end.
pub(crate) fn run(wish: args::Dashboard, style: Style) -> Result<ExitCode, Error> {
    // Asked as long as it stands where it was installed: a dashboard may see upgrades.
    let program = detach::program();
    let registry = Registry::open()?;
    if let Some(invitation) = invitation(&registry)? {
        note(style, "the dashboard runs already".into());
        return show(&invitation, wish.open);
    }
    if wish.detach {
        return start_apart(&program?, &registry, wish);
    }
    let Some(dashboard) = Dashboard::open(&registry, wish.port)? else {
        // Another call was quicker.
        return run(wish, style);
    };
    let (stop, mut stops) = unbounded_channel();
    sys::on_ending_signals(move |_| {
        let _ = stop.send(());
    })
    .map_err(|error| Error::new(Kind::Internal, "signals can't be listened for").source(error))?;
    show(&dashboard.invite()?, wish.open)?;
    note(style, "the dashboard; Ctrl-C ends it".into());
    dashboard.serve(async move {
        stops.recv().await;
    })?;
    Ok(ExitCode::SUCCESS)
}

fn show(invitation: &crate::dashboard::Invitation, open: bool) -> Result<ExitCode, Error> {
    print(&format!("{}\n", invitation.url));
    if open {
        // The address lets in, and arguments are seen by everybody.
        super::browser::open_file(&invitation.as_file()?);
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts it in the background and waits until it answers.
fn start_apart(program: &Path, registry: &Registry, wish: args::Dashboard) -> Result<ExitCode, Error> {
    let failed = || {
        Error::new(Kind::Internal, "the dashboard did not start in the background")
            .hint("see why with `devrun dashboard`")
    };
    let port = wish.port.map(|port| format!("--port={port}"));
    let args = ["dashboard"].into_iter().chain(port.as_deref());
    sys::start_apart(&program.to_string_lossy(), args).map_err(|e| failed().source(e))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(invitation) = invitation(registry)? {
            return show(&invitation, wish.open);
        }
        if Instant::now() > deadline {
            return Err(failed());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
