"""A tool that runs a command: started, signalled, typed at, looked through, and ended whatever happens.

Who belongs to the command's tree is told by the program that each process executes: every run has its own link to
the fixture. No environment, command line, session or parent hides a process from that.
"""

import fcntl
import os
import select
import shlex
import shutil
import signal
import struct
import subprocess
import termios
import threading
import time

from support import descendants, until

NOBODY = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
MARK = "BENCH_RUN"


class Running:
    def __init__(self, argv, env, folder, terminal=False, shell=False, **streams):
        """`terminal`: in one of its own; `shell`: with a shell above, as a user has it there."""
        argv = list(map(str, argv))
        if shell:
            argv = ["sh", "-c", f"{shlex.join(argv)}; exit $?"]
        self.folder, self.screen = folder, None
        if terminal or shell:
            self.screen = Screen()
            argv = ["setsid", "--ctty", *argv]
            streams = dict.fromkeys(NOBODY, self.screen.tty)
        # close_fds off lets Python use vfork: the fork of a large process would be measured otherwise.
        self.began = time.time_ns()
        self.process = subprocess.Popen(argv, env={**env, MARK: str(folder)}, cwd=folder, close_fds=False, **{**NOBODY, **streams})
        if self.screen:
            os.close(self.screen.tty)

    @property
    def pid(self):
        return self.process.pid

    def own(self):
        """The tool's own processes: all below it that are not the command's."""
        tree = set(members(self.folder))
        return [pid for pid in (self.pid, *descendants(self.pid)) if pid not in tree]

    def end(self):
        until(self.none_left, 30, f"what runs in {self.folder} can't be ended")
        self.process.wait()
        if self.screen:
            self.screen.close()
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


    def none_left(self):
        """Kills the tree and all that carries this run's mark, such as a tool whose caller was killed."""
        found = members(self.folder) + marked(self.folder)
        for pid in found:
            kill(pid)
        self.process.poll()
        return not found


class Screen:
    """A terminal of 80 x 24 that somebody looks at."""

    def __init__(self):
        self.user, self.tty = os.openpty()
        fcntl.ioctl(self.user, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        self.watched = True
        self.reader = threading.Thread(target=self.watch, daemon=True)
        self.reader.start()

    def watch(self):
        # Never blocked in a read: closing would not hang up then.
        while self.watched:
            if select.select([self.user], [], [], 0.05)[0]:
                try:
                    os.read(self.user, 65536)
                except OSError:
                    return

    def type_in(self, keys):
        os.write(self.user, keys)

    def close(self):
        if self.user is not None:
            self.watched = False
            self.reader.join()
            os.close(self.user)
            self.user = None


def linked(program, folder):
    """The fixture under a name of its own, by which `members` knows its processes."""
    path = folder / "fixture"
    try:
        os.link(program, path)
    except OSError:
        shutil.copy(program, path)
    return path


def members(folder):
    """The living processes of the tree. One may replace itself between the listing and the look at it, so newcomers
    are looked at in further listings until there are none."""
    own, known, found = f"{folder}/", set(), []
    while True:
        newcomers = {name for name in os.listdir("/proc") if name.isdigit()} - known
        if not newcomers:
            return found
        known |= newcomers
        for name in newcomers:
            try:
                if os.readlink(f"/proc/{name}/exe").startswith(own):
                    found.append(int(name))
            except OSError:
                pass  # it has ended, or it is the kernel's


def marked(folder):
    """Who has the run's mark in its environment."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environ:
                if f"{MARK}={folder}\0".encode() in environ.read():
                    found.append(int(pid))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            pass  # it has ended, or it is another user's
    return found


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def recorded(record):
    """Who is noted in a fixture's record: role and pid."""
    lines = [line.split() for line in record.read_text().splitlines()] if record.exists() else []
    return [(words[0], int(words[1])) for words in lines if len(words) == 3]


def complete(record):
    return record.exists() and "complete" in record.read_text().splitlines()
