use super::*;
use crate::plan::Spare;
use crate::registry::{Claiming, Phase, new_run_id};
use crate::sys::process;
use crate::sys::testing::{mode, set_mode, symlink};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub(in crate::registry) fn registry() -> (tempfile::TempDir, Registry) {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::at(&folder.path().join("state")).unwrap();
    (folder, registry)
}

pub(crate) fn record(number: u64, run: &str) -> Record {
    let json = serde_json::json!({
        "version": 1, "id": format!("{number:016x}"), "name": format!("server-{number}"), "cwd": "/tmp",
        "argv": ["npm", "run", "dev"], "port": 3100, "url": "http://localhost:3100", "state": "stopped",
        "run": run, "boot": process::boot_id(), "front": null, "guard": null, "leader": null,
        "started_at": 1, "changed_at": 2, "ready_ms": null, "stop_ms": 5000, "exit": {"code": 0},
    });
    let id = ServerId(format!("{number:016x}"));
    Record::from_json(json.to_string().as_bytes(), &id).unwrap()
}

fn claim(registry: &Registry, id: &ServerId, run: &str) -> crate::registry::Claim {
    match registry.claim(id, run, &Spare::default()).unwrap() {
        Claiming::Ours(claim) => claim,
        Claiming::Held { .. } => panic!("held"),
    }
}

#[test]
fn a_record_comes_back_as_it_was_and_is_private() {
    let (_folder, registry) = registry();
    let mut written = record(7, "aa");
    written.extra_ports = BTreeMap::from([("api".to_string(), Port::new(3101).unwrap())]);
    let ours = claim(&registry, &written.id, "aa");
    ours.write(&written).unwrap();
    assert_eq!(registry.read(&written.id), Ok(Some(written.clone())));
    let is = |path: &Path, wanted| mode(path).is_none_or(|mode| mode == wanted);
    let server = registry.server(&written.id);
    assert!(is(&server.join("server.json"), 0o600));
    assert!(is(&server.join("lock"), 0o600));
    assert!(is(&server, 0o700));
    assert!(is(&registry.root, 0o700));
}

#[test]
fn one_claim_at_a_time_and_the_second_hears_of_the_first() {
    let (_folder, registry) = registry();
    let written = record(7, "aa");
    let first = claim(&registry, &written.id, "aa");
    assert_eq!(registry.live_record(&written.id), None, "nothing is written yet");
    first.write(&written).unwrap();
    assert_eq!(registry.live_record(&written.id), Some(written.clone()));
    let Claiming::Held { run, front } = registry.claim(&written.id, "bb", &Spare::default()).unwrap() else {
        panic!("not held")
    };
    assert_eq!((run.as_deref(), front), (Some("aa"), Some(std::process::id())));
    first.end(&written).unwrap();
    drop(first);
    crate::testing::eventually("free", || !registry.is_live(&written.id));
    assert_eq!(claim(&registry, &written.id, "cc").previous(), Some(&written));
    assert_ne!(new_run_id(), new_run_id());
}

