"""What the benches share: starting devrun and bare commands the same way, statistics, the table."""

import collections
import contextlib
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
# Isolated and without site: a Python that starts as fast as it can.
PYTHON = [shutil.which("python3"), "-I", "-S"]


class Bench:
    """The program under test, a folder of its own, and the rows of the table."""

    def __init__(self, devrun, folder, scale):
        self.devrun = str(devrun)
        self.folder = pathlib.Path(folder)
        self.scale = scale
        self.rows = []
        # Nothing of the caller's reaches the measured runs but what a program needs to start.
        self.env = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
        self.env["DEVRUN_STATE_DIR"] = str(self.folder / "state")

    def runs(self, number):
        """How many runs to make: `--quick` asks for fewer."""
        return max(3, int(number * self.scale))

    def path(self, name):
        path = self.folder / name
        path.unlink(missing_ok=True)
        return path

    def start(self, options, command, **more):
        """`devrun OPTIONS -- COMMAND`, or the bare command where options is None."""
        argv = command if options is None else [self.devrun, *options, "--", *command]
        more = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **more}
        # close_fds off lets Python use vfork: the fork of a large process would be measured otherwise.
        return subprocess.Popen([str(word) for word in argv], env=self.env, cwd=more.pop("cwd", self.folder), close_fds=False, **more)

    def row(self, what, bare, devrun, ratio, goal, holds):
        self.rows.append((what, bare, devrun, ratio, goal, "yes" if holds else "**no**"))
        print(f"{what}: {devrun}  (bare {bare}, {ratio}; goal {goal}: {'holds' if holds else 'MISSED'})", flush=True)

    def table(self):
        head = ("what", "bare", "devrun", "against bare", "goal", "holds")
        return "\n".join("| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *self.rows))


@contextlib.contextmanager
def ended(process):
    """Ends the process whatever happens in between."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def ready_line(process):
    """When the line for machines came, and its fields; its absence ends the bench."""
    seen = []
    for line in iter(process.stderr.readline, b""):
        now = time.time_ns()
        text = line.decode(errors="replace").strip()
        if text.startswith("devrun ready "):
            return now, dict(field.split("=", 1) for field in text.split() if "=" in field)
        seen.append(text)
    raise SystemExit("devrun ended before it was ready:\n" + "\n".join(seen))


def wait_for(path, seconds=20):
    """The text of a file that another process writes, once there is some."""
    return until(lambda: path.read_text() if path.exists() else None, seconds, f"{path} was not written")


def until(condition, seconds, message):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.0005)
    raise SystemExit(message)


def alive(pid):
    """Whether a process still runs: a zombie does not."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def children(pid):
    found = []
    try:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    except (FileNotFoundError, ProcessLookupError):
        pass  # it has ended
    return found


def descendants(pid):
    found = children(pid)
    for child in found:
        found += children(child)
    return found


def pss_kb(pid):
    return int(re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])


def wake_ups(pids):
    """Voluntary context switches of every thread: each is one sleep that ended."""
    tasks = [task for pid in pids for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]
    count = re.compile(r"^voluntary_ctxt_switches:\s+(\d+)", re.M)
    return collections.Counter({task.name: int(count.search((task / "status").read_text())[1]) for task in tasks})


def cpu_ns(pid):
    """What all threads of a process have spent on a processor."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def median(values):
    return statistics.median(values)


def p99(values):
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


def ms(nanoseconds):
    return f"{nanoseconds / 1e6:.2f} ms"


def temporary_folder():
    return tempfile.TemporaryDirectory(prefix="devrun-bench-")
