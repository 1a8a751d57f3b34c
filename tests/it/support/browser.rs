//! A real browser (Debian's Chromium, driven by Playwright) that the test tells what to do in JavaScript.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::{Scratch, apps};

/// How the browser's window is.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
}

impl Default for Window {
    fn default() -> Self {
        Self { width: 1280, height: 800, dark: false }
    }
}

/// One browser with one page; ended when this is dropped.
pub struct Browser {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Browser {
    pub fn start(scratch: &Scratch, window: Window) -> Self {
        let bridge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/bridge.cjs");
        let mut command = scratch.command("node");
        command.arg(bridge).arg(apps("playwright"));
        command.args([window.width, window.height].map(|number| number.to_string()));
        command.arg(if window.dark { "dark" } else { "light" });
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node is installed");
        let ask = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, ask, answers }
    }

    /// Runs the code with `page`, `context` and `wrong` (what the page's console complained of); its value.
    #[track_caller]
    pub fn run(&mut self, code: &str) -> serde_json::Value {
        let line = serde_json::to_string(code).unwrap();
        writeln!(self.ask, "{line}").expect("the browser runs");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("an answer of the bridge");
        match answer["error"].as_str() {
            Some(error) => panic!("{code}\n{error}"),
            None => answer["value"].clone(),
        }
    }

    /// Keeps a picture of the page as build output.
    #[track_caller]
    pub fn picture(&mut self, name: &str) {
        let folder = pictures();
        std::fs::create_dir_all(&folder).unwrap();
        let path = serde_json::to_string(&folder.join(format!("{name}.png"))).unwrap();
        self.run(&format!("await page.screenshot({{ path: {path} }})"));
    }
}

/// Beside what cargo builds.
fn pictures() -> PathBuf {
    let tests = std::env::current_exe().unwrap(); // target/debug/deps/it-...
    tests.ancestors().nth(3).unwrap().join("pictures")
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
