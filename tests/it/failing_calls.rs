//! Promises 2 and 19: whichever system call on the state folder fails, and with whatever error, the server runs or a
//! clear error comes; nothing is left half, no process stays, and the next start is as ever.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::ghosts::kill_both;
use crate::support::{Ended, LIMIT, Outcome, Running, SOON, Scratch};

/// All that have to do with files (`?`: not on every machine).
const CALLS: &str = "openat,?mkdir,mkdirat,read,write,fsync,?rename,renameat,renameat2,ftruncate,?unlink,unlinkat,fcntl,\
                     lseek,statx,?newfstatat,getdents64,?chmod,fchmodat,bind,connect";

const ERRORS: [&str; 6] = ["EIO", "ENOSPC", "EACCES", "EROFS", "EMFILE", "EINTR"];

/// A call on the state folder: its name, and the how-manieth of that name it is.
type Place = (String, usize);

/// What is done while a call fails.
struct Scenario {
    what: &'static str,
    /// Before, with nothing failing.
    prepare: fn(&Scratch),
    /// The arguments of the devrun whose calls fail.
    args: fn(&Scratch) -> Vec<String>,
    /// Its status where the state folder does not matter to it; `None`: without the folder it can't do it.
    runs: Option<i32>,
}

const SCENARIOS: [Scenario; 5] = [
    Scenario { what: "the first start", prepare: |_| {}, args: |_| run_once(), runs: Some(3) },
    Scenario { what: "a later start", prepare: started_once, args: |_| run_once(), runs: Some(3) },
    Scenario {
        what: "start, readiness and stop",
        prepare: |_| {},
        args: |scratch| serving(scratch, &["--then", "true"]),
        runs: Some(0),
    },
    Scenario { what: "a list", prepare: started_once, args: |_| words(&["ls", "--json"]), runs: None },
    Scenario { what: "a stop", prepare: running, args: |_| words(&["stop", "shop"]), runs: None },
];

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_string()).collect()
}

fn run_once() -> Vec<String> {
    words(&["--ready", "none", "--name", "shop", "--", "sh", "-c", "exit 3"])
}

fn serving(scratch: &Scratch, options: &[&str]) -> Vec<String> {
    let fixture = scratch.fixture("shape=plain");
    [words(options), words(&["--name", "shop", "--"]), fixture.argv].concat()
}

fn started_once(scratch: &Scratch) {
    plain(scratch, &run_once());
}

fn running(scratch: &Scratch) {
    plain(scratch, &serving(scratch, &["--detach"]));
}

fn plain(scratch: &Scratch, args: &[String]) -> Outcome {
    Running::spawn(scratch.devrun(args)).outcome(SOON)
}

/// The outcome with these options of strace, and the calls on the state folder as strace shows them.
fn traced(scratch: &Scratch, scenario: &Scenario, options: &[String]) -> (Outcome, Vec<(Place, String)>) {
    let trace = scratch.dir().join("trace");
    let mut strace = scratch.command("strace");
    strace.args(["-y", "-qq", "-e", &format!("trace={CALLS}"), "-o"]).arg(&trace).args(options);
    strace.arg(env!("CARGO_BIN_EXE_devrun")).args((scenario.args)(scratch));
    let outcome = Running::spawn(strace).outcome(SOON);
    let text = String::from_utf8_lossy(&std::fs::read(trace).unwrap()).into_owned();
    let mut count: HashMap<String, usize> = HashMap::new();
    let calls = text.lines().filter_map(|line| {
        let name = line.split_once('(')?.0.to_string();
        let nth = count.entry(name.clone()).or_default();
        *nth += 1;
        Some(((name, *nth), line.to_string()))
    });
    let state = scratch.state().to_string_lossy().into_owned();
    // Asking whether a descriptor is open is the standard library's, in a build for debugging.
    let calls = calls.filter(|(_, line)| line.contains(&state) && !line.contains("F_GETFD"));
    (outcome, calls.collect())
}

/// Lets one call fail; whether it was one on the state folder.
fn fails(scenario: &Scenario, (call, nth): &Place, error: &str) -> bool {
    let scratch = Scratch::new();
    (scenario.prepare)(&scratch);
    let inject = words(&["-e", &format!("inject={call}:error={error}:when={nth}")]);
    let (outcome, calls) = traced(&scratch, scenario, &inject);
    let injected = calls.iter().find(|(_, line)| line.contains("(INJECTED)"));
    let case = format!("{}, {error} of {:?}: {outcome}", scenario.what, injected.map(|(_, line)| line));
    // What nobody can go on without: the guard has to hold the locks.
    let refused = outcome.stderr.contains("can't be handed to the guard") || scenario.runs.is_none();
    match outcome.ended {
        _ if injected.is_none() => {}
        Ended::Status(125) => assert!(refused && outcome.stderr.contains("cause: "), "{case}"),
        // What can't be read is not known.
        Ended::Status(2) => assert!(refused && outcome.stderr.contains("can't be read"), "{case}"),
        Ended::Status(status) => assert_eq!(status, scenario.runs.unwrap_or(0), "{case}"),
        Ended::Signal(_) => panic!("{case}"),
    }
    if scenario.what == "a stop" {
        plain(&scratch, &words(&["stop", "shop"]));
    }
    scratch.assert_dead(LIMIT);
    // Threads take turns, so it may have met a call of another kind, with an error that such a call never has.
    if injected.is_none() {
        return false;
    }
    assert!(!outcome.stderr.contains("panicked"), "{case}");
    assert!(outcome.stderr.matches("warning:").count() <= 1, "{case}");
    for file in
        scratch.server_folders().iter().flat_map(|folder| std::fs::read_dir(folder).unwrap().flatten())
    {
        let name = file.file_name().to_string_lossy().into_owned();
        // Who holds the lock puts what it can't read out of its way; a reader leaves it alone.
        let half =
            name.starts_with(".server.json.") || (name.ends_with(".corrupt") && scenario.runs.is_none());
        assert!(!half, "{name} is left; {case}");
    }
    scratch.listed(true);
    let next = plain(&scratch, &run_once());
    assert!(
        next.ended == Ended::Status(3) && !next.stderr.contains("warning:"),
        "{case}\nthe next start: {next}"
    );
    assert_eq!(scratch.names(true), ["shop"], "{case}");
    injected.is_some()
}

