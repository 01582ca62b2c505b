"""Time, memory and accuracy of JEEK over all pairs of many variables, in tiles; with the floor of its matrix products.

    .venv/bin/python benchmarks/graph_scale.py --variables 2000 5000 --contexts 10 91 --output build/graph_scale.json
    .venv/bin/python benchmarks/graph_scale.py --variables 30000 --contexts 91

Contexts have n samples each. Disjoint pairs of variables are correlated by r = +-0.83: p / 20 in all contexts, and
p / 294 others in each context. Each size runs in a process of its own, on one thread. The floor is K p^2 n flop at the
speed of numpy's products of tiles of the same shape in the same process, which nothing reads.

Listed specific edges are split into those of true specific pairs, those of shared pairs that too few contexts have
beyond the threshold, and false ones.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from chromattend.graphs import tiles

R = 0.83
SHARE_COST = 0.5
# Tiles of one lane that the speed of products is measured on.
MEASURED = 400


def true_pairs(variables: int, contexts: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the pairs that all contexts have, and those of each context, shape (pair, 2); no two share a variable."""
    common, own = variables // 20, variables // 294
    rng = np.random.default_rng(1)
    order = rng.permutation(variables)
    shared, rest = order[: 2 * common].reshape(-1, 2), order[2 * common :]
    # Contexts take the same variables for different pairs.
    specific = [rng.permutation(rest)[: 2 * own].reshape(-1, 2) for _ in range(contexts)]
    return np.sort(shared, axis=1), [np.sort(each, axis=1) for each in specific]


def samples_of(variables: int, samples: int, seed: int, pairs: np.ndarray) -> np.ndarray:
    """Draw the samples of a context; every second pair is correlated negatively."""
    values = np.random.default_rng(seed).standard_normal((samples, variables), dtype=np.float32)
    sign = np.where(pairs[:, 0] % 2, -1, 1)
    values[:, pairs[:, 1]] = sign * R * values[:, pairs[:, 0]] + np.sqrt(1 - R**2) * values[:, pairs[:, 1]]
    return values


def product_speed(factor: tiles.Factor) -> float:
    """Return the speed of products of tiles, flop/s."""
    size, vectors = tiles.SIZE, factor.vectors
    block = np.empty((size, size), dtype=np.float32)
    starts = np.random.default_rng(1).integers(len(vectors) - size, size=(MEASURED, 2))
    begin = time.process_time()
    for i, j in starts:
        np.matmul(vectors[i : i + size], vectors[j : j + size].T, out=block)
    return 2 * size * size * factor.samples * MEASURED / (time.process_time() - begin)


def measure(variables: int, contexts: int, samples: int, z: float, covariance: str, choose: bool) -> dict:
    """Run all jobs of one size in this process, one after the other."""
    shared, specific = true_pairs(variables, contexts)
    options = {"share_cost": SHARE_COST}
    seconds = {}

    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        begin, clock = time.perf_counter(), time.process_time()
        paths = [Path(folder, f"{number}.npz") for number in range(contexts)]
        for number, path in enumerate(paths):
            pairs = np.concatenate([shared, specific[number]])
            values = samples_of(variables, samples, number, pairs)
            tiles.save(tiles.factor(values, f"c{number}", covariance), path)
        seconds["factors"] = time.process_time() - clock

        chosen = {}
        if choose:
            clock = time.process_time()
            drawn = tiles.sampled_variables(variables, seed=1)
            rng = np.random.default_rng(1)
            observed = [tiles.load(path, "partial").take(drawn) for path in paths]
            null = [
                tiles.independent(tiles.load(path, "correlations"), each.noise, 0.1, "partial", drawn, rng)
                for path, each in zip(paths, observed, strict=True)
            ]
            threshold = tiles.choose_threshold(observed, [null], "jeek", options, 0.1, variables)
            chosen = {"z": threshold.z, "fdr": threshold.fdr, "reached": threshold.reached}
            seconds["threshold"] = time.process_time() - clock
            del observed, null

        factors = [tiles.load(path, "partial") for path in paths]
        speed = product_speed(factors[0])
        tiles.rows([each.take(np.arange(300)) for each in factors], [0], z, "jeek", options)  # compiles
        clock, wall = time.process_time(), time.perf_counter()
        table = tiles.rows(factors, tiles.stripes(variables, 0, 1), z, "jeek", options)
        seconds["rows"] = time.process_time() - clock
        rows_wall = time.perf_counter() - wall
        del factors
        clock = time.process_time()
        edges = tiles.gather([table], paths, [str(number) for number in range(variables)])
        seconds["gather"] = time.process_time() - clock
        wall = time.perf_counter() - begin

    flop = contexts * variables * (variables + tiles.SIZE) * samples
    listed = {
        name: set(zip(part["context"].tolist(), part["i"].tolist(), part["j"].tolist(), strict=True))
        for name, part in (("shared", table[table["class"] == 0]), ("specific", table[table["class"] == 2]))
    }
    common = set(map(tuple, shared.tolist()))
    own = {(number, i, j) for number, pairs in enumerate(specific) for i, j in pairs.tolist()}
    of_shared = {edge for edge in listed["specific"] if edge[1:] in common}
    true = {edge for edge in listed["shared"] if edge[1:] in common}
    counts = {
        "shared": {"true": len(common), "listed": len(true), "false": len(listed["shared"] - true)},
        "specific": {
            "true": len(own),
            "listed": len(listed["specific"] & own),
            "of_shared": len(of_shared),
            "false": len(listed["specific"] - own - of_shared),
        },
    }
    modulated = int((table["class"] == 1).sum())
    assert len(edges) == len(table)
    return {
        **{"variables": variables, "contexts": contexts, "samples": samples, "z": z, "covariance": covariance},
        "seconds": seconds,
        "total": sum(seconds.values()),
        "wall": wall,
        "rows_wall": rows_wall,
        "gflops": speed / 1e9,
        "floor": flop / speed,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "shared_negative": int((edges.loc[edges["class"] == "shared", "weight"] < 0).sum()),
        **counts,
        "modulated": modulated,
        "modulated_expected": int(SHARE_COST * contexts) * counts["shared"]["listed"],
        "chosen": chosen,
    }


def _run(pipe: Connection, arguments: tuple) -> None:
    pipe.send(measure(*arguments))


def alone(*arguments: object) -> dict:
    """Measure one size in a process of its own, so that its peak of memory is its own."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(sender, arguments))
    process.start()
    sender.close()
    result = receiver.recv()
    process.join()
    return result


def main() -> None:
    """Measure all sizes, print a table, and write all values as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variables", type=int, nargs="+", default=[2000, 5000])
    parser.add_argument("--contexts", type=int, nargs="+", default=[10])
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--z", type=float, default=5.5)
    parser.add_argument("--covariance", default="pearson", choices=["pearson", "normal_scores"])
    parser.add_argument("--threshold", action="store_true", help="also choose a threshold by permutation")
    parser.add_argument("--output", type=Path, help="JSON file")
    arguments = parser.parse_args()
    blas = {each["internal_api"]: each.get("architecture") for each in threadpool_info()}
    print(f"CPU seconds of one thread; BLAS: {blas}")
    print(
        "| p | K | n | factors | threshold | tiles | of them floor | GFLOP/s | gather | wall | MB "
        "| shared | false | specific | of shared pairs | false | modulated (expected) |\n" + "|---" * 17 + "|"
    )
    results = []
    for contexts in arguments.contexts:
        for variables in arguments.variables:
            run = alone(variables, contexts, arguments.samples, arguments.z, arguments.covariance, arguments.threshold)
            results.append(run)
            seconds = run["seconds"]
            cells = [variables, contexts, arguments.samples, f"{seconds['factors']:.1f}"]
            cells += [f"{seconds['threshold']:.1f}, z {run['chosen']['z']:g}" if run["chosen"] else ""]
            cells += [f"{value:.1f}" for value in (seconds["rows"], run["floor"], run["gflops"], seconds["gather"])]
            cells += [f"{run['wall']:.1f}", f"{run['megabytes']:.0f}"]
            cells += [f"{run['shared']['listed']}/{run['shared']['true']}", run["shared"]["false"]]
            cells += [f"{run['specific']['listed']}/{run['specific']['true']}"]
            cells += [run["specific"]["of_shared"], run["specific"]["false"]]
            cells += [f"{run['modulated']} ({run['modulated_expected']})"]
            print("|", " | ".join(map(str, cells)), "|", flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps({"blas": blas, "runs": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
