//! What is left running when a tree is ended: programs that a dev server starts and that are not its own.

use crate::plan::Spare;
use crate::sys::SpareList;

/// Executables of browsers, editors, shared daemons and terminal multiplexers: left running where they lead a
/// session of their own. Killing one of these loses more trust than a ghost.
const SHARED: &[&str] = &[
    // browsers
    "brave",
    "brave-browser",
    "chrome",
    "chromium",
    "chromium-browser",
    "firefox",
    "firefox-bin",
    "firefox-esr",
    "google-chrome",
    "msedge",
    "opera",
    "vivaldi-bin",
    "epiphany",
    "konqueror",
    // editors
    "code",
    "code-insiders",
    "codium",
    "cursor",
    "emacs",
    "gvim",
    "subl",
    "sublime_text",
    "zed",
    "zed-editor",
    // daemons that several projects share
    "adb",
    "dbus-daemon",
    "dockerd",
    "containerd",
    "gpg-agent",
    "sccache",
    "ssh-agent",
    "turbo",
    "watchman",
    // multiplexers
    "screen",
    "tmux",
    "zellij",
];

/// Shared daemons that are run by another program, each with what its arguments hold. Not Gradle's: a server started
/// with `gradle bootRun` is a child of that daemon, and is to end.
const RUN_BY: &[(&str, &str)] = &[("node", "/nx/src/daemon/server/"), ("java", "/A-server.jar")]; // nx, Bazel

/// The list for one run: `--spare NAME` in whatever session it is, the built-in names in their own.
pub(crate) fn list(spare: &Spare) -> SpareList {
    if spare.kill_all {
        return SpareList::default();
    }
    let bytes = |name: &str| name.as_bytes().to_vec();
    SpareList {
        always: spare.names.iter().map(|name| bytes(name)).collect(),
        own_session: SHARED.iter().copied().map(bytes).collect(),
        run_by: RUN_BY.iter().map(|(program, argument)| (bytes(program), bytes(argument))).collect(),
    }
}

/// Those alone that the user names.
pub(crate) fn named(spare: &Spare) -> SpareList {
    SpareList { always: list(spare).always, ..SpareList::default() }
}
