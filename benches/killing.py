"""The kill matrix: every tool runs trees of every shape, and each ends in every way. A tree that is gone within the
time is dead; of the others the survivors are counted, and ended.

Each tool has its default behaviour, but for a shorter grace period where it has an option for that. What is left is
counted when nobody of the tool has been there for a second, else after ten seconds: longer than any grace period.
"""

import concurrent.futures
import itertools
import json
import random
import shlex
import signal
import time

from peers import Run
from running import Running, complete, kill, linked, members, recorded
from support import alive, until

SHAPES = (
    "plain own-group own-session daemon daemon-clearenv overwrite-env ignore-signals stopped respawn churn "
    "grandchild-listens leader-leaves"
).split()

CAUSES = {
    "the command exits 0": None,
    "the command is killed": None,
    "SIGINT to the tool": signal.SIGINT,
    "SIGTERM to the tool": signal.SIGTERM,
    "SIGHUP to the tool": signal.SIGHUP,
    "SIGKILL to the tool": signal.SIGKILL,
    "SIGKILL to npm above it": signal.SIGKILL,
    "Ctrl-C in a terminal": None,
    "the terminal closes": None,
}
AT_ONCE = 16


def matrix(bench, tools, program, env, free_ports):
    """The outcome of every cell: (tool, cause, shape) to the number of survivors, or None where the tree never stood."""
    cells = list(itertools.product(tools, CAUSES, SHAPES))
    if bench.scale < 1:
        cells = [cell for cell in cells if cell[2] in SHAPES[::5]]
    random.Random(1).shuffle(cells)
    ports = iter(free_ports(len(cells)))

    def outcome(numbered):
        number, (tool, cause, shape), port = numbered
        folder = bench.folder / f"cell-{number}"
        folder.mkdir()
        return (tool.name, cause, shape), survivors(tool, cause, shape, program, env, folder, port)

    numbered = [(number, cell, next(ports)) for number, cell in enumerate(cells)]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(pool.map(outcome, numbered))


def survivors(tool, cause, shape, program, env, folder, port):
    record = folder / "record"
    own_exit = cause.startswith("the command")
    command = [linked(program, folder), f"shape={shape}", f"record={record}", f"port={port}"]
    if own_exit:
        # With a member that serves, the server would rightly go on without its leader.
        command += ["serve=no", "leave=0" if cause.endswith("0") else "leave=signal:9"]
    running = started(tool, cause, Run(command, folder, port, tool.options), {**env, "PORT": str(port)})
    try:
        until(lambda: complete(record), 20, "")
        own = running.own()
        act(tool, cause, running, recorded(record))
        return left(folder, own, time.monotonic() + 10)
    except SystemExit:
        return None
    finally:
        running.end()


def started(tool, cause, run, env):
    argv = list(map(str, tool.argv(run)))
    if "npm" in cause:
        (run.folder / "package.json").write_text(json.dumps({"name": "shop", "scripts": {"dev": shlex.join(argv)}}))
        argv = ["npm", "run", "dev"]
    return Running(argv, env, run.folder, terminal=tool.terminal, shell="terminal" in cause)


def act(tool, cause, running, record):
    if cause == "Ctrl-C in a terminal":
        running.screen.type_in(tool.quit_keys)
    elif cause == "the terminal closes":
        running.screen.close()
    elif number := CAUSES[cause]:
        running.process.send_signal(number)
    else:
        # The one shape whose leader has left already is told how by `leave=`.
        for leader in [pid for role, pid in record if role == "leader" and alive(pid)]:
            kill(leader, signal.SIGUSR1 if cause.endswith("0") else signal.SIGKILL)
            kill(leader, signal.SIGCONT)


def left(folder, own, deadline):
    """How many of the tree are left when nobody will end them any more."""
    alone_since = None
    while tree := members(folder):
        now = time.monotonic()
        if any(map(alive, own)):
            alone_since = None
        elif alone_since is None:
            alone_since = now
        if now > deadline or (alone_since and now - alone_since > 1):
            return len(tree)
        time.sleep(0.1)
    return 0


def tables(results, tools):
    """Trees of which nothing was left, by cause and by shape, and the survivors in all."""
    names = [tool.name for tool in tools]
    shapes = [shape for shape in SHAPES if any(cell[2] == shape for cell in results)]

    def part(title, rows, position):
        yield [title, *names]
        for row in rows:
            yield [row, *(score(results, lambda cell: cell[0] == name and cell[position] == row) for name in names)]

    yield list(part("the end", CAUSES, 1))
    by_shape = list(part("the shape of the tree", shapes, 2))
    by_shape.append(["**all**", *(f"**{score(results, lambda cell: cell[0] == name)}**" for name in names)])
    by_shape.append(["processes left", *(str(sum(n or 0 for cell, n in results.items() if cell[0] == name)) for name in names)])
    yield by_shape


def score(results, chosen):
    found = [left for cell, left in results.items() if chosen(cell)]
    unmeasured = sum(left is None for left in found)
    return f"{sum(left == 0 for left in found)}/{len(found)}" + (f" ({unmeasured} not measured)" if unmeasured else "")
