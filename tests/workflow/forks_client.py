"""Asks the process of `forks` for a call with this process's folder, variables and files, and ends as it ends."""

import json
import os
import socket
import sys

address, executable, *arguments = sys.argv[1:]
if not arguments or (arguments[0].startswith("-") and arguments[0] != "-m"):
    os.execv(executable, [executable, *arguments])
request = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
content = json.dumps(request).encode()
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(address)
    socket.send_fds(connection, [f"{len(content):8}".encode()], [0, 1, 2])
    connection.sendall(content)
    answer = connection.recv(8)
code = int(answer or 1)
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
