"""What the registry costs when it holds a lot: lists, claims, starts at once, stops."""

import contextlib
import fcntl
import json
import os
import shutil
import struct
import subprocess
import time

from support import HERE, PYTHON, alive, ended, median, ms, ready_line

# The lock that devrun takes: F_OFD_SETLK, whole file. It is this process's for as long as the file is open.
F_OFD_SETLK = 37


@contextlib.contextmanager
def servers(bench, count, running=0):
    """A state folder with so many servers, made from the record of a real one; the locks of some are held."""
    state = bench.folder / f"state-{count}-{running}"
    env = {**bench.env, "DEVRUN_STATE_DIR": str(state)}
    subprocess.run([bench.devrun, "-q", "--ready", "none", "--name", "shop", "--", "true"], env=env, cwd=bench.folder, check=True)
    (first,) = (state / "servers").iterdir()
    record = json.loads((first / "server.json").read_text())
    shutil.rmtree(first)
    locks = []
    for number in range(count):
        record |= {"id": f"{number:016x}", "name": f"server-{number}", "port": 3000 + number % 2000, "state": "ready" if number < running else "stopped"}
        folder = state / "servers" / record["id"]
        folder.mkdir()
        (folder / "server.json").write_text(json.dumps(record))
        lock = (folder / "lock").open("w")
        if number < running:
            lock.write(f"{record['run']} {os.getpid()}\n")
            lock.flush()
            fcntl.fcntl(lock, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
            locks.append(lock)
        else:
            lock.close()
    try:
        yield env
    finally:
        for lock in locks:
            lock.close()
        shutil.rmtree(state)


def listing(bench):
    """A whole `devrun ls --all`, from its start to its exit; bare: `true`."""
    bare = median([timed(["true"], bench.env) for _ in range(bench.runs(50))])
    for count, running, goal in ((1000, 0, 20), (1000, 500, 60), (10_000, 0, None)):
        with servers(bench, count, running) as env:
            command = [bench.devrun, "ls", "--all"]
            listed = json.loads(subprocess.run([*command, "--json"], env=env, stdout=subprocess.PIPE, check=True).stdout)
            assert (len(listed), sum(server["running"] for server in listed)) == (count, running)
            own = median([timed(command, env) for _ in range(bench.runs(50))])
        what = f"ls of {count:,} servers, {running} of them running (median)"
        bench.row(what, ms(bare), ms(own), f"{own / bare:.1f}x", f"under {goal} ms" if goal else "-", goal is None or own < goal * 1e6)


def timed(command, env):
    begin = time.monotonic_ns()
    subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, close_fds=False)
    return time.monotonic_ns() - begin


def claims(bench):
    """What a new project's start takes longer when the first 2,000 ports of its range are others'; and a start
    among 10,000 records. Both to the exec of the command, each against a start in an empty registry."""
    def to_command(state, name):
        env = {**bench.env, "DEVRUN_STATE_DIR": str(state)}
        options = ["-q", "--ready", "none", "--name", name, "--port-range", "12000-15000", "--", "date", "+%s%N"]
        begin = time.time_ns()
        return int(subprocess.run([bench.devrun, *options], env=env, cwd=bench.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, close_fds=False).stdout) - begin

    def added(what, crowded, goal):
        times = {bench.folder / "empty": [], crowded: []}
        for number in range(bench.runs(100)):
            for state, taken in times.items():
                taken.append(to_command(state, f"new-{number}"))
                for port in (state / "ports").iterdir():
                    # The next one is new too.
                    if port.stat().st_size and port.read_text() != OTHERS:
                        port.write_text("")
        bare, own = (median(taken) for taken in times.values())
        bench.row(what, ms(bare), ms(own), f"{(own - bare) / 1e6:+.2f} ms", f"under +{goal} ms", own - bare < goal * 1e6)

    claimed = bench.folder / "claimed"
    to_command(claimed, "first")
    for port in range(12000, 15001):
        if port < 14000 or port >= 14500:
            (claimed / "ports" / str(port)).write_text(OTHERS)
    added("start with 2,500 of 3,000 ports claimed by others (median)", claimed, 2)
    with servers(bench, 10_000) as env:
        added("start among 10,000 records (median)", bench.folder / os.path.basename(env["DEVRUN_STATE_DIR"]), 2)


OTHERS = "00000000000000ff\n"


def starts(bench):
    """200 projects started at the same moment: every one is up, recorded once, and no port is given twice."""
    count = 200
    failed, seconds, wrong = 0, [], 0
    for _ in range(bench.runs(3)):
        processes = []
        begin = time.monotonic()
        for index in range(count):
            folder = bench.folder / f"start-{index}"
            folder.mkdir(exist_ok=True)
            command = [*PYTHON, HERE / "server.py", 0, folder / "moment"]
            processes.append(bench.start(["--ready-timeout", "120s", "--stop-timeout", "1s"], command, cwd=folder, stderr=subprocess.PIPE))
        ports = []
        for process in processes:
            try:
                ports.append(int(ready_line(process)[1]["port"]))
            except SystemExit:
                failed += 1
        seconds.append(time.monotonic() - begin)
        listed = json.loads(subprocess.run([bench.devrun, "ls", "--json"], env=bench.env, stdout=subprocess.PIPE, check=True).stdout)
        wrong += sorted(server["port"] for server in listed if server["running"]) != sorted(set(ports))
        for process in processes:
            process.terminate()
        for process in processes:
            with ended(process):
                process.wait(30)
    result = f"{failed} failed, {wrong} lists wrong; all up in {median(seconds):.1f} s"
    bench.row(f"{count} starts at once, {len(seconds)} times", "-", result, "-", "0 and 0", failed == wrong == 0)


def stop(bench):
    """From the death of the server's last process to the return of `devrun stop`."""
    lags = []
    for _ in range(bench.runs(30)):
        command = [*PYTHON, HERE / "server.py", 0, bench.path("moment")]
        with ended(bench.start(["--name", "shop"], command, stderr=subprocess.PIPE)) as process:
            pid = int(ready_line(process)[1]["pid"])
            stopping = subprocess.Popen([bench.devrun, "stop", "shop"], env=bench.env, cwd=bench.folder, stderr=subprocess.DEVNULL)
            # Spun, not slept: what is measured is a few milliseconds.
            while alive(pid):
                pass
            died = time.monotonic_ns()
            assert stopping.wait(10) == 0
            lags.append(time.monotonic_ns() - died)
    lag = median(lags)
    bench.row("stop returns after the tree's end (median)", "-", ms(lag), "-", "under 20 ms", lag < 20e6)
