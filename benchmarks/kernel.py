"""Speed and memory of the exact gapped k-mer kernel: algorithms, compilers' flags, scaling, and the rule of `auto`.

    .venv/bin/python benchmarks/kernel.py --sets ../shared/data/sequences/gkm --threads 2 --output build/kernel.json

Each measurement on a real set has a process of its own; compilation is not timed. CPU seconds are of
all threads. Seconds of FastSK and GaKCo are earlier measurements on two cores like these, and not repeated.
"""

import argparse
import json
import multiprocessing
import re
import resource
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from scipy.optimize import nnls

from chromattend.sequence.alphabets import ALPHABETS
from chromattend.sequence.kernel import bitsliced, exact
from chromattend.sequence.kernel.problem import Problem
from chromattend.sequence.kernel.strings import Strings
from chromattend.sequence.readers import read_sequences

BASE = ("-O3", "-shared", "-fPIC")
FLAGS = {"native": (*BASE, "-march=native"), "AVX2": (*BASE, "-mavx2"), "portable": BASE}
EARLIER = (
    ("EP300 g 10 k 6", "FastSK exact", 87),
    ("EP300 g 10 k 6", "GaKCo -O3", 104),
    ("1.34 g 10 k 1", "GaKCo -O3", 247),
)
# Vector operations on bits that a CPU can start per cycle, by the width of its vectors in bits.
PER_CYCLE = {128: 4, 256: 4, 512: 2}
# What the constants of `auto` are fitted to: letters, strings, length, g, k.
SHAPES = {
    "dense": (
        (4, 1000, 100, 10, 1),
        (4, 500, 100, 8, 2),
        (4, 200, 100, 6, 4),
        (20, 800, 150, 10, 1),
        (4, 400, 40, 12, 4),
    ),
    "bitsliced": ((4, 1000, 100, 10, 6), (4, 600, 100, 13, 6), (4, 600, 100, 10, 9), (20, 500, 150, 6, 4)),
    "postings": (
        (4, 1000, 100, 8, 7),
        (4, 1000, 60, 6, 3),
        (4, 300, 100, 10, 6),
        (20, 800, 150, 6, 4),
        (20, 500, 150, 10, 6),
    ),
}


def real(folder: Path, name: str, alphabet: str) -> Strings:
    """Read the training and test part of a set."""
    letters = [
        each
        for part in ("train", "test")
        for each in read_sequences(folder / f"{name}.{part}.fasta.gz", ALPHABETS[alphabet], labelled=True).letters
    ]
    ends = np.cumsum([0, *map(len, letters)]).astype(np.int64)
    return Strings(np.concatenate(letters), ends, len(ALPHABETS[alphabet]))


def random_strings(size: int, number: int, length: int) -> Strings:
    """Draw strings of one length with random letters."""
    letters = np.random.default_rng(number).integers(0, size, number * length).astype(np.int8)
    return Strings(letters, np.arange(0, number * length + 1, length, dtype=np.int64), size)


def timed(
    strings: Strings, g: int, k: int, algorithm: str, *, both: bool = False, threads: int = 1, times: int
) -> dict:
    """Count in this process some times, and return the run with the fewest CPU seconds."""
    module = exact.ALGORITHMS[algorithm]
    few = Problem.of(strings.take(np.arange(20)), None, g, k, both=both)
    module.count(few, np.zeros(few.shape), threads, exact._ignore)  # compiles
    problem = Problem.of(strings, None, g, k, both=both)
    runs = []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        kernel = np.zeros(problem.shape)
        module.count(problem, kernel, threads, exact._ignore)
        exact.mirror(kernel)
        runs.append({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu})
    return {**min(runs, key=lambda run: run["cpu"]), "work": module.work(problem), "sum": float(kernel.sum())}


def _run(pipe: Connection, flags: Sequence[str], arguments: Sequence[Any], options: dict[str, Any]) -> None:
    with mock.patch("chromattend.compiled.FLAGS", tuple(flags)):
        bitsliced.library()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run = timed(*arguments, **options)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pipe.send({**run, "gigabytes": (after - before) / 1e6})


def alone(*arguments: Any, flags: Sequence[str], **options: Any) -> dict:
    """Return what `timed` does in a process of its own, with the memory that it adds."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(sender, flags, arguments, options))
    process.start()
    sender.close()
    run = receiver.recv()
    process.join()
    return run


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table of Markdown."""
    print(f"\n{title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print("|", " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row), "|", flush=True)


