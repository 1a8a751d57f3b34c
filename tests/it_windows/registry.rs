//! Records, locks, and the way to a front that lives.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};

use serde_json::Value;

use crate::support::{Running, Scratch, eventually};

/// The only record.
fn record(scratch: &Scratch) -> Option<(std::path::PathBuf, Value)> {
    let folder = std::fs::read_dir(scratch.file("state").join("servers")).ok()?.flatten().next()?.path();
    let text = std::fs::read(folder.join("server.json")).ok()?;
    Some((folder, serde_json::from_slice(&text).expect("a record is whole whenever it is read")))
}

fn pid(scratch: &Scratch) -> Option<u64> {
    record(scratch)?.1.pointer("/leader/pid")?.as_u64()
}

#[test]
fn a_server_is_listed_while_it_runs_and_after() {
    let scratch = Scratch::new();
    let (mut devrun, port) = scratch.server(&["-n", "shop"]);
    let list = || {
        let mut ls = scratch.devrun(&["ls", "--json", "--all"]);
        assert_eq!(ls.ended(), 0, "{}", ls.stderr());
        eventually("the list is whole", || serde_json::from_str::<Value>(&ls.stdout()).is_ok());
        ls.stdout()
    };
    let listed = list();
    assert!(listed.contains("\"shop\"") && listed.contains(&port.to_string()), "{listed}");
    assert!(listed.contains("\"ready\""), "{listed}");
    devrun.kill();
    let listed = list();
    assert!(listed.contains("\"shop\"") && !listed.contains("\"ready\""), "{listed}");
}

#[test]
fn the_same_project_started_again_is_told_where_it_runs() {
    let scratch = Scratch::new();
    let (devrun, port) = scratch.server(&[]);
    let again = || scratch.run(&["--ready", "log:listening"], "below=2 serve");
    let mut many: Vec<Running> = (0..5).map(|_| again()).collect();
    for second in &mut many {
        assert_eq!(second.ended(), 0, "{}", second.stderr());
        let said = format!("runs already (pid {}): http://localhost:{port}", devrun.pid());
        eventually("it says where", || second.stderr().contains(&said));
    }
    assert_eq!(std::fs::read_to_string(scratch.file("record")).unwrap().lines().count(), 3, "one tree");
}

#[test]
fn a_front_listens_on_a_pipe_and_starts_its_server_again_when_asked() {
    let scratch = Scratch::new();
    let (mut devrun, _) = scratch.server(&[]);
    scratch.members(3);
    eventually("it is recorded", || pid(&scratch).is_some());
    let before = pid(&scratch);
    let said = ask(&scratch, "explode").last().cloned().unwrap_or_default();
    assert!(said.contains("\"ok\":false"), "{said}");
    let said = ask(&scratch, "restart").last().cloned().unwrap_or_default();
    assert!(said.contains("\"ok\":true"), "{said}");
    let members = scratch.members(6);
    eventually("another one is recorded", || pid(&scratch).is_some_and(|pid| Some(pid) != before));
    ask(&scratch, "stop");
    devrun.ended();
    members.assert_dead(3);
}

/// What is said on the pipe of the only server, whose name is a hash of the path that a socket would have.
fn ask(scratch: &Scratch, what: &str) -> Vec<String> {
    let (folder, _) = record(scratch).unwrap();
    let path = folder.canonicalize().unwrap().join("control.sock");
    let hash = path.to_str().unwrap().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut pipe: File =
        OpenOptions::new().read(true).write(true).open(format!(r"\\.\pipe\devrun-{hash:016x}")).unwrap();
    pipe.write_all(format!("{{\"ask\":\"{what}\"}}\n").as_bytes()).unwrap();
    BufReader::new(pipe).lines().map_while(Result::ok).collect()
}
