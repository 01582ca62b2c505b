"""Times of several programs measured side by side: in turn, so that what else the machine does falls on all alike."""

import gc
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

Program = Callable[[], object] | Sequence[str]


def side_by_side(programs: Mapping[str, Program], repeats: int, *, warm_up: bool = True) -> dict[str, list[float]]:
    """Time each program, then each again, `repeats` times.

    Args:
        programs: functions, or command lines, whose output is thrown away, by name.
        repeats: runs of each.
        warm_up: whether one more goes before them and is not timed, so that files and code are in memory.

    Returns:
        Wall time of each run (s), by name.
    """
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(0 if warm_up else 1, repeats + 1):
        for name, program in programs.items():
            gc.collect()
            begin = time.perf_counter()
            if callable(program):
                program()
            else:
                subprocess.run(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            if turn:
                seconds[name].append(time.perf_counter() - begin)
    return seconds


def median_ratio(ours: Sequence[float], other: Sequence[float]) -> float:
    """Median of the ratios of runs that were neighbours in time."""
    return statistics.median(mine / theirs for mine, theirs in zip(ours, other, strict=True))


def of_children(run: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU time of the processes that a function starts and waits for, and its wall time (s)."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run()
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall
