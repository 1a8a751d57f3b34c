"""devrun and its peers in one interleaved run: each round asks every tool once, in an order of its own.

A cell is the median and, in parentheses, the minimum. "-" is what a tool does not do, "?" what could not be measured.
"""

import contextlib
import dataclasses
import os
import pathlib
import random
import select
import signal
import socket
import subprocess
import sys
import time

import killing
import peers
from peers import Run
from running import Running, complete, linked, recorded
from support import HERE, PYTHON, descendants, median, pss_kb, until, wait_for, wake_ups

OUTPUT_BYTES = 100_000_000


class Versus:
    def __init__(self, bench, program, tools):
        self.bench, self.program = bench, program
        self.env = peers.with_node(bench.env) | {
            "TERM": "xterm-256color",
            # portless: a proxy of its own, without certificates, and hands off /etc/hosts.
            "PORTLESS_STATE_DIR": str(bench.folder / "portless"),
            "PORTLESS_PORT": str(free_ports(1)[0]),
            "PORTLESS_HTTPS": "0",
            "PORTLESS_SYNC_HOSTS": "0",
            "npm_config_update_notifier": "false",
        }
        self.tools, self.rows, self.dice, self.count = tools, [], random.Random(1), 0
        self.columns = [*(tool.name for tool in tools), "wait-on"]

    def folder(self):
        self.count += 1
        folder = self.bench.folder / f"run-{self.count}"
        folder.mkdir()
        return folder

    @contextlib.contextmanager
    def running(self, tool, command, port=None, folder=None, **streams):
        """The tool, runs the command until the end of the block; the port is the command's unless the tool chooses."""
        folder = folder or self.folder()
        port = port or free_ports(1)[0]
        running = Running(tool.argv(Run(command, folder, port, tool.options)), self.env | {"PORT": str(port)}, folder, tool.terminal, **streams)
        try:
            yield running
        finally:
            running.end()

    def rounds(self, number, tools):
        for _ in range(self.bench.runs(number)):
            for tool in self.dice.sample(tools, len(tools)):
                yield tool

    def row(self, what, cells):
        self.rows.append([what, *(cells.get(name, "-") for name in self.columns)])
        print(f"{what}: " + ", ".join(f"{name} {cell}" for name, cell in cells.items()), file=sys.stderr, flush=True)

    def timed(self, what, number, tools, measure):
        """A row of times: `measure(tool)` says nanoseconds, or a word for what came instead."""
        found = {tool.name: [] for tool in tools}
        for tool in self.rounds(number, tools):
            try:
                found[tool.name].append(measure(tool))
            except SystemExit as error:
                if isinstance(error.code, int):
                    raise  # the bench itself was told to end
                print(f"{what}, {tool.name}: {error}", file=sys.stderr)
                found[tool.name].append("?")
        self.row(f"{what}, {self.bench.runs(number)} runs", {name: spread(values) for name, values in found.items()})


def spread(values):
    words = [value for value in values if isinstance(value, str)]
    if words:
        return max(set(words), key=words.count) + ("" if len(words) == len(values) else f" in {len(words)} of {len(values)}")
    return f"{in_ms(median(values))} ({in_ms(min(values))})"


def in_ms(nanoseconds):
    value = nanoseconds / 1e6
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def launch(versus):
    """From just before the start to the first instructions of the command; and a whole life of `true`."""

    def to_command(tool):
        moment = versus.folder() / "moment"
        stamp = moment.with_name("stamp")
        stamp.write_text(f"#!/bin/sh\nexec date +%s%N >{moment}\n")
        stamp.chmod(0o755)
        with versus.running(tool, [stamp], folder=moment.parent) as running:
            return int(wait_for(moment)) - running.began

    def life(tool):
        with versus.running(tool, ["true"]) as running:
            running.process.wait(20)
            return time.time_ns() - running.began

    tools = with_options(versus.tools, "--ready", "none")
    versus.timed("start to exec of the command, ms", 15, tools, to_command)
    versus.timed("whole life of `true`, ms", 10, [tool for tool in tools if tool.ends_with_command], life)


def with_options(tools, *options):
    """devrun with these options; the others as they are."""
    return [dataclasses.replace(tool, options=options) if tool.name == "devrun" else tool for tool in tools]


def readiness(versus):
    """From the moment when the server can first answer to the start of what waited for that."""
    bin_ = peers.HOME / "npm/node_modules/.bin"
    url = "http-get://127.0.0.1:{port}/"
    waiting = {
        "devrun": lambda server, port, then: [versus.bench.devrun, "--then", then, "--", *server],
        "start-server-and-test": lambda server, port, then: [bin_ / "start-server-and-test", " ".join(server), url.format(port=port), then],
        # It starts nothing: the shell starts the server beside it.
        "wait-on": lambda server, port, then: ["sh", "-c", f"{' '.join(server)} & {bin_}/wait-on {url.format(port=port)} && {then}; kill %1"],
    }
    lags = {name: [] for name in waiting if name == "devrun" or (bin_ / name).exists()}
    number = versus.bench.runs(8)
    for _ in range(number):
        for name in versus.dice.sample(list(lags), len(lags)):
            folder, port = versus.folder(), free_ports(1)[0]
            then = folder / "then"
            then.write_text(f"#!/bin/sh\nexec date +%s%N >{folder}/noticed\n")
            then.chmod(0o755)
            # Late enough for every tool to be waiting already.
            server = [*PYTHON, str(HERE / "server.py"), str(versus.dice.randrange(600, 1100)), str(folder / "moment")]
            running = Running(waiting[name](server, port, str(then)), versus.env | {"PORT": str(port)}, folder)
            try:
                lags[name].append(int(wait_for(folder / "noticed")) - int(wait_for(folder / "moment")))
            except SystemExit as error:
                if isinstance(error.code, int):
                    raise
                lags[name].append("?")
            finally:
                running.end()
    cells = {name: spread(values) for name, values in lags.items()}
    versus.row(f"ready to the start of what waited for it, ms, {number} runs", cells)


def stop(versus):
    """From SIGTERM to the tool to the end of the tree and the tool; or how many are left when the tool is gone."""
    for shape in ("plain", "wide:200"):

        def ending(tool):
            folder = versus.folder()
            record = folder / "record"
            port = free_ports(1)[0]
            command = [linked(versus.program, folder), f"shape={shape}", f"record={record}", f"port={port}"]
            with versus.running(tool, command, port, folder) as running:
                until(lambda: complete(record), 20, "the tree never stood")
                time.sleep(0.2)  # whoever asks for the page has it by now
                tree = [pid for _, pid in recorded(record)]
                return ends(running, tree)

        count, number = ("2 processes", 5) if shape == "plain" else ("201", 3)
        versus.timed(f"SIGTERM to the end of a tree of {count}, ms", number, versus.tools, ending)


def ends(running, tree):
    waiting = {os.pidfd_open(pid): pid for pid in {running.pid, *tree}}
    poll = select.poll()
    for fd in waiting:
        poll.register(fd, select.POLLIN)
    try:
        begin = time.monotonic_ns()
        running.process.terminate()
        while waiting:
            # When the tool itself has gone, nobody will end the rest.
            seconds = 8 if running.pid in waiting.values() else 1
            for fd, _ in (done := poll.poll(seconds * 1000)):
                poll.unregister(fd)
                os.close(fd)
                del waiting[fd]
            if not done:
                return f"{len(waiting)} left"
        return time.monotonic_ns() - begin
    finally:
        for fd in waiting:
            os.close(fd)


def memory(versus):
    """The tool's own processes around one idle server: shells and proxies that it brings are its own."""
    with contextlib.ExitStack() as stack:
        own = {}
        for tool in versus.tools[1:]:
            folder, port = versus.folder(), free_ports(1)[0]
            command = [linked(versus.program, folder), "shape=alone", f"record={folder}/record", f"port={port}"]
            running = stack.enter_context(versus.running(tool, command, port, folder))
            until(lambda: complete(folder / "record"), 20, f"{tool.name} did not start the command")
            own[tool.name] = running
        time.sleep(7)
        pids = {name: running.own() for name, running in own.items()}
        if "portless" in pids:
            pids["portless"] += proxy(versus)
        sizes = {name: sum(map(pss_kb, found)) / 1024 for name, found in pids.items()}
        before = {name: wake_ups(found) for name, found in pids.items()}
        time.sleep(10)
        woken = {name: (wake_ups(found) - before[name]).total() for name, found in pids.items()}
    versus.row("memory of the tool (PSS), MB", {name: f"{size:.1f}" for name, size in sizes.items()})
    versus.row("wake-ups in 10 s idle", {name: str(count) for name, count in woken.items()})


def proxy(versus):
    (path,) = (pathlib.Path(versus.env["PORTLESS_STATE_DIR"])).glob("proxy.pid")
    pid = int(path.read_text())
    return [pid, *descendants(pid)]


