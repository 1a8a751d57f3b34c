"""The peers: installed by their ordinary clients into target/bench-peers, and how each is asked to run a command."""

import dataclasses
import json
import os
import pathlib
import platform
import shlex
import shutil
import subprocess
import sys

from support import HERE

HOME = HERE.parent / "target/bench-peers"
# The newest portless wants a newer Node.js than Debian has; npm carries one as a package.
NODE = "24.21.0"
WATCHEXEC = "2.8.0"


@dataclasses.dataclass
class Run:
    """One run to be made: words without blanks or quotes, in a folder of its own, with a port if it needs one."""

    command: list
    folder: pathlib.Path
    port: int
    options: tuple = ()

    @property
    def line(self):
        return shlex.join(map(str, self.command))

    @property
    def procfile(self):
        path = self.folder / "Procfile"
        path.write_text(f"web: {self.line}\n")
        return path


@dataclasses.dataclass
class Tool:
    """A way to run a command. `argv` makes the words, `terminal` says that it needs one, `quit_keys` are what a user
    types to end it there, `chooses_port` that it finds a free port by itself, `ends_with_command` that it exits when
    its command does."""

    name: str
    version: str
    argv: callable
    terminal: bool = False
    quit_keys: bytes = b"\x03"
    chooses_port: bool = False
    ends_with_command: bool = True
    passes_output: bool = True
    options: tuple = ()


def install(with_watchexec):
    """Installs what is missing; False for a peer that can't be had here, with a word on stderr."""
    HOME.mkdir(parents=True, exist_ok=True)
    packages = [name for name in ("tini", "dumb-init") if not shutil.which(name)]
    if packages:
        attempt(f"apt-get update -qq && apt-get install -y -qq --no-install-recommends {' '.join(packages)}")
    npm = "npm install --no-audit --no-fund --no-progress --loglevel=error --save-exact"
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine())
    stamp = HOME / "installed"
    manifest = (HERE / "peers/package.json").read_text() + NODE
    if not stamp.exists() or stamp.read_text() != manifest:
        # Node.js first and apart: npm takes the packages that suit the Node.js it runs on.
        (HOME / "node").mkdir(exist_ok=True)
        (HOME / "node/package.json").write_text('{ "private": true }\n')
        (HOME / "npm").mkdir(exist_ok=True)
        shutil.copy(HERE / "peers/package.json", HOME / "npm/package.json")
        if attempt(f"{npm} node-linux-{machine}@{NODE}", HOME / "node"):
            (HOME / "bin").unlink(missing_ok=True)
            (HOME / "bin").symlink_to(f"node/node_modules/node-linux-{machine}/bin")
        if attempt(npm.replace(" --save-exact", ""), HOME / "npm", with_node(os.environ)):
            stamp.write_text(manifest)
    if not (HOME / "venv/bin/honcho").exists():
        attempt(f"python3 -m venv venv && venv/bin/pip install -q --disable-pip-version-check -r {HERE}/peers/requirements.txt", HOME)
    if with_watchexec and not (HOME / "cargo/bin/watchexec").exists():
        attempt(f"cargo install -q --locked --root {HOME}/cargo watchexec-cli@{WATCHEXEC}", HOME)


def attempt(line, folder=HOME, env=None):
    print(f"bench: {line}", file=sys.stderr, flush=True)
    done = subprocess.run(["sh", "-c", line], cwd=folder, env=env, stdout=sys.stderr)
    if done.returncode != 0:
        print(f"bench: failed: {line}", file=sys.stderr)
    return done.returncode == 0


def with_node(env):
    return {**env, "PATH": f"{HOME}/bin:{env['PATH']}"}


def tools(devrun):
    """Every way to run a command that is there, the bare command first, devrun second."""
    npm, bin_ = HOME / "npm/node_modules", HOME / "npm/node_modules/.bin"
    # npm's mprocs is a script around this program; the program itself is what other clients install.
    mprocs = next(iter(npm.glob(f"mprocs/*linux-{platform.machine()}*/mprocs")), npm / "mprocs")
    honcho, watchexec = HOME / "venv/bin/honcho", HOME / "cargo/bin/watchexec"
    found = [
        Tool("bare", "", lambda run: run.command),
        Tool("devrun", spoken(devrun, "--version"), lambda run: [devrun, *run.options, "--", *run.command], chooses_port=True),
    ]
    if tini := shutil.which("tini"):
        found.append(Tool("tini -s -g", spoken(tini, "--version"), lambda run: [tini, "-s", "-g", "--", *run.command]))
    if dumb_init := shutil.which("dumb-init"):
        found.append(Tool("dumb-init", spoken(dumb_init, "--version"), lambda run: [dumb_init, "--", *run.command]))
    if honcho.exists():
        found.append(Tool("honcho", spoken(honcho, "--version"), lambda run: [honcho, "start", "-f", run.procfile, "-p", run.port]))
    node = [
        ("concurrently", lambda run: [bin_ / "concurrently", "-k", "--raw", "--kill-timeout", 1000, run.line], {}),
        (
            "start-server-and-test",
            lambda run: [bin_ / "start-server-and-test", run.line, f"http-get://127.0.0.1:{run.port}/", "sleep 600"],
            {"ends_with_command": False},
        ),
        ("portless", lambda run: [bin_ / "portless", run.folder.name, *run.command], {"chooses_port": True}),
    ]
    for name, argv, more in node:
        if (bin_ / name).exists():
            found.append(Tool(name, version(npm / name), argv, **more))
    if mprocs.is_file():
        more = {"terminal": True, "quit_keys": b"q", "ends_with_command": False, "passes_output": False}
        found.append(Tool("mprocs", version(npm / "mprocs"), lambda run: [mprocs, run.line], **more))
    if watchexec.exists():
        words = ["-q", "--watch", "/var/empty" if pathlib.Path("/var/empty").exists() else "/proc/self/net"]
        found.append(
            Tool("watchexec", spoken(watchexec, "--version"), lambda run: [watchexec, *words, "--", *run.command], ends_with_command=False)
        )
    return found


def version(package):
    return json.loads((package / "package.json").read_text())["version"]


def spoken(program, option):
    said = subprocess.run([program, option], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout.split()
    return next((word.strip("v") for word in said if any(map(str.isdigit, word))), "?")
