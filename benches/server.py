"""A server for the benches: waits, listens, writes down when it could first answer, and answers.

    server.py DELAY_MS FILE
"""

import os
import socket
import sys
import time

delay_ms, path = int(sys.argv[1]), sys.argv[2]
time.sleep(delay_ms / 1000)
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(os.environ["PORT"])))
listener.listen(64)
# From here on the kernel completes connections, and the loop below answers them.
can_answer = time.time_ns()
with open(path, "w") as file:
    file.write(str(can_answer))
while True:
    connection, _ = listener.accept()
    if connection.recv(65536):
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
    connection.close()
