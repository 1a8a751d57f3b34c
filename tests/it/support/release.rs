//! A release as install.sh finds it: archives of the program under test with their checksums, served on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{Running, SOON, Scratch, eventually};

const DEVRUN: &str = env!("CARGO_BIN_EXE_devrun");

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The archive that install.sh wants on this machine.
pub fn archive() -> String {
    format!("devrun-{}-unknown-linux-musl.tar.gz", std::env::consts::ARCH)
}

/// Packs this program as a release does.
pub fn pack(folder: &Path, program: &Path) {
    let pages = folder.join("pages");
    fs::create_dir_all(&pages).unwrap();
    fs::write(pages.join("devrun.1"), run(Command::new(DEVRUN).arg("man"))).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("release/archive.py");
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    run(Command::new("python3").arg(script).arg(&target).arg(program).arg(pages).arg(folder));
}

/// A release's folder, packed once for all tests.
pub fn packed() -> &'static Path {
    static PACKED: OnceLock<PathBuf> = OnceLock::new();
    PACKED.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("release");
        fs::create_dir_all(&folder).unwrap();
        pack(&folder, Path::new(DEVRUN));
        let sums = run(Command::new("sha256sum").arg(archive()).current_dir(&folder));
        fs::write(folder.join("SHA256SUMS"), sums).unwrap();
        folder
    })
}

/// Serves a folder; the address, and the server, which ends when it is dropped.
pub fn serve(scratch: &Scratch, folder: &Path) -> (String, Running) {
    let mut python = scratch.command("python3");
    python.args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"]).arg(folder);
    python.env_remove("DEVRUN_TEST_MARK"); // none of what the test counts
    let server = Running::spawn(python);
    let port = eventually(SOON, || {
        let said = server.stdout();
        let port = said.split(" port ").nth(1).and_then(|rest| rest.split(' ').next()).map(str::to_string);
        port.ok_or(format!("no server: {said}{}", server.stderr()))
    });
    (format!("http://127.0.0.1:{port}"), server)
}