def sets(folder: Path, threads: int, times: int, slow: bool) -> list[dict]:
    """Measure the algorithms and flags side by side on real sets."""
    results = []
    cases = [
        ("EP300", "dna", 10, 6, False, ("bitsliced", "postings") if slow else ("bitsliced",)),
        ("EP300", "dna", 10, 6, True, ("bitsliced",)),
        ("1.34", "protein", 10, 1, False, ("dense", "bitsliced")),
        ("1.34", "protein", 6, 4, False, ("bitsliced", "postings")),
        ("1.34", "protein", 10, 5, False, ("bitsliced",)),
    ]
    for name, alphabet, g, k, both, algorithms in cases:
        strings = real(folder, name, alphabet)
        for algorithm in algorithms:
            every = (algorithm, name, both) == ("bitsliced", "EP300", False)
            for kind, flags in FLAGS.items() if every else [("native", FLAGS["native"])]:
                for count in sorted({1, threads}):
                    run = alone(strings, g, k, algorithm, both=both, threads=count, flags=flags, times=times)
                    title = f"{name} g {g} k {k}{' both strands' * both}"
                    results.append({"set": title, "algorithm": algorithm, "flags": kind, "threads": count, **run})
    sums = {}
    for run in results:
        assert sums.setdefault(run["set"], run["sum"]) == run["sum"], "algorithms differ"
    rows: list[tuple[object, ...]] = [
        (
            run["set"],
            f"{run['algorithm']}, {run['flags']}",
            *(run[key] for key in ("threads", "wall", "cpu", "gigabytes")),
        )
        for run in results
    ]
    rows += [(name, f"{program}, measured earlier", 2, seconds, "", "") for name, program, seconds in EARLIER]
    print_table("Real sets", ("set", "algorithm", "threads", "wall s", "CPU s", "GB"), rows)
    return results


def scaling(times: int) -> list[dict]:
    """Measure how time grows with the number of strings, m = g - k, length and alphabet."""
    cases = [
        *(("strings", number, (4, number, 100, 10, 6)) for number in (500, 1000, 2000, 4000)),
        *(("m", 10 - k, (4, 1000, 100, 10, k)) for k in (9, 8, 7, 6, 5, 4, 2, 1)),
        *(("letters of a string", length, (4, 1000, length, 10, 6)) for length in (50, 100, 200)),
        *(("alphabet", size, (size, 1000, 100, 10, 6)) for size in (2, 4, 20, 60)),
    ]
    results = []
    for axis, value, (size, number, length, g, k) in cases:
        run = timed(random_strings(size, number, length), g, k, "bitsliced", times=times)
        results.append({"axis": axis, "value": value, **run})
    rows = [(run["axis"], run["value"], run["cpu"]) for run in results]
    print_table("Scaling (bit-sliced, one thread)", ("axis", "value", "CPU s"), rows)
    return results


def limit(run: dict) -> dict:
    """Compare the vector operations of a run with those that its CPU can start."""
    functions = bitsliced.library()
    assert functions is not None
    speeds = [float(value) for value in re.findall(r"cpu MHz\s*: ([\d.]+)", Path("/proc/cpuinfo").read_text())]
    width = functions.bitsliced_block()
    possible = run["work"][0] / (PER_CYCLE[width] * max(speeds) * 1e6)
    print(
        f"\nLimit: {run['work'][0]:.3g} vector operations of {width} bits at {PER_CYCLE[width]} per cycle of "
        f"{max(speeds):.0f} MHz take {possible:.2f} s; measured were {run['cpu']:.2f} CPU s, "
        f"{run['cpu'] / possible:.1f} times as many."
    )
    return {"seconds": possible, "measured": run["cpu"]}


def fit(times: int) -> dict:
    """Fit the seconds of one unit of every kind of work, with the smallest relative errors."""
    constants, rows = {}, []
    for algorithm, shapes in SHAPES.items():
        runs = [timed(random_strings(*shape[:3]), *shape[3:], algorithm, times=times) for shape in shapes]
        work, seconds = np.array([run["work"] for run in runs]), np.array([run["cpu"] for run in runs])
        relative = work / seconds[:, None]
        scale = relative.max(axis=0)
        constants[algorithm] = (nnls(relative / scale, np.ones(len(runs)))[0] / scale).tolist()
        for shape, run, expected in zip(shapes, runs, work @ constants[algorithm], strict=True):
            rows.append((algorithm, *shape, run["cpu"], float(expected)))
    print_table("Fit of the rule", ("algorithm", "alphabet", "strings", "letters", "g", "k", "CPU s", "fitted s"), rows)
    for algorithm, seconds in constants.items():
        print(f"\n{algorithm}: SECONDS = ({', '.join(f'{second:.2g}' for second in seconds)})")
    return constants


def main() -> None:
    """Measure, print tables, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sets", type=Path, help="folder of the sets of gkm-SVM; real sets are left out where it is missing"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--times", type=int, default=3, help="runs of each measurement; the fastest counts")
    parser.add_argument("--only-fit", action="store_true", help="only fit the rule of `auto`")
    parser.add_argument("--slow", action="store_true", help="lists of strings on EP300 too")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as cache, mock.patch.dict("os.environ", XDG_CACHE_HOME=cache):
        if arguments.sets and arguments.sets.is_dir() and not arguments.only_fit:
            results["sets"] = sets(arguments.sets, arguments.threads, arguments.times, arguments.slow)
            results["limit"] = limit(results["sets"][0])  # type: ignore[index]
        if not arguments.only_fit:
            results["scaling"] = scaling(arguments.times)
        results["fit"] = fit(arguments.times)
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