/// Each way in which a record can be damaged.
type Damage = (&'static str, fn(&Path));

fn damages() -> Vec<Damage> {
    vec![
        ("empty", |path| fs::write(path, "").unwrap()),
        ("truncated", |path| fs::write(path, r#"{"version":1,"id":"00"#).unwrap()),
        ("binary", |path| fs::write(path, [0, 159, 146, 150]).unwrap()),
        ("nested", |path| fs::write(path, "[".repeat(500_000)).unwrap()),
        ("100 MB", |path| fs::File::create(path).unwrap().set_len(100 << 20).unwrap()),
        ("a folder", |path| fs::create_dir(path).unwrap()),
        ("a link loop", |path| symlink("server.json", path)),
        ("a link", |path| symlink("/etc/passwd", path)),
        ("a pipe", |path| {
            assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success())
        }),
        ("a missing field", |path| fs::write(path, r#"{"version":1,"name":"x"}"#).unwrap()),
        ("version 0", |path| fs::write(path, r#"{"version":0}"#).unwrap()),
        ("another server's", |path| fs::write(path, record(99, "aa").to_json()).unwrap()),
    ]
}

#[test]
fn a_damaged_record_is_set_aside_and_the_rest_listed() {
    for (case, damage) in damages() {
        let (_folder, registry) = registry();
        let sound = record(7, "aa");
        claim(&registry, &sound.id, "aa").end(&sound).unwrap();
        let id = ServerId(format!("{:016x}", 8));
        let path = registry.server(&id).join("server.json");
        for _ in 0..2 {
            files::create_folder(&registry.server(&id)).unwrap();
            damage(&path);
            let start = Instant::now();
            let (entries, warnings) = registry.list();
            assert!(start.elapsed() < Duration::from_secs(1), "{case}");
            assert_eq!(entries.len(), 1, "{case}");
            assert_eq!(warnings.len(), 1, "{case}: {warnings:?}");
            assert!(warnings[0].contains("set aside"), "{case}: {warnings:?}");
            assert!(fs::symlink_metadata(&path).is_err(), "{case}");
        }
        assert!(claim(&registry, &id, "bb").previous().is_none(), "{case}: a start goes on");
    }
}

#[test]
fn a_newer_record_is_left_alone() {
    let (_folder, registry) = registry();
    let ours = record(7, "aa");
    files::create_folder(&registry.server(&ours.id)).unwrap();
    let path = registry.server(&ours.id).join("server.json");
    fs::write(&path, r#"{"version":2,"new":true}"#).unwrap();
    assert!(registry.list().1[0].contains("newer devrun"));
    let claim = claim(&registry, &ours.id, "aa");
    assert!(claim.warning().unwrap().contains("newer devrun"));
    claim.end(&ours).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), r#"{"version":2,"new":true}"#);
}

#[test]
fn a_folder_that_is_not_this_users_alone_is_refused() {
    let outside = tempfile::tempdir().unwrap();
    let (real, link) = (outside.path().join("real"), outside.path().join("link"));
    fs::create_dir(&real).unwrap();
    symlink(&real, &link);
    assert!(Registry::at(&link).unwrap_err().why().unwrap().contains("symbolic link"));
    if set_mode(&real, 0o770) {
        assert!(Registry::at(&real).unwrap_err().why().unwrap().contains("mode 0770"));
    }
    let file = outside.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(Registry::at(&file).is_err());
    assert!(Registry::at(Path::new("/proc/devrun")).is_err(), "nothing can be made there");
}

#[test]
fn where_the_state_folder_is() {
    let find = |variables: &[(&str, &str)]| {
        let variables: BTreeMap<String, OsString> =
            variables.iter().map(|(name, value)| (name.to_string(), OsString::from(value))).collect();
        location(|name| variables.get(name).cloned()).ok()
    };
    let path = |path: &str| Some(PathBuf::from(path));
    assert_eq!(find(&[("DEVRUN_STATE_DIR", "/a"), ("XDG_STATE_HOME", "/b"), ("HOME", "/c")]), path("/a"));
    assert_eq!(find(&[("XDG_STATE_HOME", "/b"), ("HOME", "/c")]), path("/b/devrun"));
    assert_eq!(find(&[("XDG_STATE_HOME", "b"), ("HOME", "/c")]), path("/c/.local/state/devrun"));
    assert_eq!(find(&[]), None);
}

#[test]
fn a_writer_killed_at_any_time_leaves_one_whole_record() {
    // The writer is this test again, in a process of its own, which writes until it is killed.
    if let Some(state) = std::env::var_os("DEVRUN_TEST_WRITER") {
        let registry = Registry::at(Path::new(&state)).unwrap();
        for length in (0..100_000).cycle().step_by(9973) {
            registry.write(&Record { url: "x".repeat(length), ..record(7, "aa") }).unwrap();
        }
    }
    let (folder, registry) = registry();
    let id = record(7, "aa").id;
    files::create_folder(&registry.server(&id)).unwrap();
    for kill in 0..20 {
        let mut writer = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "registry::store::tests::a_writer_killed_at_any_time_leaves_one_whole_record"])
            .env("DEVRUN_TEST_WRITER", folder.path().join("state"))
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let before =
            fs::metadata(registry.server(&id).join("server.json")).map(|m| m.modified().unwrap()).ok();
        crate::testing::eventually("it writes", || {
            fs::metadata(registry.server(&id).join("server.json")).map(|m| m.modified().unwrap()).ok()
                != before
        });
        for _ in 0..kill * 3 {
            assert!(registry.read(&id).unwrap().is_some());
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        assert!(registry.read(&id).unwrap().is_some());
    }
}

#[test]
fn a_forgotten_server_leaves_its_lock_and_no_port() {
    let (_folder, registry) = registry();
    let old = record(7, "aa");
    claim(&registry, &old.id, "aa").end(&old).unwrap();
    fs::write(registry.server(&old.id).join("log"), "x").unwrap();
    fs::write(registry.port_file(old.port), format!("{}\n", old.id.0)).unwrap();
    assert_eq!(registry.port_owner(old.port), Some(old.id.clone()));
    registry.forget(&old).unwrap();
    assert_eq!(registry.port_owner(old.port), None);
    let left: Vec<_> =
        fs::read_dir(registry.server(&old.id)).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"]);
    assert!(registry.list().0.is_empty());
}

#[test]
fn a_killed_run_is_shown_as_crashed() {
    let (_folder, registry) = registry();
    let running = Record { state: Phase::Ready, ..record(7, "aa") };
    let ours = claim(&registry, &running.id, "aa");
    ours.write(&running).unwrap();
    assert_eq!(registry.list().0[0].phase(), Phase::Ready);
    drop(ours);
    crate::testing::eventually("crashed", || registry.list().0[0].phase() == Phase::Crashed);
}

#[test]
fn a_thousand_records_are_listed_soon_and_cost_a_start_nothing() {
    let (_folder, registry) = registry();
    for number in 0..1000 {
        let record = record(number, "aa");
        files::create_folder(&registry.server(&record.id)).unwrap();
        fs::write(registry.server(&record.id).join("server.json"), record.to_json()).unwrap();
    }
    crate::testing::takes_at_most(Duration::from_millis(100), || {
        assert!(crate::registry::end_ghosts(&registry, false).is_empty());
    });
    let start = Instant::now();
    assert_eq!(registry.list().0.len(), 1000);
    println!("1000 stopped records listed in {:?}", start.elapsed());
}

#[test]
fn what_a_run_left_that_was_killed_while_it_wrote_goes_with_the_next_claim() {
    let (_folder, registry) = registry();
    let id = record(7, "aa").id;
    drop(claim(&registry, &id, "aa"));
    let unfinished = registry.server(&id).join(".server.json.a1B2c3");
    fs::write(&unfinished, "{\"versi").unwrap();
    crate::testing::eventually("the lock is free", || {
        matches!(registry.claim(&id, "bb", &Spare::default()), Ok(Claiming::Ours(_)))
    });
    assert!(!unfinished.exists() && registry.server(&id).join("lock").exists());
}
