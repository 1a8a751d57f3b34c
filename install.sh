#!/bin/sh
# Installs devrun for the current user: the program, its man page and its completions.
#
#   sh install.sh                a released program, checked against its checksum
#   ./install.sh                 in a checkout: built with cargo
#   sh install.sh --cargo        built with cargo from crates.io
#   sh install.sh --uninstall    removes all of it again; what devrun remembers of its servers stays
#
# DEVRUN_INSTALL_DIR   where to, default $HOME/.local/bin; the pages go to ../share where that folder is a bin/
# DEVRUN_INSTALL_URL   where from: the folder of a release, with its archives and SHA256SUMS
#
# Everything is in functions, and the last line calls them in braces: a copy of this file that was cut off anywhere
# does nothing.

set -eu

# A release writes its own address here.
released=""

say() { printf '%s\n' "$*"; }

fail() { # WHAT [HINT]
    printf 'error: %s\n' "$1" >&2
    if [ $# -gt 1 ]; then printf '\nhint: %s\n' "$2" >&2; fi
    exit 1
}

usage() {
    say "usage: sh install.sh [--cargo | --uninstall]"
    say "installs to \$DEVRUN_INSTALL_DIR, else \$HOME/.local/bin; from \$DEVRUN_INSTALL_URL, if it is set"
}

has() { command -v "$1" >/dev/null 2>&1; }

target_dir() {
    if [ -n "${DEVRUN_INSTALL_DIR:-}" ]; then
        printf '%s' "$DEVRUN_INSTALL_DIR"
    elif [ -n "${HOME:-}" ]; then
        printf '%s' "$HOME/.local/bin"
    else
        return 1
    fi
}

need_writable() { # DIR
    mkdir -p "$1" 2>/dev/null || fail "the folder $1 cannot be made" "DEVRUN_INSTALL_DIR=/another/folder sh install.sh"
    # Asked by writing: root passes every test of the permission bits, also on a read-only file system.
    ( : >"$1/.devrun.$$" ) 2>/dev/null || fail "the folder $1 cannot be written" "DEVRUN_INSTALL_DIR=/another/folder sh install.sh"
    rm -f "$1/.devrun.$$"
    [ ! -d "$1/devrun" ] || fail "$1/devrun is a folder" "DEVRUN_INSTALL_DIR=/another/folder sh install.sh"
}

# --- a released program

# Rust's name of this system. Linux gets the static program, which runs with every libc.
platform() {
    case $(uname -s) in
        Linux) system=unknown-linux-musl ;;
        Darwin) system=apple-darwin ;;
        *) return 1 ;;
    esac
    case $(uname -m) in
        x86_64 | amd64) say "x86_64-$system" ;;
        aarch64 | arm64) say "aarch64-$system" ;;
        *) return 1 ;;
    esac
}

download() { # URL FILE
    if has curl; then
        curl -fsSL --retry 2 --proto-redir '=https' -o "$2" "$1"
    elif has wget; then
        wget -q -O "$2" "$1"
    else
        fail "neither curl nor wget is on the PATH" "install curl, then run this again"
    fi
}

sha256() { # FILE
    if has sha256sum; then
        sum=$(sha256sum "$1")
    elif has shasum; then
        sum=$(shasum -a 256 "$1")
    elif has openssl; then
        sum=$(openssl dgst -r -sha256 "$1")
    else
        return 1
    fi
    say "${sum%% *}"
}

# The checksums come from the same place as the program: what they are worth is what the connection is worth.
need_safe() { # URL
    case $1 in
        https://* | http://127.0.0.1[:/]* | http://localhost[:/]*) ;;
        *) fail "$1 is no https address" ;;
    esac
}

fetch() { # URL FOLDER: leaves the program there
    need_safe "$1"
    target=$(platform) || fail "there is no released devrun for $(uname -s) on $(uname -m)" "sh install.sh --cargo"
    archive=devrun-$target.tar.gz
    download "$1/SHA256SUMS" "$2/SHA256SUMS" || fail "$1/SHA256SUMS cannot be downloaded"
    wanted=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$archive\$/\1/p" "$2/SHA256SUMS")
    [ -n "$wanted" ] || fail "this release has no $archive" "sh install.sh --cargo"
    download "$1/$archive" "$2/$archive" || fail "$1/$archive cannot be downloaded"
    found=$(sha256 "$2/$archive") ||
        fail "there is no program for checksums (sha256sum, shasum, openssl)" "install one of them, then run this again"
    [ "$found" = "$wanted" ] || fail "$archive is not what its checksum says ($found, not $wanted): nothing is installed"
    tar -xzf "$2/$archive" -C "$2" || fail "$archive cannot be unpacked"
    fetched=$2/devrun-$target/devrun
}