#[test]
fn whichever_call_on_the_state_folder_fails_the_server_runs_and_the_next_start_is_as_ever() {
    let mut cases: Vec<(&Scenario, Place, &str)> = Vec::new();
    for scenario in &SCENARIOS {
        let scratch = Scratch::new();
        (scenario.prepare)(&scratch);
        let (outcome, calls) = traced(&scratch, scenario, &[]);
        assert_eq!(outcome.ended, Ended::Status(scenario.runs.unwrap_or(0)), "{}: {outcome}", scenario.what);
        assert!(calls.len() > 10, "{}: too few calls; is it traced? {calls:?}", scenario.what);
        // One error for each place, each error in many places.
        let offset = cases.len();
        let errors = ERRORS.iter().cycle().skip(offset % ERRORS.len());
        cases.extend(calls.into_iter().zip(errors).map(|((place, _), error)| (scenario, place, *error)));
    }
    let (all, met) = (cases.len(), AtomicUsize::new(0));
    let cases = Mutex::new(cases.into_iter());
    std::thread::scope(|scope| {
        let work = || {
            loop {
                let next = cases.lock().unwrap().next();
                let Some((scenario, place, error)) = next else { return };
                met.fetch_add(usize::from(fails(scenario, &place, error)), Ordering::Relaxed);
            }
        };
        (0..4).for_each(|_| drop(scope.spawn(work)));
    });
    let met = met.into_inner();
    println!("{met} calls failed, {} of {all} were other ones that time", all - met);
    assert!(met * 10 > all * 8, "{met} of {all}");
}

/// Starts another server, to which these system calls fail, on these paths if any are named, as if it had used up its
/// descriptors.
fn start_another_without(scratch: &Scratch, calls: &str, paths: &[PathBuf]) {
    let mut strace = scratch.command("strace");
    strace.args(["-qq", "-o"]).arg(scratch.dir().join("trace"));
    strace.args(paths.iter().flat_map(|path| ["-P".as_ref(), path.as_os_str()]));
    strace.args(["-e", &format!("inject={calls}:error=EMFILE")]);
    strace.args([env!("CARGO_BIN_EXE_devrun"), "--ready", "none", "--name", "other", "--", "true"]);
    let outcome = Running::spawn(strace).outcome(SOON);
    assert_eq!(outcome.ended, Ended::Status(0), "{outcome}");
    let trace = std::fs::read_to_string(scratch.dir().join("trace")).unwrap();
    assert!(trace.contains("(INJECTED)"), "or this test proves nothing: {trace}");
}

fn markers(scratch: &Scratch) -> Vec<PathBuf> {
    let live = std::fs::read_dir(scratch.state().join("live")).unwrap();
    live.map(|marker| marker.unwrap().path()).collect()
}

#[test]
fn a_run_that_cant_be_looked_at_just_now_is_not_forgotten() {
    let scratch = Scratch::new();
    let fixture = scratch.fixture("shape=own-session");
    let mut run = scratch.run("", &fixture);
    run.ready();
    fixture.stands();
    let marker = markers(&scratch);
    let record = scratch.record_path();
    start_another_without(&scratch, "openat", &[record.with_file_name("lock"), marker[0].clone()]);
    assert_eq!(markers(&scratch), marker, "it runs");
    kill_both(&scratch, &mut run);
    start_another_without(&scratch, "openat", &marker);
    assert_eq!(markers(&scratch), marker, "its marker");
    start_another_without(&scratch, "openat", &[record]);
    assert_eq!(markers(&scratch), marker, "its record");
    start_another_without(&scratch, "pidfd_open", &[]);
    assert_eq!(markers(&scratch), marker, "its processes");
    let next = plain(&scratch, &words(&["--ready", "none", "--name", "other", "--", "true"]));
    assert!(next.stderr.contains("ended what a crash of"), "{next}");
    scratch.assert_dead(LIMIT);
    assert!(markers(&scratch).is_empty(), "nothing to look for any more");
}
