//! A project that installs devrun from npm packages: packed from the program under test, served by a registry on
//! this machine, installed by real package managers with caches of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{Ended, Running, SOON, Scratch, apps, eventually};

/// All targets that there is a package for; this machine's get the program, the others a stand-in that nobody starts.
const TARGETS: [&str; 8] = [
    "x86_64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-gnu",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "aarch64-pc-windows-msvc",
];

pub struct Project {
    pub scratch: Scratch,
    _registry: Running,
}

/// The folder of the packages, packed once for all tests.
fn packages() -> &'static Path {
    static PACKED: OnceLock<PathBuf> = OnceLock::new();
    PACKED.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm-packages");
        fs::create_dir_all(&out).unwrap();
        let stand_in = out.join("stand-in");
        fs::write(&stand_in, "not for this machine").unwrap();
        let here = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let mut pack = Command::new("node");
        pack.arg(source("npm/pack.mjs")).arg(&out);
        for target in TARGETS {
            let program = if target == here { Path::new(env!("CARGO_BIN_EXE_devrun")) } else { &stand_in };
            pack.arg(format!("{target}={}", program.display()));
        }
        let packed = pack.output().expect("node is installed");
        assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
        out
    })
}

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A Node.js whose processes can become another program; it is the system's own, or what the apps have beside them.
pub fn node_that_becomes() -> PathBuf {
    let can = |node: &Path| {
        let asked = Command::new(node).args(["-p", "typeof process.execve"]).output();
        asked.is_ok_and(|asked| asked.stdout.starts_with(b"function"))
    };
    if can(Path::new("node")) {
        return "node".into();
    }
    let beside = apps("astro").join("node_modules/.bin/node");
    assert!(can(&beside), "{beside:?} has no process.execve; hint: ./tests/run installs a newer Node.js");
    beside
}

impl Project {
    pub fn new() -> Self {
        let scratch = Scratch::new();
        let mut serve = scratch.command("node");
        serve.arg(source("tests/npm/registry.mjs")).arg(packages());
        serve.env_remove("DEVRUN_TEST_MARK"); // none of what the test counts
        let registry = Running::spawn(serve);
        let address = eventually(SOON, || match registry.stdout().lines().next() {
            Some(address) => Ok(address.to_string()),
            None => Err(format!("no registry: {}", registry.stderr())),
        });
        scratch.write(".npmrc", &format!("@devrun:registry={address}\n"));
        let yarn = format!("npmScopes: {{ devrun: {{ npmRegistryServer: \"{address}\" }} }}\n");
        let settings = "nodeLinker: node-modules\nunsafeHttpWhitelist: [127.0.0.1]\nenableTelemetry: false\n";
        scratch.write(".yarnrc.yml", &(yarn + settings));
        scratch.package_json(&[]);
        Self { scratch, _registry: registry }
    }

    /// A package manager's command (blank-separated), with caches that begin empty.
    pub fn command(&self, line: &str) -> Command {
        let mut words = line.split(' ');
        let name = words.next().unwrap();
        let bundled = match name {
            "yarn4" => apps("yarn4").join("node_modules/.bin/yarn"),
            name => apps("tools").join("node_modules/.bin").join(name),
        };
        let mut command = self.scratch.command(if bundled.exists() { bundled } else { name.into() });
        let cache = self.scratch.dir().join("cache");
        command.args(words).env("XDG_CACHE_HOME", &cache).env("npm_config_cache", cache.join("npm"));
        command.env("YARN_CACHE_FOLDER", cache.join("yarn")).env("npm_config_store_dir", cache.join("store"));
        command.env("BUN_INSTALL_CACHE_DIR", cache.join("bun")).env("YARN_ENABLE_GLOBAL_CACHE", "false");
        command
    }

    #[track_caller]
    pub fn install(&self, line: &str) {
        let outcome = Running::spawn(self.command(line)).outcome(SOON * 3);
        assert_eq!(outcome.ended, Ended::Status(0), "{line}: {outcome}");
    }

    /// The command as the project's scripts find it.
    pub fn devrun(&self) -> PathBuf {
        self.scratch.project().join("node_modules/.bin/devrun")
    }

    /// Whether the package's command is the program itself, and no longer its launcher.
    pub fn is_the_program(&self) -> bool {
        fs::read(self.scratch.project().join("node_modules/@devrun/cli/bin/devrun"))
            .unwrap()
            .starts_with(b"\x7fELF")
    }

    /// Lets the launcher wait for the program also where it could become it.
    pub fn waits(&self, command: &mut Command) {
        let preload = self.scratch.write("waits.cjs", "delete process.execve;\n");
        command.env("NODE_OPTIONS", format!("--require={}", preload.display()));
    }
}
