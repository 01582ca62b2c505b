"""The Python that starts at once does what Python does."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from . import forks

SCRIPT = """
import os, sys
print(sys.argv, sys.path[0], os.getcwd(), os.environ.get("WORD"), __name__, sys.stdin.read())
print("to stderr", file=sys.stderr)
{end}
"""


@pytest.mark.parametrize(
    "end", ["", "sys.exit(3)", "sys.exit('one line')", "import os; os.kill(os.getpid(), 9)", "raise ValueError('bad')"]
)
def test_a_script_runs_as_in_python(tmp_path: Path, end: str) -> None:
    script = tmp_path / "a script.py"
    script.write_text(SCRIPT.format(end=end))

    def call(python: str) -> tuple[int, str, list[str]]:
        done = subprocess.run(
            [python, str(script), "-x", "a b"],
            cwd=tmp_path,
            env=os.environ | {"WORD": "ß"},
            input="typed",
            capture_output=True,
            text=True,
            check=False,
        )
        errors = done.stderr.splitlines()
        return done.returncode, done.stdout, [errors[0], errors[-1]]

    assert call(forks.python()) == call(sys.executable)


@pytest.mark.parametrize("arguments", [["-c", "import sys; print(sys.argv)", "x"], ["-m", "calendar", "2001", "2"]])
def test_a_module_or_a_line_runs_as_in_python(arguments: list[str]) -> None:
    outputs = [
        subprocess.run([python, *arguments], capture_output=True, check=True).stdout
        for python in (forks.python(), sys.executable)
    ]
    assert outputs[0] == outputs[1] != b""


def test_who_is_killed_takes_its_call_along(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n")
    caller = subprocess.Popen([forks.python(), str(script)], stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    folder = Path("/proc") / caller.stdout.readline().strip()
    assert folder.exists()
    caller.kill()
    caller.wait(timeout=30)
    limit = time.monotonic() + 60
    while folder.exists():
        assert time.monotonic() < limit
        time.sleep(0.05)
