"""A Python that starts at once: every call is a fork of a process that has imported what commands and jobs import.

A study of the tests has dozens of jobs, which compute for less time than they import for. `python()` gives the path of
a program that takes a script or `-m module` with arguments, as Python does. Calls differ from those of Python itself in
this only: third-party modules are in memory, and the calls of one test process have the same order of sets. The demo,
the runs that tests kill, and those on Slurm are calls of Python itself.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NoReturn

# Nothing of the program under test.
IMPORTED = [
    *("captum.attr", "h5netcdf", "jsonschema", "matplotlib.pyplot", "nbformat", "pandas", "plotly.graph_objects"),
    *("pyarrow", "pysam", "pytorch_lightning", "scipy.stats", "seaborn", "sklearn.calibration", "sklearn.ensemble"),
    *("sklearn.linear_model", "sklearn.metrics", "sklearn.svm", "smart_open", "snakemake.cli", "torch"),
    *("torchmetrics", "xarray"),
]
# Threads that BLAS and OpenMP start when they are imported do not outlive a fork.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
CLIENT = Path(__file__).with_name("forks_client.py")
LENGTH = 8  # bytes of a request's length


@functools.cache
def _started() -> tuple[str, subprocess.Popen[bytes]]:
    folder = Path(tempfile.mkdtemp())
    address, program = folder / "socket", folder / "python"
    client = shlex.join([sys.executable, "-S", "-E", str(CLIENT), str(address), sys.executable])
    program.write_text(f'#!/bin/sh\nexec {client} "$@"\n')
    program.chmod(0o755)
    # It ends when its input is closed, which it is when the process of the tests ends in any way.
    server = subprocess.Popen(
        [sys.executable, __file__, str(address), str(program)],
        stdin=subprocess.PIPE,
        env=os.environ | ONE_THREAD,
        start_new_session=True,
    )
    limit = time.monotonic() + 600
    while not address.exists():
        assert server.poll() is None, "the process that calls are forks of has ended"
        assert time.monotonic() < limit
        time.sleep(0.02)
    return str(program), server


def python() -> str:
    """Return the path of the program; it works for as long as this process."""
    return _started()[0]


def serve(address: str, program: str) -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    threads = {path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")}
    # Arrow's jemalloc starts its thread again in a fork.
    threads -= {Path("/proc/self/comm").read_text().strip(), "jemalloc_bg_thd"}
    assert not threads, f"threads that a fork does not have: {threads}"
    gc.collect()
    gc.freeze()
    sys.executable = program
    events = selectors.DefaultSelector()
    events.register(sys.stdin, selectors.EVENT_READ)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{address}.new")
        listener.listen(64)
        os.rename(f"{address}.new", address)
        events.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in events.select():
                if key.fileobj is sys.stdin:
                    shutil.rmtree(Path(address).parent)
                    return
                if key.fileobj is listener:
                    begin(listener.accept()[0], events)
                else:
                    key.data()


def begin(connection: socket.socket, events: selectors.BaseSelector) -> None:
    """Fork for one call, and tell the client how it ends; kill it if the client is killed."""
    head, descriptors, _, _ = socket.recv_fds(connection, LENGTH, 3)
    with connection.makefile("rb") as file:
        request = json.loads(file.read(int(head)))
    child = os.fork()
    if child == 0:
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        as_python(request["arguments"])
    for descriptor in descriptors:
        os.close(descriptor)
    ended = os.pidfd_open(child)

    def end() -> None:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with contextlib.suppress(OSError):
            connection.sendall(str(code).encode())
        for open_one in (ended, connection):
            with contextlib.suppress(KeyError):
                events.unregister(open_one)
        os.close(ended)
        connection.close()

    def kill() -> None:
        with contextlib.suppress(KeyError):  # it has just ended
            events.unregister(connection)
            os.kill(child, signal.SIGKILL)

    events.register(ended, selectors.EVENT_READ, end)
    events.register(connection, selectors.EVENT_READ, kill)


def as_python(arguments: list[str]) -> NoReturn:
    """Run a script, or `-m` a module, as the main program, and end the process."""
    code: object = 0
    try:
        if arguments[0] == "-m":
            sys.path[0] = os.getcwd()
            sys.argv = arguments[1:]
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.path[0] = str(Path(arguments[0]).parent)
            sys.argv = arguments
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as end:
        code = end.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        code = 1
    # What Python does at its end, but without taking apart all that was imported, which takes most of a second.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve(*sys.argv[1:])
