use super::super::hunt::end_run;
use super::super::record::Record;
use super::super::store::tests::{record, registry};
use super::*;
use crate::plan::Spare;
use crate::registry::{Claiming, Phase};
use crate::sys::process::Process;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A shell with two children, one of them without any environment. Its output ends when all three are dead.
struct Tree(Child);

impl Tree {
    fn start(run: Option<&str>, ignore: bool) -> Self {
        let trap = if ignore { "trap '' TERM;" } else { "" };
        let script = format!("{trap} env -i sleep 300 & sleep 300 & echo up; wait; wait; sleep 300");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdout(Stdio::piped()).stdin(Stdio::null());
        if let Some(run) = run {
            command.env("DEVRUN_ID", run);
        }
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::with_capacity(3, child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        crate::testing::eventually("both children run", || process::members(child.id()).len() == 2);
        Self(child)
    }

    fn pids(&self) -> Vec<u32> {
        let mut pids = process::members(self.0.id());
        pids.push(self.0.id());
        pids.sort_unstable();
        pids
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        for pid in self.pids() {
            if let Ok(Some(process)) = Process::of_pid(pid) {
                let _ = process.signal(process::SIGKILL);
            }
        }
        let _ = self.0.wait();
    }
}

fn running(run: &str, leader: u32) -> Record {
    Record { state: Phase::Ready, leader: process::identity(leader), ..record(7, run) }
}

/// As if front and guard of this run had been killed: the marker and the record are there, the lock is free.
fn leave(registry: &Registry, record: &Record) {
    let Claiming::Ours(claim) = registry.claim(&record.id, &record.run, &Spare::default()).unwrap() else {
        panic!("held")
    };
    claim.write(record).unwrap();
    drop(claim);
    mark_as_dead(registry, record);
}

/// The marker says that this process is the front; no process has the pid that it is given instead.
fn mark_as_dead(registry: &Registry, record: &Record) {
    let front = Some(Identity { pid: u32::MAX >> 1, start: 1, inode: None });
    let path = registry.live().join(format!("{}.{}", record.id.0, record.run));
    Marker { front, ..Marker::read(&path).unwrap().unwrap() }.write(&path).unwrap();
    crate::testing::eventually("the lock is free", || !registry.is_live(&record.id));
}

fn end_all(registry: &Registry) -> Vec<Ghosts> {
    end_ghosts(registry, false)
}

#[test]
fn the_whole_tree_is_ended_and_the_next_look_finds_nothing() {
    for ignore in [false, true] {
        let (_folder, registry) = registry();
        let run = format!("ghost-run-{ignore}");
        let tree = Tree::start(Some(&run), ignore);
        let pids = tree.pids();
        leave(&registry, &running(&run, tree.0.id()));
        assert_eq!(end_ghosts(&registry, true)[0].found.ended, pids, "dry: named");
        assert_eq!(tree.pids(), pids, "dry: not touched");
        let ended = end_all(&registry);
        assert_eq!(ended.len(), 1);
        assert_eq!(
            (&*ended[0].name, &ended[0].found),
            ("server-7", &Found { ended: pids.clone(), ..Found::default() })
        );
        assert!(end_all(&registry).is_empty());
        assert!(pids.iter().all(|pid| process::info(*pid).is_none_or(|info| info.state == 'Z')));
    }
}

#[test]
fn a_member_started_after_the_last_look_is_found_by_its_environment() {
    let (_folder, registry) = registry();
    let mut leader = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let record = running("late-run", leader.id());
    let tree = Tree::start(Some("late-run"), false);
    let pids = tree.pids();
    leader.kill().unwrap();
    leader.wait().unwrap();
    leave(&registry, &record);
    assert_eq!(end_all(&registry)[0].found.ended, pids);
}

#[test]
fn strangers_live() {
    type Case = (&'static str, fn(&mut Record));
    let cases: [Case; 6] = [
        ("another boot", |record| record.boot = Some("other".into())),
        ("no boot id", |record| record.boot = None),
        ("recycled within a tick", |record| {
            let leader = record.leader.as_mut().unwrap();
            leader.inode = leader.inode.map(|inode| inode - 1);
        }),
        ("recycled, on a kernel without pidfs", |record| record.leader.as_mut().unwrap().inode = None),
        ("recycled later", |record| record.leader.as_mut().unwrap().start -= 1),
        ("no identity", |record| record.leader = None),
    ];
    for (case, change) in cases {
        let (_folder, registry) = registry();
        let tree = Tree::start(None, false);
        let pids = tree.pids();
        let mut record = running("stranger-run", tree.0.id());
        change(&mut record);
        leave(&registry, &record);
        assert!(end_all(&registry).is_empty(), "{case}");
        assert_eq!(tree.pids(), pids, "{case}");
        assert!(pids.iter().all(|pid| Process::of_pid(*pid).unwrap().unwrap().is_alive()), "{case}");
    }
}

#[test]
fn a_living_run_and_the_spared_are_left_alone() {
    let (_folder, registry) = registry();
    let tree = Tree::start(Some("living-run"), false);
    let of_names = Spare { names: vec!["sh".into(), "sleep".into()], kill_all: false };
    let record = Record { spare: Some(of_names), ..running("living-run", tree.0.id()) };
    let Claiming::Ours(claim) = registry.claim(&record.id, &record.run, &Spare::default()).unwrap() else {
        panic!("held")
    };
    claim.write(&record).unwrap();
    assert!(end_all(&registry).is_empty());
    drop(claim);
    crate::testing::eventually("the lock is free", || !registry.is_live(&record.id));
    assert!(end_all(&registry).is_empty(), "the front lives, and only the lock was lost");
    mark_as_dead(&registry, &record);
    let pids = tree.pids();
    assert!(end_all(&registry).iter().all(|ghosts| ghosts.found.ended.is_empty()));
    assert_eq!(tree.pids(), pids);
}

#[test]
fn a_stranger_with_the_pid_and_the_start_time_of_the_command_lives() {
    const INSIDE: &str = "DEVRUN_TEST_RECYCLES";
    let own_namespace =
        "registry::ghosts::tests::a_stranger_with_the_pid_and_the_start_time_of_the_command_lives";
    if !cfg!(target_os = "linux") || process::user() != 0 {
        eprintln!("NOT RUN, needs root on Linux: a pid namespace");
        return;
    }
    // The test once more, in a pid namespace of its own, where the next pid can be chosen.
    if std::env::var_os(INSIDE).is_none() {
        let mut inside = Command::new("unshare");
        inside.args(["--pid", "--fork", "--mount-proc"]).arg(std::env::current_exe().unwrap());
        inside.args(["--exact", own_namespace, "--nocapture"]).env(INSIDE, "1");
        let output = inside.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("in the same tick after"));
        return;
    }
    let start = || Command::new("sleep").arg("300").stdin(Stdio::null()).spawn().unwrap();
    let end = |mut child: Child| (child.kill().unwrap(), child.wait().unwrap());
    let same_tick = (0..2000).find_map(|tries| {
        let first = start();
        let leader = process::identity(first.id()).unwrap();
        end(first);
        fs::write("/proc/sys/kernel/ns_last_pid", (leader.pid - 1).to_string()).unwrap();
        let stranger = start();
        match process::identity(stranger.id()) {
            Some(Identity { pid, start, .. }) if (pid, start) == (leader.pid, leader.start) => {
                Some((tries, leader, stranger))
            }
            _ => (end(stranger), None).1,
        }
    });
    let (tries, leader, stranger) = same_tick.expect("a pid recycled within its clock tick");
    println!("recycled in the same tick after {tries} tries");
    // With the number that is never given twice, and as on a kernel that has none.
    for inode in [leader.inode, None] {
        let (_folder, registry) = registry();
        let leader = Identity { inode, ..leader };
        let identities =
            Record { front: Some(leader), guard: Some(leader), leader: Some(leader), ..record(7, "aa") };
        let record = Record { state: Phase::Ready, members: vec![leader], ..identities };
        leave(&registry, &record);
        assert!(end_all(&registry).is_empty());
        assert_eq!(end_run(&record), Found::default());
        assert!(is_alive(&process::identity(stranger.id()).unwrap()));
    }
    end(stranger);
}

#[test]
fn after_a_crash_of_many_one_look_at_all_processes_is_enough() {
    let (_folder, registry) = registry();
    let mut gone = Command::new("true").spawn().unwrap();
    let leader = process::identity(gone.id());
    gone.wait().unwrap();
    // A busy machine makes a time longer and never shorter: one of three tries has to do.
    let times = std::iter::repeat_with(|| {
        for number in 0..400 {
            let run = format!("crashed-{number}");
            leave(&registry, &Record { state: Phase::Ready, leader, ..record(number, &run) });
        }
        let begin = Instant::now();
        let _ = carried_ids();
        let one_look = begin.elapsed();
        let begin = Instant::now();
        assert!(end_all(&registry).is_empty());
        (begin.elapsed(), one_look)
    });
    let soon = |(took, one_look): &(Duration, Duration)| *took < 100 * *one_look + Duration::from_millis(500);
    assert!(times.take(3).any(|times| soon(&times)), "one look at all processes for each");
    assert!(markers(&registry).is_empty());
}

#[test]
fn who_is_left_is_looked_at_by_each_start_whatever_becomes_of_the_record() {
    let (_folder, registry) = registry();
    let start = || Command::new("sleep").arg("300").stdin(Stdio::null()).spawn().unwrap();
    let [left, mut doubtful] = [(); 2].map(|()| start());
    let identity = |child: &Child| process::identity(child.id()).unwrap();
    leave(&registry, &record(7, "left-run"));
    let path = markers(&registry).remove(0).path;
    let found =
        Found { left: vec![identity(&left)], in_doubt: vec![identity(&doubtful)], ..Found::default() };
    Marker::of_left(process::boot_id(), None, "shop", &found).write(&path).unwrap();
    let Claiming::Ours(next) = registry.claim(&record(7, "").id, "next-run", &Spare::default()).unwrap()
    else {
        panic!("held")
    };
    next.end(&record(7, "next-run")).unwrap();
    drop(next);
    crate::testing::eventually("the lock is free", || !registry.is_live(&record(7, "").id));
    let again = |dry_run| end_ghosts(&registry, dry_run).remove(0);
    assert_eq!(again(true), Ghosts { name: "shop".into(), found: found.clone(), again: true }, "dry");
    let after = again(false);
    assert_eq!(after.found, Found { ended: vec![left.id()], left: vec![], ..found });
    assert!(after.remaining().unwrap().starts_with("a crash of shop may have left: "));
    assert!(doubtful.try_wait().unwrap().is_none(), "who is in doubt is only named");
    doubtful.kill().unwrap();
    for mut child in [left, doubtful] {
        child.wait().unwrap();
    }
    assert!(end_all(&registry).is_empty() && !path.exists(), "nobody is left");
}

#[test]
fn what_a_run_without_a_record_was_to_leave_running_lives() {
    for (names, expected) in [(vec!["sh".to_string(), "sleep".to_string()], 0), (vec![], 1)] {
        let (_folder, registry) = registry();
        let record = record(7, &format!("unrecorded-{expected}"));
        let tree = Tree::start(Some(&record.run), false);
        let pids = tree.pids();
        let spare = Spare { names, kill_all: false };
        let Claiming::Ours(claim) = registry.claim(&record.id, &record.run, &spare).unwrap() else {
            panic!("held")
        };
        drop(claim);
        mark_as_dead(&registry, &record);
        let ended =
            end_all(&registry).into_iter().map(|ghosts| ghosts.found.ended).filter(|all| !all.is_empty());
        assert_eq!(ended.collect::<Vec<_>>(), vec![pids; expected]);
    }
}

#[test]
fn the_marker_of_a_run_of_a_newer_devrun_stays() {
    let (_folder, registry) = registry();
    let record = record(7, "newer-run");
    leave(&registry, &record);
    let path = registry.server(&record.id).join("server.json");
    let newer = String::from_utf8(record.to_json()).unwrap().replace("\"version\":1", "\"version\":999");
    fs::write(&path, newer).unwrap();
    assert!(end_all(&registry).is_empty());
    assert_eq!(markers(&registry).len(), 1);
    fs::write(&path, record.to_json()).unwrap();
    assert!(end_all(&registry).is_empty());
    assert!(markers(&registry).is_empty());
}
