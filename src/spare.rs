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
    "bazel",
    "dbus-daemon",
    "dockerd",
    "containerd",
    "gpg-agent",
    "nx",
    "sccache",
    "ssh-agent",
    "turbo",
    "watchman",
    // multiplexers
    "screen",
    "tmux",
    "zellij",
];

/// The list for one run: `--spare NAME` in whatever session it is, the built-in names in their own.
pub(crate) fn list(spare: &Spare) -> SpareList {
    if spare.kill_all {
        return SpareList::default();
    }
    let bytes = |name: &str| name.as_bytes().to_vec();
    SpareList {
        always: spare.names.iter().map(|name| bytes(name)).collect(),
        own_session: SHARED.iter().copied().map(bytes).collect(),
    }
}

/// Those alone that the user names.
pub(crate) fn named(spare: &Spare) -> SpareList {
    SpareList { own_session: Vec::new(), ..list(spare) }
}
