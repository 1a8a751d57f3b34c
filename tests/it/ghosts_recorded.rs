//! Promise 2: those that carry no id of their run in their environment are found by the record that names them.

use crate::ghosts::kill_both;
use crate::support::{LIMIT, Proc, Running, SOON, Scratch, eventually, record_of};

#[test]
fn whose_environment_says_nothing_is_found_by_the_record() {
    for shape in ["overwrite-env", "daemon-clearenv"] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture(&format!("shape={shape}"));
        let mut run = scratch.run("--name shop", &fixture);
        run.ready();
        let member = fixture.member("member").unwrap();
        eventually(SOON, || {
            let record = record_of(&scratch.server_folders()[0]);
            let members = record["members"].as_array().unwrap();
            let named = members.iter().any(|found| found["pid"] == member);
            if named { Ok(()) } else { Err(format!("{member} is not in {record}")) }
        });
        let environment = std::fs::read(format!("/proc/{member}/environ")).unwrap();
        let marked = String::from_utf8_lossy(&environment).contains("DEVRUN_ID");
        assert!(!marked, "{shape}: it is found by its environment, or this test proves nothing");
        kill_both(&scratch, &mut run);
        assert!(Proc::of(member).is_some(), "{shape}: a double kill leaves it, or this test proves nothing");
        let other = scratch.devrun(["--ready", "none", "--name", "other", "--", "true"]);
        let outcome = Running::spawn(other).outcome(SOON);
        assert!(outcome.stderr.contains("ended what a crash of shop"), "{shape}: {outcome}");
        assert!(outcome.stderr.contains(&member.to_string()), "{shape}: it is named: {outcome}");
        eventually(LIMIT, || {
            scratch.dead().map_err(|seen| format!("{shape}: {seen}"))?;
            fixture.gone()
        });
    }
}
