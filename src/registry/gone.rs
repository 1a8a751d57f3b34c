//! Forgetting servers, above all those whose folder is gone: moved, deleted, a git worktree removed. None is taken
//! for one of these because its disk is away or can't be read just now.

use std::fs;
use std::sync::mpsc::{Receiver, channel};

use super::record::Record;
use super::stop::stop;
use super::store::{RECORD, Registry, read_owner};
use crate::error::{Error, Kind};
use crate::sys::files::{self, Access};
use crate::sys::lock;

impl Registry {
    /// Forgets a server that is not running: its ports are nobody's, and everything but the lock goes. The record
    /// goes last: who is interrupted here forgets it again.
    pub(crate) fn forget(&self, record: &Record) -> Result<(), Error> {
        let folder = self.server(&record.id);
        let failed = |e| {
            Error::new(Kind::Internal, format!("{} can't be forgotten", record.name))
                .cause(format!("{}: {e}", folder.display()))
        };
        // Held, since whoever starts it meanwhile would lose what it has just written.
        let lock = files::open_regular(&folder.join("lock"), Access::Write).map_err(failed)?;
        if !lock::try_lock(&lock).map_err(failed)? {
            return Err(Error::new(Kind::Usage, format!("{} runs, so it is not forgotten", record.name))
                .hint(format!("stop it first: `devrun stop {}`", record.name)));
        }
        self.free_ports(record);
        let mut names: Vec<_> =
            fs::read_dir(&folder).map_err(failed)?.flatten().map(|entry| entry.file_name()).collect();
        names.sort_by_key(|name| name == RECORD);
        for path in names.iter().filter(|name| *name != "lock").map(|name| folder.join(name)) {
            let is_folder = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
            if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }.map_err(failed)?;
        }
        Ok(())
    }

    fn free_ports(&self, record: &Record) {
        for port in std::iter::once(&record.port).chain(record.extra_ports.values()) {
            let Ok(file) = files::open_regular(&self.port_file(*port), Access::Write) else { continue };
            if read_owner(&file).as_ref() == Some(&record.id) && lock::try_lock(&file).unwrap_or(false) {
                let _ = file.set_len(0);
            }
        }
    }
}

/// Whether the folder is not there, and the disk that it was on is.
pub(crate) fn is_gone(record: &Record) -> bool {
    let folder = record.folder();
    // A folder that can't be looked at may well be there.
    let is_missing = matches!(folder.try_exists(), Ok(false));
    let above = || folder.ancestors().skip(1).find(|above| above.is_dir());
    is_missing && record.device.is_some() && above().and_then(files::device) == record.device
}

/// Stops and forgets the servers whose folder is gone, behind the caller's back: it reads every record and waits
/// for the trees' ends. Those that were forgotten come out, sooner or later.
pub(crate) fn sweep(registry: &Registry) -> Receiver<Record> {
    let (forgotten, heard) = channel();
    let registry = registry.clone();
    let sweeping = std::thread::Builder::new().name("sweep".into()).spawn(move || {
        forget_gone(&registry).into_iter().for_each(|record| drop(forgotten.send(record)));
    });
    if let Err(error) = sweeping {
        tracing::warn!(target: "devrun::registry", %error, "nobody looks for folders that are gone");
    }
    heard
}

fn forget_gone(registry: &Registry) -> Vec<Record> {
    let records = registry.ids().into_iter().filter_map(|id| registry.peek(&id).ok().flatten());
    let gone = records.filter(is_gone).filter(|record| {
        let forgotten = match registry.is_live(&record.id) {
            true => stop(registry, record).and_then(|()| registry.forget(record)),
            false => registry.forget(record),
        };
        if let Err(error) = &forgotten {
            tracing::warn!(target: "devrun::registry", %error, name = record.name, "its folder is gone");
        }
        forgotten.is_ok()
    });
    gone.collect()
}

#[cfg(test)]
mod tests {
    use super::super::store::tests::{record, registry};
    use super::*;
    use crate::plan::Spare;
    use crate::registry::{Claiming, Phase, Text};
    use std::path::Path;

    fn of_folder(number: u64, folder: &Path, device: Option<u64>) -> Record {
        Record { cwd: Text(folder.into()), device, ..record(number, "aa") }
    }

    #[test]
    fn a_folder_is_gone_when_its_disk_is_there_and_it_is_not() {
        let outside = tempfile::tempdir().unwrap();
        let here = files::device(outside.path());
        let missing = outside.path().join("a/b/c");
        let table = [
            ("missing", missing.as_path(), here, true),
            ("there", outside.path(), here, false),
            ("of a disk that is not there", &missing, here.map(|device| device + 1), false),
            ("of an unknown disk", &missing, None, false),
        ];
        for (case, folder, device, expected) in table {
            assert_eq!(is_gone(&of_folder(7, folder, device)), expected, "{case}");
        }
    }

    #[test]
    fn what_is_gone_is_forgotten_and_what_is_there_or_damaged_stays() {
        let (folder, registry) = registry();
        let here = files::device(folder.path());
        let missing = folder.path().join("missing");
        for record in [of_folder(7, &missing, here), of_folder(8, folder.path(), here)] {
            let Claiming::Ours(claim) = registry.claim(&record.id, "aa", &Spare::default()).unwrap() else {
                panic!("held")
            };
            claim.end(&record).unwrap();
        }
        let damaged = registry.server(&record(9, "aa").id);
        files::create_folder(&damaged).unwrap();
        std::fs::write(damaged.join("server.json"), "{").unwrap();
        let forgotten = || forget_gone(&registry).into_iter().map(|record| record.name).collect::<Vec<_>>();
        crate::testing::eventually("the lock is free", || forgotten() == ["server-7"]);
        assert!(forgotten().is_empty());
        assert_eq!(std::fs::read_to_string(damaged.join("server.json")).unwrap(), "{");
        assert_eq!(registry.list().0.len(), 1);
    }

    #[test]
    fn one_whose_run_cant_be_stopped_is_not_forgotten() {
        let (folder, registry) = registry();
        let record = of_folder(7, &folder.path().join("missing"), files::device(folder.path()));
        let running = Record { state: Phase::Ready, boot: None, ..record };
        let Claiming::Ours(claim) = registry.claim(&running.id, "aa", &Spare::default()).unwrap() else {
            panic!("held")
        };
        claim.write(&running).unwrap();
        assert!(forget_gone(&registry).is_empty());
        assert!(registry.forget(&running).unwrap_err().what().contains("runs"));
        assert_eq!(registry.live_record(&running.id), Some(running));
    }
}
