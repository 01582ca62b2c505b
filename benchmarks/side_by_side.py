"""Times of several programs, measured in turn, so that other load on the machine affects all of them alike."""

import gc
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

Program = Callable[[], object] | Sequence[str]


def side_by_side(programs: Mapping[str, Program], repeats: int, *, warm_up: bool = True) -> dict[str, list[float]]:
    """Time each program in turn, `repeats` times.

    Args:
        programs: name -> function, or command line, whose output is discarded.
        repeats: timed runs of each program.
        warm_up: whether to start with an untimed run of each program, so that files and code are in memory.

    Returns:
        Wall times of all runs (s), by name.
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
    """Return the median ratio of runs that were measured one after the other."""
    return statistics.median(mine / theirs for mine, theirs in zip(ours, other, strict=True))


def of_children(run: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU time (s) of the processes that a function starts and waits for, and its wall time (s)."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run()
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall
