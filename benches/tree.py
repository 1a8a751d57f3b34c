"""A tree for the benches: COUNT processes, this one included, that ignore every polite signal.

    tree.py COUNT FILE      writes the pids to FILE once all are there
"""

import os
import signal
import sys

count, path = int(sys.argv[1]), sys.argv[2]
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, signal.SIG_IGN)
pids = [os.getpid()]
for _ in range(count - 1):
    pid = os.fork()
    if pid == 0:
        while True:
            signal.pause()
    pids.append(pid)
with open(path + ".part", "w") as file:
    file.write(" ".join(map(str, pids)))
os.rename(path + ".part", path)
while True:
    signal.pause()
