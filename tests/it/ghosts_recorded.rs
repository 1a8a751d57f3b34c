//! Promises 2 and 17: what a record says of processes is enough to find them, and their pids and the clock alone are
//! nothing.

use std::time::{Duration, SystemTime};

use crate::ghosts::kill_both;
use crate::support::{
    LIMIT, Proc, Running, SOON, Scratch, Signal, eventually, kill_group, not_run, record_of, replace_record,
};

#[test]
fn whose_environment_says_nothing_is_found_by_the_record() {
    // The last one is never ready.
    for shape in ["overwrite-env", "daemon-clearenv", "daemon-clearenv serve=no"] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture(&format!("shape={shape}"));
        let mut run = scratch.run("--name shop", &fixture);
        if shape.ends_with("serve=no") {
            fixture.stands();
        } else {
            run.ready();
        }
        let member = fixture.member("member").unwrap();
        eventually(SOON, || {
            let record = record_of(&scratch.server_folders()[0]);
            let members = record["members"].as_array().unwrap();
            let named = members.iter().any(|found| found["pid"] == member);
            if named { Ok(()) } else { Err(format!("{member} is not in {record}")) }
        });
        if record_of(&scratch.server_folders()[0])["leader"]["inode"].is_null() {
            // By its start time alone it could be a stranger, who is never ended.
            return not_run("a kernel with pidfs (6.9)");
        }
        let environment = std::fs::read(format!("/proc/{member}/environ")).unwrap();
        let marked = String::from_utf8_lossy(&environment).contains("DEVRUN_ID");
        assert!(!marked, "{shape}: it is found by its environment, or this test proves nothing");
        kill_both(&scratch, &mut run);
        assert!(Proc::of(member).is_some(), "{shape}: a double kill leaves it, or this test proves nothing");
        let said = start_another(&scratch);
        assert!(said.contains("ended what a crash of shop"), "{shape}: {said}");
        assert!(said.contains(&member.to_string()), "{shape}: it is named: {said}");
        eventually(LIMIT, || {
            scratch.dead().map_err(|seen| format!("{shape}: {seen}"))?;
            fixture.gone()
        });
    }
}

/// Starts another server, and returns what is said.
fn start_another(scratch: &Scratch) -> String {
    let other = scratch.devrun(["--ready", "none", "--name", "other", "--", "true"]);
    Running::spawn(other).outcome(SOON).stderr
}

#[test]
fn a_clock_set_by_a_year_saves_no_ghost_and_costs_no_stranger_its_life() {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    let now = SystemTime::now();
    for then in [now + YEAR, now - YEAR] {
        let (scratch, elsewhere) = (Scratch::new(), Scratch::new());
        let mut run = scratch.run("--name shop", &scratch.fixture("shape=own-session"));
        run.ready();
        kill_both(&scratch, &mut run);
        assert!(!scratch.alive().is_empty(), "there are ghosts, or this test proves nothing");
        let mut stranger = elsewhere.command("sleep");
        stranger.arg("600");
        let mut stranger = Running::spawn(stranger);
        let folder = &scratch.server_folders()[0];
        let mut record = record_of(folder);
        let ms = then.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
        (record["started_at"], record["changed_at"]) = (ms.into(), ms.into());
        record["leader"]["pid"] = stranger.pid().into();
        let leader = record["leader"].clone();
        record["members"].as_array_mut().unwrap().push(leader);
        replace_record(folder, &record.to_string());
        let files = [folder, &scratch.state().join("live")].map(|folder| std::fs::read_dir(folder).unwrap());
        let files = files.into_iter().flatten().flatten().map(|file| file.path());
        for file in files.filter(|path| path.is_file()) {
            std::fs::File::open(file).unwrap().set_modified(then).unwrap();
        }
        let said = start_another(&scratch);
        assert!(said.contains("ended what a crash of shop"), "{said}");
        assert!(!said.contains(&stranger.pid().to_string()), "{said}");
        scratch.assert_dead(LIMIT);
        assert!(!stranger.has_ended(), "{said}");
        kill_group(stranger.pid(), Signal::KILL);
    }
}
