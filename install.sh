#!/bin/sh
# Builds devrun from this checkout and installs it for the current user.
#
#   ./install.sh               to ${DEVRUN_INSTALL_DIR:-$HOME/.local/bin}
#   ./install.sh --uninstall   removes the program again; what devrun remembers of its servers stays
#
# Everything is in functions and `main` is called in the last line: a copy of this file that was cut off runs nothing.

set -eu

say() { printf '%s\n' "$*"; }

fail() { # WHAT [HINT]
    printf 'error: %s\n' "$1" >&2
    if [ $# -gt 1 ]; then printf '\nhint: %s\n' "$2" >&2; fi
    exit 1
}

usage() {
    say "usage: ./install.sh [--uninstall]"
    say "installs to \$DEVRUN_INSTALL_DIR, else \$HOME/.local/bin"
}

target_dir() {
    if [ -n "${DEVRUN_INSTALL_DIR:-}" ]; then
        printf '%s' "$DEVRUN_INSTALL_DIR"
    elif [ -n "${HOME:-}" ]; then
        printf '%s' "$HOME/.local/bin"
    else
        return 1
    fi
}

need_system() {
    case $(uname -s) in
        Linux | Darwin) ;;
        *) fail "install.sh does not know this system: $(uname -s)" "cargo install --locked --path ." ;;
    esac
}

need_rust() { # CHECKOUT
    command -v cargo >/dev/null 2>&1 || fail "cargo is not on the PATH" "install Rust (https://rustup.rs), then run this again"
    wanted=$(sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' "$1/Cargo.toml")
    found=$(rustc --version 2>/dev/null | sed -n 's/^rustc \([0-9][0-9.]*\).*/\1/p')
    [ -n "$found" ] || fail "rustc does not run" "rustup default stable"
    at_least "$found" "$wanted" || fail "rustc $found is too old: devrun needs $wanted" "rustup update stable"
}

# Whether version $1 is at least $2, by major and minor.
at_least() {
    have_major=${1%%.*} have_minor=${1#*.}
    want_major=${2%%.*} want_minor=${2#*.}
    have_minor=${have_minor%%.*} want_minor=${want_minor%%.*}
    [ "$have_major" -gt "$want_major" ] || { [ "$have_major" -eq "$want_major" ] && [ "$have_minor" -ge "$want_minor" ]; }
}

need_writable() { # DIR
    mkdir -p "$1" 2>/dev/null || fail "the folder $1 cannot be made" "DEVRUN_INSTALL_DIR=/another/folder ./install.sh"
    # Asked by writing: root passes every test of the permission bits, also on a read-only file system.
    ( : >"$1/.devrun.$$" ) 2>/dev/null || fail "the folder $1 cannot be written" "DEVRUN_INSTALL_DIR=/another/folder ./install.sh"
    rm -f "$1/.devrun.$$"
}

install_from() { # CHECKOUT DIR
    [ ! -d "$2/devrun" ] || fail "$2/devrun is a folder" "DEVRUN_INSTALL_DIR=/another/folder ./install.sh"
    # Cargo says where it put the program: a target folder set in the environment or the configuration is honoured.
    built=$(cargo build --release --locked --bin devrun --manifest-path "$1/Cargo.toml" \
        --message-format=json-render-diagnostics | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
    [ -n "$built" ] || fail "the build failed; cargo's own words are above"
    # Beside the target and then renamed: whoever runs devrun meanwhile finds the old file or the new one, whole.
    staged=$2/.devrun.$$
    trap 'rm -f "$staged"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    { cp "$built" "$staged" && chmod 755 "$staged" && mv -f "$staged" "$2/devrun"; } 2>/dev/null ||
        fail "$2/devrun cannot be written"
}

advise_path() { # DIR
    case ":${PATH:-}:" in
        *":$1:"*) ;;
        *) say "$1 is not on your PATH; add this line to your shell's profile:"; say "    export PATH=\"$1:\$PATH\"" ;;
    esac
}

uninstall() { # DIR
    if [ ! -e "$1/devrun" ]; then
        say "devrun is not installed in $1"
        return 0
    fi
    rm -f "$1/devrun" 2>/dev/null || fail "$1/devrun cannot be removed"
    say "removed $1/devrun"
}

main() {
    dir=$(target_dir) || fail "HOME is not set" "DEVRUN_INSTALL_DIR=/some/folder ./install.sh"
    case ${1:-} in
        "") ;;
        --uninstall) uninstall "$dir"; return ;;
        -h | --help) usage; return ;;
        *) usage >&2; fail "unknown argument: $1" ;;
    esac
    checkout=$(cd "$(dirname "$0")" && pwd)
    [ -f "$checkout/Cargo.toml" ] || fail "no Cargo.toml beside install.sh" "run it from a clone of devrun's repository"
    need_system
    need_rust "$checkout"
    need_writable "$dir"
    install_from "$checkout" "$dir"
    say "installed $("$dir/devrun" --version) as $dir/devrun"
    advise_path "$dir"
}

main "$@"
