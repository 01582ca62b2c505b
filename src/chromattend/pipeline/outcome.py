"""What a user reads at the end of a run: where the pages are, or which job failed and how to go on."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

# Failed jobs that are named; of a large study, hundreds may fail for one reason.
MOST = 10
_FAILED = re.compile(r"^\s*Error in rule (\w+)(?:, jobid: \d+)?:\s*$(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
_LOG = re.compile(r"^\s+log: (.+?) \(check log file", re.MULTILINE)


def failed_jobs(text: str) -> list[str]:
    """Return the failed jobs of Snakemake's log, each once: the rule, and the job's own log if it has one."""
    jobs = [(match[1], _LOG.search(match[2])) for match in _FAILED.finditer(text)]
    return list(dict.fromkeys(f"rule {rule}" + (f", log {log[1]}" if log else "") for rule, log in jobs))


def command_of(arguments: Sequence[str]) -> str:
    """Return a command as it can be given again; the program without its folder."""
    return shlex.join([Path(arguments[0]).name.replace("__main__.py", "snakemake"), *arguments[1:]])


def on_success(results: Path, arguments: Sequence[str]) -> str:
    """Return the line that says where the pages are.

    Args:
        results: folder of the study.
        arguments: the command of the run, whose targets may be pages.
    """
    asked = [Path(argument) for argument in arguments[1:] if argument.endswith(".html")]
    pages = [results / name for name in ("index.html", "report.html")]
    pages += [results / track / "index.html" for track in ("sequence", "graphs", "robustness")]
    found = [page for page in asked or pages if page.is_file()]
    return f"Pages: {', '.join(map(str, found))}" if found else f"Results: {results}"


def on_error(logs: Sequence[str | Path], arguments: Sequence[str], *, interrupted: bool) -> str:
    """Return what failed, and the command that goes on.

    Args:
        logs: Snakemake's logs of the run.
        arguments: the command of the run.
        interrupted: whether the user ended it.
    """
    command = command_of(arguments)
    if interrupted:
        return f"Interrupted. Finished results are kept; the same command goes on: {command}"
    text = "".join(Path(log).read_text(encoding="utf-8", errors="replace") for log in logs if Path(log).is_file())
    jobs = failed_jobs(text)
    lines = [f"Failed: {job}" for job in jobs[:MOST]]
    if len(jobs) > MOST:
        lines.append(f"and {len(jobs) - MOST} more jobs")
    return "\n".join([*lines, f"Finished results are kept; after the fix, the same command goes on: {command}"])
