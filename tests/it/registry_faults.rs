//! Promises 16, 17, 19 and 21: whatever kills, fills or forbids, the registry tells no lie, and the server runs.

use std::time::{Duration, Instant};

use crate::ghosts::kill_both;
use crate::support::{
    Ended, LIMIT, Proc, Running, SOON, Scratch, Signal, eventually, get, is_root, kill, takes_at_most,
};

const DEVRUN: &str = env!("CARGO_BIN_EXE_devrun");

/// Runs lines of shell in a namespace of these kinds, with `$STATE` the state folder and `$DEVRUN` the program.
fn in_namespace(scratch: &Scratch, kinds: &[&str], script: &str) -> Running {
    let mut unshare = scratch.command("unshare");
    unshare.args(kinds).args(["sh", "-ec", script]).env("DEVRUN", DEVRUN).env("STATE", scratch.state());
    Running::spawn(unshare)
}

/// How many warnings were said.
fn warnings(text: &str) -> usize {
    text.matches("warning:").count()
}

#[test]
fn a_stranger_that_got_the_pid_of_the_command_lives() {
    if !is_root("a pid namespace") {
        return;
    }
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=own-session serve=no");
    let record = fixture.argv[2].strip_prefix("record=").unwrap();
    let script = format!(
        r#"
        $DEVRUN --ready none --name shop -- {} & front=$!
        until grep -q complete {record} 2>/dev/null; do sleep 0.02; done
        until grep -q '"leader":{{' $STATE/servers/*/server.json; do sleep 0.02; done
        read -r role leader start <{record}
        guard=$(cat /proc/$front/task/$front/children)
        kill -STOP $front $guard; kill -KILL $guard $front
        while [ -e /proc/$leader ]; do sleep 0.02; done
        echo $((leader - 1)) >/proc/sys/kernel/ns_last_pid
        env -i sleep 1000 & stranger=$!
        [ $stranger = $leader ] || {{ echo "not recycled: $leader $stranger"; exit 1; }}
        $DEVRUN --ready none --name other -- true
        kill -0 $stranger && echo the stranger lives
        "#,
        fixture.line()
    );
    let run = in_namespace(&scratch, &["--pid", "--fork", "--mount-proc"], &script);
    let outcome = run.outcome(SOON);
    assert_eq!(outcome.stdout.lines().last(), Some("the stranger lives"), "{outcome}");
    assert!(outcome.stderr.contains("ended what a crash of"), "the ghost beside it was ended: {outcome}");
    scratch.assert_dead(LIMIT);
}

#[test]
fn where_boot_or_record_are_in_doubt_nobody_is_signalled() {
    type Change = fn(&mut serde_json::Value);
    let cases: [(&str, Change); 3] = [
        ("another boot", |record| record["boot"] = "00000000-0000-4000-8000-000000000000".into()),
        ("no boot", |record| _ = record.as_object_mut().unwrap().remove("boot")),
        ("a missing field", |record| _ = record.as_object_mut().unwrap().remove("run")),
    ];
    for (case, change) in cases {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=own-session");
        let mut run = scratch.run("--name shop", &fixture);
        run.ready();
        kill_both(&scratch, &mut run);
        let path = scratch.record_path();
        let mut record = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut record);
        // A clock that was set back a year makes this time of the future.
        record["started_at"] = (record["started_at"].as_u64().unwrap() + 31_536_000_000).into();
        record["changed_at"] = record["started_at"].clone();
        std::fs::write(&path, record.to_string()).unwrap();
        // The command itself goes with its guard; what it started does not.
        eventually(SOON, || Proc::of(fixture.leader()).map_or(Ok(()), |leader| Err(format!("{leader:?}"))));
        let alive = || scratch.alive().into_iter().map(|found| found.pid).collect::<Vec<_>>();
        let before = alive();
        assert!(!before.is_empty(), "{case}");
        let other = scratch.devrun(["--ready", "none", "--name", "other", "--", "true"]);
        let outcome = Running::spawn(other).outcome(SOON);
        assert_eq!(outcome.ended, Ended::Status(0), "{case}: {outcome}");
        Running::spawn(scratch.devrun(["ls", "--all"])).outcome(SOON);
        assert_eq!(alive(), before, "{case}: {outcome}");
    }
}

#[test]
fn killed_at_any_system_call_it_leaves_whole_files() {
    let scratch = Scratch::new();
    let mut kills = 0;
    // All that change the state folder; between two of them nothing on the disk changes.
    let calls =
        ["write", "fsync", "rename", "renameat", "renameat2", "unlink", "unlinkat", "ftruncate", "mkdir"];
    for call in calls {
        for nth in 1.. {
            let mut strace = scratch.command("strace");
            let inject = format!("inject={call}:signal=KILL:when={nth}");
            strace.args(["-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject, DEVRUN]);
            strace.args(["--ready", "none", "--name", "shop", "--", "true"]);
            let ended = Running::spawn(strace).outcome(SOON).ended;
            scratch.assert_dead(LIMIT);
            // Without a complaint: whatever record there is was read.
            scratch.listed(true);
            for port in std::fs::read_dir(scratch.state().join("ports")).into_iter().flatten().flatten() {
                let owner = std::fs::read_to_string(port.path()).unwrap();
                assert!(owner.is_empty() || owner.len() == 17, "{call} {nth}: {owner:?}");
            }
            match ended {
                Ended::Signal(9) => kills += 1,
                Ended::Status(0) => break,
                other => panic!("{call} {nth}: {other:?}"),
            }
            assert!(nth < 100, "it never gets through {call}");
        }
    }
    assert!(kills > 15, "{kills} places to kill it are too few: is it traced?");
    println!("killed in {kills} places");
    assert_eq!(scratch.names(true), ["shop"]);
}

#[test]
fn on_a_full_disk_the_server_runs_with_one_warning_and_nothing_is_overwritten() {
    if !is_root("a mount namespace") {
        return;
    }
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.state()).unwrap();
    let script = "
        mount -t tmpfs -o size=64k,mode=700 none $STATE
        $DEVRUN -q --ready none --name shop -- true
        cp $STATE/servers/*/server.json old
        cat /dev/zero >$STATE/filler 2>/dev/null || echo full
        status=0; $DEVRUN --ready none --name shop -- sh -c 'exit 3' || status=$?
        echo status $status
        cmp old $STATE/servers/*/server.json && echo the same record
        ls -a $STATE/servers/* | grep -c tmp || rm $STATE/filler
        $DEVRUN -q --ready none --name shop -- sh -c 'exit 4' || echo status $?
        grep -o '\"exit\":{[^}]*}' $STATE/servers/*/server.json";
    let outcome = in_namespace(&scratch, &["--mount"], script).outcome(SOON);
    let expected = "full\nstatus 3\nthe same record\n0\nstatus 4\n\"exit\":{\"code\":4}\n";
    assert_eq!(outcome.stdout, expected, "{outcome}");
    assert_eq!(warnings(&outcome.stderr), 1, "{outcome}");
    assert!(outcome.stderr.contains("No space left"), "{outcome}");
}

#[test]
fn a_disk_that_fills_up_under_a_run_costs_one_warning() {
    if !is_root("a mount namespace") {
        return;
    }
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.state()).unwrap();
    let fixture = scratch.fixture("shape=plain print=still-heard");
    let command = format!(
        "until grep -q leader $STATE/servers/*/server.json; do sleep 0.02; done
        cat /dev/zero >$STATE/filler 2>/dev/null; exec {}",
        fixture.line()
    );
    scratch.write("command.sh", &command);
    let script = "
        mount -t tmpfs -o size=256k,mode=700 none $STATE
        exec $DEVRUN --stop-timeout 500ms --name shop -- sh command.sh";
    let mut run = in_namespace(&scratch, &["--mount"], script);
    let ready = run.ready();
    assert_eq!(get(&ready.url), scratch.mark);
    run.says("warning:");
    assert!(run.stdout().contains("still-heard"), "{}", run.stdout());
    let outcome = run.stop();
    assert_eq!(outcome.ended, Ended::Signal(15), "{outcome}");
    assert_eq!(warnings(&outcome.stderr), 1, "{outcome}");
    scratch.assert_dead(LIMIT);
}

#[test]
fn on_a_full_disk_all_output_arrives_and_the_log_says_what_it_misses() {
    if !is_root("a mount namespace") {
        return;
    }
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.state()).unwrap();
    scratch.write("flood.sh", "seq 1 3000000; rm $STATE/filler; echo last words; exit 3");
    let script = "
        mount -t tmpfs -o size=16m,mode=700 none $STATE
        head -c 13m /dev/zero >$STATE/filler
        $DEVRUN -q --ready none --name shop -- sh flood.sh | cksum
        seq 1 3000000 | (cat; echo last words) | cksum
        $DEVRUN logs shop -n 1000000 >log
        grep -o '[1-9][0-9]* bytes of output skipped' log | tail -n 1 | cut -d ' ' -f 2-
        tail -n 1 log";
    let outcome = in_namespace(&scratch, &["--mount"], script).outcome(SOON * 3);
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{outcome}");
    assert_eq!(lines[0], lines[1], "to the byte: {outcome}");
    assert_eq!(lines[2..], ["bytes of output skipped", "last words"], "{outcome}");
}

#[test]
fn on_a_read_only_disk_the_server_runs_with_one_warning() {
    if !is_root("a mount namespace") {
        return;
    }
    let scratch = Scratch::new();
    Running::spawn(scratch.devrun(["--ready", "none", "--name", "shop", "--", "true"])).outcome(SOON);
    let old = std::fs::read(scratch.record_path()).unwrap();
    let script = "
        mount --bind $STATE $STATE
        mount -o remount,bind,ro $STATE
        exec $DEVRUN --ready none --name shop -- sh -c 'exit 3'";
    let outcome = in_namespace(&scratch, &["--mount"], script).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(3), "{outcome}");
    assert_eq!(warnings(&outcome.stderr), 1, "{outcome}");
    assert!(outcome.stderr.contains("Read-only"), "{outcome}");
    assert_eq!(std::fs::read(scratch.record_path()).unwrap(), old);
}

