//! Starting a server again as its record says, in the background. Nothing here supervises it.

use std::ffi::OsStr;
use std::time::Duration;

use super::wait::{Waited, until_ready};
use crate::detach;
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::plan::READY_TIMEOUT;
use crate::registry::{Holder, Record, Registry, Text, holder_state};

/// Starts the server and returns its URL once it is ready; of one that runs or is starting already, likewise.
pub(crate) fn start(
    registry: &Registry,
    record: &Record,
    say: &mut dyn FnMut(Event),
) -> Result<String, Error> {
    // Who comes while it ends or is suspended is told so, or waits, like any start.
    let runs = holder_state(registry, &record.id) == Some(Holder::Runs);
    let waited = runs.then(|| until_ready(registry, &record.id, Duration::ZERO, Some(READY_TIMEOUT)));
    // It may have begun to end in between.
    if let Some(waited) = waited.filter(|waited| !matches!(waited, Waited::NeverRan(_))) {
        let running = waited.ready(&record.name)?;
        say(Event::AlreadyRunning {
            name: running.name,
            url: running.url.clone(),
            pid: running.front.map_or(0, |front| front.pid),
        });
        return Ok(running.url);
    }
    can_be_started(record)?;
    let words = |texts: &[Text]| texts.iter().map(|text| text.0.clone()).collect::<Vec<_>>();
    let ready = detach::start(&words(&record.options), &words(&record.argv), &record.folder(), say)?;
    Ok(ready.url)
}

fn can_be_started(record: &Record) -> Result<(), Error> {
    let cannot = || Error::new(Kind::Usage, format!("{} can't be started from its record", record.name));
    if record.redacted {
        return Err(cannot()
            .cause("its command holds a secret, which is not kept")
            .hint(format!("fill in the ***: {}", command_line(record))));
    }
    match record.folder().metadata() {
        Ok(folder) if folder.is_dir() => Ok(()),
        Ok(_) => Err(cannot().cause(format!("{} is no folder any more", record.cwd.lossy()))),
        Err(error) => Err(cannot()
            .cause(format!("its folder {} can't be used: {error}", record.cwd.lossy()))
            .hint("devrun clean")),
    }
}

/// What a user would type to start this server.
fn command_line(record: &Record) -> String {
    let words = ["devrun".into(), "-C".into(), record.cwd.0.clone()].into_iter();
    let options = record.options.iter().map(|text| text.0.clone());
    let argv = std::iter::once("--".into()).chain(record.argv.iter().map(|text| text.0.clone()));
    command_of(&words.chain(options).chain(argv).map(Text).collect::<Vec<_>>())
}

/// The words as a shell reads them.
pub(crate) fn command_of(words: &[Text]) -> String {
    words.iter().map(|word| quoted(&word.0)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,*{}".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::test_record;

    #[test]
    fn what_can_not_be_started_is_said_with_what_to_type() {
        let mut record = test_record(7, "run");
        assert!(can_be_started(&record).is_ok());
        record.redacted = true;
        record.options = ["--port", "4000"].map(|word| Text(word.into())).to_vec();
        record.argv = ["sh", "-c", "x --token=*** 'y z'"].map(|word| Text(word.into())).to_vec();
        let error = can_be_started(&record).unwrap_err();
        let typed = r"devrun -C /tmp --port 4000 -- sh -c 'x --token=*** '\''y z'\'''";
        assert_eq!(error.what_to_do(), Some(format!("fill in the ***: {typed}").as_str()));
        record.redacted = false;
        record.cwd = Text("/no/such/folder".into());
        assert!(can_be_started(&record).unwrap_err().why().unwrap().contains("/no/such/folder"));
    }
}