def starts(versus):
    """50 projects at once, until each one's server listens. Who chooses no port is given one that is free."""
    count, number = 50, versus.bench.runs(2) if versus.bench.scale == 1 else 1
    found = {tool.name: [] for tool in versus.tools}
    for _ in range(number):
        for tool in versus.dice.sample(versus.tools, len(versus.tools)):
            with contextlib.ExitStack() as stack:
                ports, folders = free_ports(count), [versus.folder() for _ in range(count)]
                programs = [linked(versus.program, folder) for folder in folders]
                begin = time.monotonic()
                for program, folder, port in zip(programs, folders, ports):
                    command = [program, "shape=alone", f"record={folder}/record"]
                    stack.enter_context(versus.running(tool, command, port, folder))
                up = 0
                while up < count and time.monotonic() - begin < 60:
                    time.sleep(0.02)
                    up = sum(listens(folder / "record") for folder in folders)
                found[tool.name].append((count - up, time.monotonic() - begin))
    cells = {}
    for name, outcomes in found.items():
        failed = sum(failed for failed, _ in outcomes)
        cells[name] = f"{median([seconds for _, seconds in outcomes]):.1f}" + (f", {failed} failed" if failed else "")
    versus.row(f"{count} starts at once until all listen, s, {number} runs", cells)


def listens(record):
    return record.exists() and "listening" in record.read_text()


def output(versus):
    """A command that writes lines as fast as it can, read through one pipe."""
    text = versus.bench.folder / "text"
    line = b"GET /assets/index.js 200 in 4 ms, and so on until the line is as long as lines are.\n"
    text.write_bytes(line * (OUTPUT_BYTES // len(line)))
    amount = text.stat().st_size
    tools = [tool for tool in with_options(versus.tools, "--ready", "none") if tool.passes_output]
    speeds = {tool.name: [] for tool in tools}
    for tool in versus.rounds(5, tools):
        with versus.running(tool, ["cat", text], stdout=subprocess.PIPE) as running:
            chunk = os.read(running.process.stdout.fileno(), 1 << 20)
            got, begin, seconds = 0, time.monotonic(), 0
            # The slowest would take minutes.
            while chunk and got < amount and seconds < 4:
                chunk = os.read(running.process.stdout.fileno(), 1 << 20)
                got += len(chunk)
                seconds = time.monotonic() - begin
            speeds[tool.name].append(got / 1e6 / seconds)
    cells = {name: f"{median(found):.0f} ({max(found):.0f})" for name, found in speeds.items()}
    versus.row(f"output through a pipe (100 MB of lines), MB/s (most), {versus.bench.runs(5)} runs", cells)


def kills(versus):
    tools = with_options(versus.tools, "--ready", "none", "--stop-timeout", "500ms")
    results = killing.matrix(versus.bench, tools, versus.program, versus.env, free_ports)
    return killing.tables(results, tools)


PARTS = {part.__name__: part for part in (launch, readiness, stop, memory, starts, output, kills)}


def free_ports(count):
    """Ports that are free now: all bound at once, so that no two are the same."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def compare(bench, program, with_watchexec, chosen):
    """The tables, as Markdown."""
    # Handled, so that what runs is ended when this is; and not ignored in the tools, as in a background job's.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    peers.install(with_watchexec)
    tools = peers.tools(bench.devrun)
    versus = Versus(bench, program, tools)
    portless = peers.HOME / "npm/node_modules/.bin/portless"
    proxy_command = [portless, "proxy", "start", "--no-tls", "-p", versus.env["PORTLESS_PORT"]]
    quiet = {"env": versus.env, "cwd": bench.folder, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    with contextlib.ExitStack() as stack:
        if portless.exists():
            subprocess.run(proxy_command, check=True, **quiet)
            # It says that it failed when the proxy was quicker to remove its own file.
            stack.callback(subprocess.run, [portless, "proxy", "stop", "-p", versus.env["PORTLESS_PORT"]], stderr=subprocess.DEVNULL, **quiet)
        after = []
        for name in chosen:
            began = time.monotonic()
            after += PARTS[name](versus) or []
            print(f"bench: {name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    versions = ", ".join(f"{tool.name} {tool.version}" for tool in tools[1:])
    told = [f"{versions}, wait-on {peers.version(peers.HOME / 'npm/node_modules/wait-on')}; Node.js {peers.NODE}"]
    first = [[["what", *versus.columns], *versus.rows]] if versus.rows else []
    return "\n\n".join(told + [markdown(table) for table in first + after])


def markdown(table):
    head, *rows = table
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))