# --- built here

need_rust() { # CHECKOUT, if there is one
    has cargo || fail "cargo is not on the PATH" "install Rust (https://rustup.rs), then run this again"
    [ -n "$1" ] || return 0
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

build() { # CHECKOUT or nothing, FOLDER
    need_rust "$1"
    if [ -n "$1" ]; then
        # Cargo says where it put the program: a target folder set in the environment or the configuration is honoured.
        fetched=$(cargo build --release --locked --bin devrun --manifest-path "$1/Cargo.toml" \
            --message-format=json-render-diagnostics | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
    else
        cargo install --locked --root "$2" devrun && fetched=$2/bin/devrun
    fi
    [ -n "$fetched" ] || fail "the build failed; cargo's own words are above"
}

# The checkout that this file is part of. Read from a pipe it is part of none, whatever folder that happens in.
checkout() {
    case $0 in */install.sh | install.sh) ;; *) return 0 ;; esac
    folder=$(cd "$(dirname "$0")" && pwd)
    if grep -q '^name = "devrun"' "$folder/Cargo.toml" 2>/dev/null; then say "$folder"; fi
}

# --- into place

place() { # PROGRAM DIR
    # Beside the target and then renamed: whoever runs devrun meanwhile finds the old file or the new one, whole. Tried
    # there, too: from a temporary folder nothing is executed, and on some systems nothing can be.
    staged=$2/.devrun.$$
    { cp "$1" "$staged" && chmod 755 "$staged"; } 2>/dev/null || fail "$2/devrun cannot be written"
    "$staged" --version >/dev/null || fail "the program does not run on this system" "sh install.sh --cargo"
    mv -f "$staged" "$2/devrun" 2>/dev/null || fail "$2/devrun cannot be written"
}

# The files besides the program: what devrun prints them with, and where the shells and man(1) look for them.
pages() { # DIR
    case $1 in */bin) ;; *) return 0 ;; esac
    share=${1%/bin}/share
    say "man $share/man/man1/devrun.1"
    say "completions-bash $share/bash-completion/completions/devrun"
    say "completions-zsh $share/zsh/site-functions/_devrun"
    say "completions-fish $share/fish/vendor_completions.d/devrun.fish"
}

# Without them devrun is devrun all the same.
place_pages() { # DIR
    dir=$1
    pages "$1" | while read -r page file; do
        case $page in
            man) set -- man ;;
            *) set -- completions "${page#completions-}" ;;
        esac
        if ! { mkdir -p "${file%/*}" && "$dir/devrun" "$@" >"$file"; } 2>/dev/null; then
            say "not written: $file"
        fi
    done
}

advise_path() { # DIR
    case ":${PATH:-}:" in
        *":$1:"*) ;;
        *) say "$1 is not on your PATH; add this line to your shell's profile:"; say "    export PATH=\"$1:\$PATH\"" ;;
    esac
}

install() { # DIR [--cargo]
    need_writable "$1"
    work=$(mktemp -d) || fail "no temporary folder can be made" "TMPDIR=/another/folder sh install.sh"
    staged=$work/staged
    trap 'rm -rf "$work" "$staged"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    from=$(checkout) address=${DEVRUN_INSTALL_URL:-$released} fetched=""
    if [ -n "${2:-}" ] || { [ -n "$from" ] && [ -z "${DEVRUN_INSTALL_URL:-}" ]; }; then
        build "$from" "$work"
    elif [ -n "$address" ]; then
        fetch "${address%/}" "$work"
    else
        fail "this install.sh is of no release and in no checkout" "sh install.sh --cargo"
    fi
    before=$("$1/devrun" --version 2>/dev/null) || before=""
    place "$fetched" "$1"
    place_pages "$1"
    say "installed $("$1/devrun" --version) as $1/devrun${before:+ (was $before)}"
    advise_path "$1"
}

uninstall() { # DIR
    pages "$1" | while read -r _ file; do
        rm -f "$file" 2>/dev/null || say "not removed: $file"
    done
    if [ ! -e "$1/devrun" ]; then
        say "devrun is not installed in $1"
        return 0
    fi
    rm -f "$1/devrun" 2>/dev/null || fail "$1/devrun cannot be removed"
    say "removed $1/devrun"
}

main() {
    dir=$(target_dir) || fail "HOME is not set" "DEVRUN_INSTALL_DIR=/some/folder sh install.sh"
    case ${1:-} in
        "") install "$dir" ;;
        --cargo) install "$dir" --cargo ;;
        --uninstall) uninstall "$dir" ;;
        -h | --help) usage ;;
        *) usage >&2; fail "unknown argument: $1" ;;
    esac
}

{ main "$@"; exit; }