#[test]
fn without_a_home_the_server_runs_with_one_warning() {
    let scratch = Scratch::new();
    let mut command = scratch.devrun(["--ready", "none", "--", "sh", "-c", "exit 3"]);
    for name in ["HOME", "XDG_STATE_HOME", "DEVRUN_STATE_DIR"] {
        command.env_remove(name);
    }
    let outcome = Running::spawn(command).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(3), "{outcome}");
    assert_eq!(warnings(&outcome.stderr), 1, "{outcome}");
    assert!(outcome.stderr.contains("HOME"), "{outcome}");
}

#[test]
fn once_its_holder_is_killed_a_server_starts_at_once() {
    takes_at_most(Duration::from_millis(300), || {
        let scratch = Scratch::new();
        let fixture = scratch.fixture("shape=alone");
        let mut run = scratch.run("--name shop", &fixture);
        run.ready();
        kill_both(&scratch, &mut run);
        let start = Instant::now();
        let again = scratch.devrun(["--ready", "none", "--name", "shop", "--", "true"]);
        let outcome = Running::spawn(again).outcome(SOON);
        assert_eq!(outcome.ended, Ended::Status(0), "{outcome}");
        start.elapsed()
    });
}

#[test]
fn a_stopped_holder_is_named_soon() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=alone");
    let mut run = scratch.run("--name shop", &fixture);
    run.ready();
    kill(run.pid(), Signal::STOP);
    let start = Instant::now();
    let outcome = Running::spawn(scratch.devrun(["--name", "shop", "--", "true"])).outcome(SOON);
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    assert_ne!(outcome.ended, Ended::Status(0), "{outcome}");
    assert!(outcome.stderr.contains(&run.pid().to_string()), "it is named: {outcome}");
    assert!(outcome.stderr.contains("stopped"), "{outcome}");
    kill(run.pid(), Signal::CONT);
    assert_eq!(run.stop().ended, Ended::Signal(15));
    scratch.assert_dead(LIMIT);
}

#[test]
fn no_process_of_the_tree_inherits_a_lock() {
    for shape in ["plain", "daemon-clearenv", "own-session"] {
        let scratch = Scratch::new();
        let fixture = scratch.fixture(&format!("shape={shape}"));
        let mut run = scratch.run("", &fixture);
        run.ready();
        let members: Vec<u32> = fixture.members().into_iter().map(|(_, pid, _)| pid).collect();
        assert!(members.len() > 1);
        for pid in members {
            for file in std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
                let target = std::fs::read_link(file.path()).unwrap_or_default();
                assert!(!target.starts_with(scratch.state()), "{shape}: {pid} has {target:?}");
            }
        }
    }
}
