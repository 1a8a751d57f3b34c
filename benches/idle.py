"""What devrun costs while nothing happens."""

import subprocess
import time

from support import HERE, PYTHON, children, cpu_ns, ended, pss_kb, ready_line, wake_ups


def memory(bench):
    """Proportional set size of front and guard, and how often they wake while nothing happens."""
    with ended(server(bench)) as process:
        settled(process)
        parts = own(process)
        sizes = {name: pss_kb(pid) for name, pid in parts.items()}
        woken, _ = spent(parts.values(), 10)
    total = sum(sizes.values()) / 1024
    split = ", ".join(f"{name} {kb / 1024:.1f}" for name, kb in sizes.items())
    bench.row("memory (PSS) of front and guard", "0", f"{total:.1f} MB ({split})", "-", "under 6 MB", total < 6)
    bench.row("wake-ups in 10 s idle", "0", str(woken), "-", "0", woken == 0)


def health(bench):
    """The same with health checks, which can't be had for nothing: four of them in the time that is looked at."""
    with ended(server(bench, "--health-interval", "5s")) as process:
        settled(process)
        woken, nanoseconds = spent(own(process).values(), 20)
    result = f"{nanoseconds / 1e6:.1f} ms of processor, {woken} wake-ups"
    bench.row("health check every 5 s, in 20 s", "0", result, "-", "under 20 ms", nanoseconds < 20e6)


def follow(bench):
    """`logs -f` of a server that says nothing."""
    with ended(server(bench, "--name", "shop")) as process:
        settled(process)
        command = [bench.devrun, "logs", "-f", "shop"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with ended(subprocess.Popen(command, env=bench.env, cwd=bench.folder, **quiet)) as reader:
            time.sleep(1)
            woken, _ = spent([reader.pid], 10)
    bench.row("`logs -f` quiet, wake-ups in 10 s", "-", str(woken), "-", "0", woken == 0)


def server(bench, *options):
    return bench.start(options, [*PYTHON, HERE / "server.py", 0, bench.path("moment")], stderr=subprocess.PIPE)


def settled(process):
    ready_line(process)
    time.sleep(6)  # devrun looks at the tree once more 1, 5 and 30 s after it is ready


def own(process):
    guards = children(process.pid)
    return {"front": process.pid, **{f"guard {n}" if n else "guard": pid for n, pid in enumerate(guards)}}


def spent(pids, seconds):
    """How often these processes wake in this time, and for how long in all."""
    pids = list(pids)
    wakes, nanoseconds = wake_ups(pids), sum(map(cpu_ns, pids))
    time.sleep(seconds)
    return (wake_ups(pids) - wakes).total(), sum(map(cpu_ns, pids)) - nanoseconds
